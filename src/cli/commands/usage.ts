import { parseArgs } from 'node:util'
import { formatAmount, instant, type Instant } from '../../kernel/index.ts'
import { systemTransaction, type Database } from '../../db/index.ts'
import { reportUsage, type UsageTotal } from '../../metering/index.ts'

export interface UsageIo {
  out(line: string): void
  err(line: string): void
  readonly json: boolean
  readonly now: Instant
  readonly database: Database
}

/** `formulary usage report`: what was used and what it costs, by tenant, application, model and version. */
export async function runUsage(args: readonly string[], io: UsageIo): Promise<0 | 2> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { tenant: { type: 'string' }, from: { type: 'string' }, to: { type: 'string' } },
  })
  const date = new Date(io.now)
  const from = values.from === undefined ? Date.UTC(date.getUTCFullYear(), date.getUTCMonth()) : Date.parse(values.from)
  const to = values.to === undefined ? io.now + 1 : Date.parse(values.to)
  if (positionals.length !== 1 || positionals[0] !== 'report' || Number.isNaN(from) || Number.isNaN(to)) {
    io.err('usage: formulary usage report [--tenant name] [--from 2026-11-01] [--to 2026-12-01]')
    return 2
  }
  const period = { from: instant(from), to: instant(to), tenant: values.tenant }
  const totals = await systemTransaction(io.database, 'administer', (tx) => reportUsage(tx, period))
  if (io.json) io.out(JSON.stringify(totals.map(shown)))
  else if (totals.length === 0) io.out('Nothing was used in this time.')
  else {
    io.out(line(['tenant', 'application', 'model', 'calls', 'input', 'output', 'charge']))
    for (const total of totals) io.out(line(cellsOf(total)))
  }
  return 0
}

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
  `${formatAmount(total.charge)} ${total.currency}`,
]

const widths = [22, 20, 28, 8, 12, 12, 16]
const line = (cells: readonly string[]): string =>
  cells.map((cell, column) => (column < 3 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join(' ')
