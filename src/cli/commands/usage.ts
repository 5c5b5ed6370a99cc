import { parseArgs } from 'node:util'
import { formatAmount, instant, plusMs, type Instant } from '../../kernel/index.ts'
import { systemTransaction, type Database } from '../../db/index.ts'
import { exportUsage, parseMonth } from '../../billing/index.ts'
import { isTenant } from '../../identity/index.ts'
import { reportUsage, untilUnfolded, type UsageTotal } from '../../metering/index.ts'
import { readInstant } from '../read-values.ts'
import { reportMisuse, reportRefusal, type Io } from '../report.ts'

export interface UsageIo extends Io {
  readonly now: Instant
  readonly database: Database
}

/** `formulary usage report|export`. */
export async function runUsage(args: readonly string[], io: UsageIo): Promise<0 | 1 | 2> {
  return args[0] === 'export' ? runExport(args.slice(1), io) : runReport(args, io)
}

/** The rows of a month that an invoice counts, on standard output, in the form that their hash is of. */
async function runExport(args: readonly string[], io: UsageIo): Promise<0 | 1 | 2> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { month: { type: 'string' }, late: { type: 'boolean', default: false } },
  })
  const [license, ...more] = positionals
  const period = parseMonth(values.month ?? '')
  if (license === undefined || more.length > 0 || period === undefined)
    return reportMisuse(io, 'formulary usage export <license> --month 2026-10 [--late]')
  if (io.json)
    return reportMisuse(io, 'an export is CSV, so that its SHA-256 is the one that the month was frozen under')
  await untilUnfolded(io.database)
  const isThere = await systemTransaction(io.database, 'bill', (tx) =>
    // The line feed at the end of each portion is written by `out`.
    exportUsage(tx, { license, period, which: values.late ? 'late' : 'own' }, (text) => {
      if (text !== '') io.out(text.slice(0, -1))
    }),
  )
  return isThere ? 0 : reportRefusal(io, 'license_not_found', `there is no license ${license}`)
}

/** `formulary usage report`: what was used and what it costs, by tenant, application, model and version. */
async function runReport(args: readonly string[], io: UsageIo): Promise<0 | 1 | 2> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { tenant: { type: 'string' }, from: { type: 'string' }, to: { type: 'string' } },
  })
  if (positionals.join(' ') !== 'report')
    return reportMisuse(io, 'what about usage? formulary usage report [--tenant name] [--from day] [--to day]')
  const date = new Date(io.now)
  const from = values.from === undefined ? monthStart(date) : readInstant(values.from)
  const to = values.to === undefined ? plusMs(io.now, 1) : readInstant(values.to)
  if (from === undefined || to === undefined)
    return reportMisuse(io, '--from and --to are days or times with their zone, such as 2026-11-01')
  if (from >= to) return reportMisuse(io, '--from must come before --to, which is not part of the report')
  const { tenant } = values
  const period = { from, to, tenant }
  await untilUnfolded(io.database)
  const totals = await systemTransaction(io.database, 'administer', async (tx) =>
    tenant !== undefined && !(await isTenant(tx, tenant)) ? undefined : reportUsage(tx, period),
  )
  if (totals === undefined) return reportRefusal(io, 'tenant_not_found', `there is no tenant ${tenant}`)
  if (io.json) io.out(JSON.stringify(totals.map(shown)))
  else if (totals.length === 0) io.out('Nothing was used in this time.')
  else {
    io.out(line(['tenant', 'application', 'model', 'calls', 'input', 'output', 'inferences', 'charge']))
    for (const total of totals) io.out(line(cellsOf(total)))
  }
  return 0
}

const monthStart = (date: Date): Instant => instant(Date.UTC(date.getUTCFullYear(), date.getUTCMonth()))

const shown = (total: UsageTotal) => ({
  ...total,
  calls: String(total.calls),
  inputTokens: String(total.inputTokens),
  outputTokens: String(total.outputTokens),
  inferences: String(total.inferences),
  charge: formatAmount(total.charge),
})

const cellsOf = (total: UsageTotal): readonly string[] => [
  total.tenant,
  total.application,
  `${total.model}@${total.version}`,
  String(total.calls),
  String(total.inputTokens),
  String(total.outputTokens),
  String(total.inferences),
  `${formatAmount(total.charge)} ${total.currency}`,
]

const widths = [22, 20, 28, 8, 12, 12, 10, 20]
const line = (cells: readonly string[]): string =>
  cells
    .map((cell, column) => (column < 3 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
    .join(' ')
