import { createReadStream, existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { assertNever, type Instant } from '../../kernel/index.ts'
import type { Database } from '../../db/index.ts'
import { importHostUsage, monthName, parseMonth, type ImportRefusal } from '../../billing/index.ts'
import { nodeSha256 } from '../../platform/node/ports.ts'
import { operator } from '../operator.ts'
import { reportMisuse, reportRefusal, type Io } from '../report.ts'

export interface HostUsageIo extends Io {
  readonly now: Instant
  readonly database: Database
}

/** `formulary host-usage import <file>`: what a model host says that a deployment served in a month. */
export async function runHostUsage(args: readonly string[], io: HostUsageIo): Promise<0 | 1 | 2> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      deployment: { type: 'string' },
      month: { type: 'string' },
      format: { type: 'string' },
      by: { type: 'string' },
    },
  })
  const [verb, path, ...more] = positionals
  const { deployment } = values
  const period = parseMonth(values.month ?? '')
  if (verb !== 'import' || path === undefined || more.length > 0 || deployment === undefined || period === undefined)
    return reportMisuse(io, 'formulary host-usage import report.csv --deployment east --month 2026-10')
  const format = values.format ?? (/\.(?:json|jsonl|ndjson)$/.test(path) ? 'json' : 'csv')
  if (format !== 'csv' && format !== 'json') return reportMisuse(io, '--format is csv or json')
  if (!existsSync(path)) return reportRefusal(io, 'file_not_found', `there is no file ${path}`)
  const imported = await importHostUsage(
    { database: io.database, startSha256: nodeSha256 },
    {
      deployment,
      period,
      format,
      open: () => createReadStream(path, { encoding: 'utf8' }) as AsyncIterable<string>,
      actor: values.by === undefined ? operator() : { ...operator(), name: values.by },
      now: io.now,
    },
  )
  if (!imported.ok) return reportRefusal(io, imported.error.reason, inWords(imported.error))
  const { lines, sha256, reportId } = imported.value
  const month = monthName(period)
  if (io.json) io.out(JSON.stringify({ deployment, month, lines, sha256, report: reportId ?? null }))
  else if (reportId === undefined) io.out(`This report of ${deployment} for ${month} stands already; nothing was done.`)
  else io.out(`${lines} calls of ${deployment} in ${month} are imported. SHA-256 of the report: ${sha256}`)
  return 0
}

function inWords(refusal: ImportRefusal): string {
  switch (refusal.reason) {
    case 'deployment_not_found':
      return `there is no deployment ${refusal.deployment}; there are ${refusal.known.join(', ')}`
    case 'report_unreadable': {
      const { problems, problemsInAll } = refusal
      const named = problems.map(({ line, found, instead }) => `line ${line}: ${found}: ${instead}`)
      const others = problemsInAll - problems.length
      return [`nothing was imported`, ...named, ...(others > 0 ? [`and ${others} more lines`] : [])].join('\n  ')
    }
    case 'report_changed_meanwhile':
      return 'the file changed while it was read; nothing was imported'
    default:
      return assertNever(refusal, 'inWords')
  }
}
