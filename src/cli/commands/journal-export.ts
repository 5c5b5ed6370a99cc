import { parseArgs } from 'node:util'
import { formatAmount } from '../../kernel/index.ts'
import { exportJournal, parseMonth } from '../../billing/index.ts'
import { systemTransaction, type Database } from '../../db/index.ts'
import { reportMisuse, reportRefusal, type Io } from '../report.ts'

/** `formulary journal export --period 2026-10`: double entries as CSV; what they sum to is told on stderr. */
export async function runJournalExport(
  args: readonly string[],
  io: Io & { readonly database: Database },
): Promise<0 | 1 | 2> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { period: { type: 'string' }, tenant: { type: 'string' }, license: { type: 'string' } },
  })
  const { tenant, license } = values
  const period = parseMonth(values.period ?? '')
  if (positionals.length > 0 || period === undefined)
    return reportMisuse(io, 'formulary journal export --period 2026-10 [--tenant name] [--license license]')
  if (io.json) return reportMisuse(io, 'a journal is CSV')
  const { entries, postings, sums } = await systemTransaction(io.database, 'bill', (tx) =>
    // The line feed at the end of each portion is written by `out`.
    exportJournal(tx, { period, tenant, license }, (text) => {
      if (text !== '') io.out(text.slice(0, -1))
    }),
  )
  const told = [...sums].map(([currency, sum]) => `${currency} sums to ${formatAmount(sum)}`)
  if ([...sums.values()].some((sum) => sum !== 0n))
    return reportRefusal(io, 'journal_unbalanced', `the journal is broken: ${told.join(', ')}`)
  io.err(`${entries} entries, ${postings} postings${told.length === 0 ? '' : `: ${told.join(', ')}`}`)
  return 0
}
