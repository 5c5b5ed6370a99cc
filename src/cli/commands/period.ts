import { parseArgs } from 'node:util'
import { z } from 'zod'
import { isoOf, ok, type Instant } from '../../kernel/index.ts'
import { systemTransaction, type Database } from '../../db/index.ts'
import {
  CheckItem,
  checklistOf,
  closePeriod,
  invoiceForms,
  listPeriods,
  monthName,
  parseMonth,
  previewInvoice,
  readDocument,
  reopenPeriod,
  showPeriod,
  verifyPeriod,
  type ListedPeriod,
  writeInvoice,
  type Period,
} from '../../billing/index.ts'
import { loadOwnerName } from '../../licensing/index.ts'
import { untilUnfolded } from '../../metering/index.ts'
import { nodeSha256 } from '../../platform/node/ports.ts'
import { operator } from '../operator.ts'
import { linesInColumns } from './invoice-lines.ts'
import { reportMisuse, reportRefusal, type Io } from '../report.ts'
import { runEvidence } from './evidence.ts'
import { periodInWords } from './period-words.ts'

export interface PeriodIo extends Io {
  readonly now: Instant
  readonly database: Database
}

const readOptions = (args: readonly string[]) =>
  parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      month: { type: 'string' },
      explain: { type: 'string', multiple: true },
      reason: { type: 'string' },
      by: { type: 'string' },
      'approved-by': { type: 'string' },
      format: { type: 'string', default: 'text' },
    },
  })
type Options = ReturnType<typeof readOptions>['values']

const verbs = ['list', 'show', 'preview', 'close', 'verify', 'reopen'] as const
const Verb = z.enum(verbs)

/** `formulary period list|show|preview|close|verify|reopen|evidence <license>`: a license's months, from open to closed. */
export async function runPeriod(args: readonly string[], io: PeriodIo): Promise<0 | 1 | 2> {
  if (args[0] === 'evidence') return runEvidence(args.slice(1), io)
  const { values, positionals } = readOptions(args)
  const [word, license, ...more] = positionals
  if (more.length > 0) return reportMisuse(io, `\`period ${word}\` does not take \`${more[0]}\``)
  const { data: verb } = Verb.safeParse(word)
  if (verb === undefined)
    return reportMisuse(io, `what about periods? formulary period ${verbs.join('|')}|evidence <license>`)
  if (license === undefined) return reportMisuse(io, `of which license? formulary period ${verb} <license>`)
  if (verb === 'list') return showPeriods(io, license)
  const period = parseMonth(values.month ?? '')
  if (period === undefined) return reportMisuse(io, `which month? formulary period ${verb} ${license} --month 2026-10`)
  if (verb === 'verify') return verify(io, license, period)
  if (verb === 'show') return showMonth(io, license, period)
  if (verb === 'preview') return preview(io, { license, period, values })
  return verb === 'close' ? close(io, { license, period, values }) : reopen(io, { license, period, values })
}

const Form = z.enum(['text', ...invoiceForms])

const person = (name: string | undefined) => (name === undefined ? undefined : { ...operator(), name })

async function showPeriods(io: PeriodIo, license: string): Promise<0 | 1> {
  const periods = await systemTransaction(io.database, 'bill', (tx) => listPeriods(tx, { license, now: io.now }))
  if (periods === undefined) return reportRefusal(io, 'license_not_found', `there is no license ${license}`)
  if (io.json) io.out(JSON.stringify(periods.map(shown)))
  else
    for (const { month, state, rows, invoice } of periods.map(shown))
      io.out([month, state, rows, invoice].join('  ').trimEnd())
  return 0
}

const shown = ({ period, state, standing }: ListedPeriod) => ({
  month: monthName(period),
  state,
  rows: standing === undefined ? '' : String(standing.rows),
  lateRows: standing === undefined ? '' : String(standing.lateRows),
  usageSha256: standing?.usageSha256 ?? '',
  closedAt: standing === undefined ? '' : isoOf(standing.closedAt),
  closedBy: standing?.closedBy ?? '',
  invoice: standing?.invoice ?? '',
})

/** A month, and what speaks against closing it. */
async function showMonth(io: PeriodIo, license: string, period: Period): Promise<0 | 1> {
  await untilUnfolded(io.database)
  const found = await systemTransaction(io.database, 'bill', async (tx) => {
    const shownPeriod = await showPeriod(tx, { license, period })
    if (!shownPeriod.ok) return shownPeriod
    const { value } = shownPeriod
    return ok({ ...value, checklist: await checklistOf(tx, { shown: value, now: io.now }) })
  })
  if (!found.ok) return reportRefusal(io, found.error.reason, periodInWords(found.error))
  const { tenant, state, standing, checklist } = found.value
  if (io.json) {
    io.out(JSON.stringify({ license, tenant, ...shown({ period, state, standing }), checklist }))
    return 0
  }
  io.out(
    `${monthName(period)} of ${license} (${tenant}) is ${state}${standing === undefined ? '' : `: ${standing.invoice ?? 'nothing to invoice'}`}.`,
  )
  for (const { item, state: how, found: what, reason } of checklist)
    io.out(`  ${how.padEnd(9)}  ${item.padEnd(18)}  ${what}${reason === undefined ? '' : ` (${reason})`}`)
  return 0
}

/** What an open month would be invoiced at, if nothing were used after now. */
async function preview(io: PeriodIo, { license, period, values }: Asked): Promise<0 | 1 | 2> {
  const { data: form } = Form.safeParse(io.json ? 'json' : values.format)
  if (form === undefined) return reportMisuse(io, `--format is one of ${Form.options.join(', ')}`)
  await untilUnfolded(io.database)
  const previewed = await systemTransaction(io.database, 'bill', async (tx) =>
    previewInvoice(tx, { license, period, now: io.now, seller: await loadOwnerName(tx) }),
  )
  if (!previewed.ok) return reportRefusal(io, previewed.error.reason, periodInWords(previewed.error))
  const { text, earlierOpen } = previewed.value
  if (form !== 'text') {
    io.out((await writeInvoice(text, form)).text.trimEnd())
    return 0
  }
  const document = readDocument(text)
  io.out(`Preview of ${monthName(period)} for ${document.buyer.name}; this is no invoice.`)
  for (const line of linesInColumns(document)) io.out(line)
  if (earlierOpen.length > 0)
    io.out(`Open before it: ${earlierOpen.join(', ')}; what they leave of credit and corrections is not known yet.`)
  return 0
}

interface Asked {
  readonly license: string
  readonly period: Period
  readonly values: Options
}

async function close(io: PeriodIo, { license, period, values }: Asked): Promise<0 | 1 | 2> {
  const reasons = new Map<CheckItem, string>()
  for (const text of values.explain ?? []) {
    const [name, ...words] = text.split('=')
    const item = CheckItem.safeParse(name)
    const reason = words.join('=').trim()
    if (!item.success || reason === '')
      return reportMisuse(
        io,
        `--explain takes an item and why, such as calls-known="…": ${CheckItem.options.join(', ')}`,
      )
    reasons.set(item.data, reason)
  }
  const wish = { license, period, reasons, actor: person(values.by) ?? operator(), now: io.now }
  const closed = await closePeriod({ database: io.database, startSha256: nodeSha256 }, wish)
  if (!closed.ok) return reportRefusal(io, closed.error.reason, periodInWords(closed.error))
  const { tenant, rows, lateRows, usageSha256, invoice, checklist } = closed.value
  const facts = {
    license,
    tenant,
    month: monthName(period),
    rows: String(rows),
    lateRows: String(lateRows),
    usageSha256,
  }
  if (io.json) io.out(JSON.stringify({ ...facts, invoice: invoice ?? null, checklist }))
  else {
    io.out(
      `${facts.month} of ${license} (${tenant}) is closed: ${rows} rows, ${lateRows} late ones, ${invoice ?? 'nothing to invoice'}.`,
    )
    io.out(`SHA-256 of its usage export: ${usageSha256}`)
  }
  return 0
}

async function verify(io: PeriodIo, license: string, period: Period): Promise<0 | 1> {
  const verified = await verifyPeriod({ database: io.database, startSha256: nodeSha256 }, { license, period })
  if (!verified.ok) return reportRefusal(io, verified.error.reason, periodInWords(verified.error))
  const { rows, usageSha256, invoice, differences } = verified.value
  if (differences.length > 0) return reportRefusal(io, 'period_altered', differences.join('; '))
  const facts = { license, month: monthName(period), rows: String(rows), usageSha256, invoice: invoice ?? null }
  if (io.json) io.out(JSON.stringify(facts))
  else io.out(`${facts.month} of ${license} is what was frozen: ${rows} rows, ${invoice ?? 'no invoice'}.`)
  return 0
}

async function reopen(io: PeriodIo, { license, period, values }: Asked): Promise<0 | 1 | 2> {
  const reopened = await systemTransaction(io.database, 'bill', (tx) =>
    reopenPeriod(tx, {
      license,
      period,
      reason: values.reason ?? '',
      actor: person(values.by) ?? operator(),
      approvedBy: person(values['approved-by']),
      now: io.now,
    }),
  )
  if (!reopened.ok) return reportRefusal(io, reopened.error.reason, periodInWords(reopened.error))
  const { tenant, creditNote } = reopened.value
  if (io.json) io.out(JSON.stringify({ license, tenant, month: monthName(period), creditNote: creditNote ?? null }))
  else
    io.out(
      `${monthName(period)} of ${license} (${tenant}) is open again${creditNote === undefined ? '' : `; ${creditNote} takes its invoice back`}.`,
    )
  return 0
}
