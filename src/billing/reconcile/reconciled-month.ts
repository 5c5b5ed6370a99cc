import type { Tx } from '../../db/index.ts'
import type { Reconciled } from '../checklist.ts'
import type { Month } from '../month.ts'
import { loadReconciledFacts } from '../store-reconciliation.ts'

/**
 * What the reconciliation says of a month that is to be closed. It is set up by the first report of a host that is imported:
 * from that month on a month waits for a report of every deployment that served the license, a run that has read them all,
 * and no open difference of the license, of its tenant, or of nobody knows whom.
 */
export async function reconciledMonth(tx: Tx, of: Month): Promise<Reconciled> {
  const { isSetUp, hasRun, newReports, open, unreported } = await loadReconciledFacts(tx, of)
  if (!isSetUp) return 'not_set_up'
  const missing = unreported.map((deployment) => `no report of ${deployment}`)
  if (!hasRun) return { open, missing: [...missing, 'no run yet'] }
  return { open, missing: newReports === 0 ? missing : [...missing, 'a report that came after the last run'] }
}
