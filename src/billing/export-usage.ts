import type { Tx } from '../db/index.ts'
import { findLicenseRow } from '../licensing/index.ts'
import type { Period } from './month.ts'
import { readFrozen } from './store-read-frozen.ts'
import { usageHeader, usageLine } from './usage-export.ts'

/**
 * Writes the rows that a month's closing counts, in the form that its hash is of; of a month that is open, those that are
 * there now. `late`: those of earlier months that it counts as corrections. False when there is no such license.
 */
export async function exportUsage(
  tx: Tx,
  of: { license: string; period: Period; which: 'own' | 'late' },
  write: (text: string) => void | Promise<void>,
): Promise<boolean> {
  const row = await findLicenseRow(tx, of.license)
  if (row === undefined) return false
  await write(usageHeader)
  for await (const page of readFrozen(tx, { ...of, tenantId: row.tenantId })) await write(page.map(usageLine).join(''))
  return true
}
