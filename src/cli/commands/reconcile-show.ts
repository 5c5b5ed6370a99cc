import { systemTransaction, type Database, type Tx } from '../../db/index.ts'
import {
  classWords,
  countExceptions,
  exceptionsOnPageMax,
  loadExceptions,
  loadReconciliations,
  monthName,
  reconciliationCsv,
  reconciliationCsvHeader,
  reconciliationPage,
  type Period,
} from '../../billing/index.ts'
import { isoOf } from '../../kernel/index.ts'
import { reportMisuse, reportRefusal, type Io } from '../report.ts'

const formats = ['text', 'json', 'csv', 'html']

/** `formulary reconcile show --month 2026-10`: what agrees in the month, and what does not, by the last run. */
export async function showReconciliation(
  io: Io & { readonly database: Database },
  { period, format }: { period: Period; format: string },
): Promise<0 | 1 | 2> {
  if (!formats.includes(format)) return reportMisuse(io, `--format is one of ${formats.join(', ')}`)
  const month = monthName(period)
  return systemTransaction(io.database, 'bill', async (tx) => {
    const [run] = await loadReconciliations(tx, period)
    if (run === undefined)
      return reportRefusal(
        io,
        'not_reconciled',
        `${month} was never reconciled: formulary reconcile run --month ${month}`,
      )
    if (format === 'csv') return writeCsv(tx, io, period)
    const counts = await countExceptions(tx, period)
    if (io.json || format === 'json')
      io.out(JSON.stringify({ month, run: run.runId, at: isoOf(run.runAt), by: run.runBy, ...run.figures, counts }))
    else if (format === 'html') {
      const open = await loadExceptions(tx, { period, state: 'open', limit: exceptionsOnPageMax })
      io.out(await reconciliationPage({ run, counts, open }))
    } else {
      const { ours, theirs, agreed } = run.figures.calls
      io.out(`${month}, looked at ${isoOf(run.runAt)} by ${run.runBy}`)
      io.out(`${ours.calls} calls here, ${theirs.lines} lines of hosts, ${agreed.calls} agree.`)
      for (const { class: name, state, count } of counts)
        io.out(`${String(count).padStart(8)}  ${state.padEnd(9)}  ${name.padEnd(19)}  ${classWords[name]}`)
      if (counts.length === 0) io.out('No difference was ever found.')
    }
    return 0
  })
}

const rowsPerPage = 1000

async function writeCsv(tx: Tx, io: Io, period: Period): Promise<0> {
  // The line feed at the end of each portion is written by `out`.
  io.out(reconciliationCsvHeader.slice(0, -1))
  let after: string | undefined
  for (;;) {
    const page = await loadExceptions(tx, { period, after, limit: rowsPerPage })
    if (page.length > 0) io.out(reconciliationCsv(page).slice(0, -1))
    if (page.length < rowsPerPage) return 0
    after = page.at(-1)?.exceptionId
  }
}
