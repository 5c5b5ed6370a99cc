import { mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { assertNever, type Instant } from '../../kernel/index.ts'
import {
  exportFocus,
  focusDatasets,
  focusFormats,
  monthName,
  parseMonth,
  type FocusDataset,
  type FocusFormat,
  type FocusRefusal,
  type Period,
} from '../../billing/index.ts'
import { systemTransaction, type Database } from '../../db/index.ts'
import { untilUnfolded } from '../../metering/index.ts'
import { reportMisuse, reportRefusal, type Io } from '../report.ts'

export interface ExportIo extends Io {
  readonly now: Instant
  readonly database: Database
}

const howTo =
  'formulary export focus --month 2026-10 --out folder | --dataset cost-and-usage [--tenant name] [--license license] [--format csv|jsonl]'

/** `formulary export focus`: a month as FOCUS 1.4, its four files in a folder or one of them on standard output. */
export async function runExport(args: readonly string[], io: ExportIo): Promise<0 | 1 | 2> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      month: { type: 'string' },
      dataset: { type: 'string' },
      format: { type: 'string', default: 'csv' },
      tenant: { type: 'string' },
      license: { type: 'string' },
      out: { type: 'string' },
    },
  })
  const { tenant, license, out } = values
  const period = parseMonth(values.month ?? '')
  const format = focusFormats.find((one) => one === values.format)
  const dataset = focusDatasets.find((one) => one === values.dataset)
  if (positionals.join(' ') !== 'focus' || period === undefined || format === undefined) return reportMisuse(io, howTo)
  if (values.dataset !== undefined && dataset === undefined)
    return reportMisuse(io, `--dataset is one of ${focusDatasets.join(', ')}`)
  if ((dataset === undefined) === (out === undefined)) return reportMisuse(io, howTo)
  await untilUnfolded(io.database)
  const of = { period, format, tenant, license }
  return dataset === undefined ? writeAll(io, { ...of, out: out ?? '' }) : writeOne(io, { ...of, dataset })
}

interface Asked {
  readonly period: Period
  readonly format: FocusFormat
  readonly tenant: string | undefined
  readonly license: string | undefined
}

async function writeOne(io: ExportIo, asked: Asked & { dataset: FocusDataset }): Promise<0 | 1 | 2> {
  if (io.json) return reportMisuse(io, 'an export is CSV or lines of JSON: --format jsonl')
  const told = await systemTransaction(io.database, 'bill', (tx) =>
    // The line feed at the end of each portion is written by `out`.
    exportFocus(tx, { ...asked, now: io.now }, (text) => {
      if (text !== '') io.out(text.slice(0, -1))
    }),
  )
  return told.ok ? 0 : reportRefusal(io, told.error.reason, inWords(told.error))
}

async function writeAll(io: ExportIo, asked: Asked & { out: string }): Promise<0 | 1> {
  await mkdir(asked.out, { recursive: true })
  const files: { dataset: FocusDataset; path: string; rows: number }[] = []
  for (const dataset of focusDatasets) {
    const path = join(asked.out, `${dataset}-${monthName(asked.period)}.${asked.format}`)
    const file = await open(path, 'w')
    try {
      const told = await systemTransaction(io.database, 'bill', (tx) =>
        exportFocus(tx, { ...asked, dataset, now: io.now }, async (text) => void (await file.write(text))),
      )
      if (!told.ok) return reportRefusal(io, told.error.reason, inWords(told.error))
      files.push({ dataset, path, rows: told.value.rows })
    } finally {
      await file.close()
    }
  }
  if (io.json) io.out(JSON.stringify(files))
  else for (const { path, rows } of files) io.out(`${path}: ${rows} rows`)
  return 0
}

function inWords(refusal: FocusRefusal): string {
  switch (refusal.reason) {
    case 'nothing_licensed':
      return 'there is no such tenant or license, or it has none'
    case 'usage_differs':
      return `${monthName(refusal.period)} of ${refusal.license}: the calls of line ${refusal.line} are not what was frozen; formulary period verify says more`
    case 'currencies_differ':
      return `${monthName(refusal.period)} of ${refusal.license} is priced in ${refusal.currencies.join(' and ')}, and can be told in one currency only`
    default:
      return assertNever(refusal, 'inWords')
  }
}
