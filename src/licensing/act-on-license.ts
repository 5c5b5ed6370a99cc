import { err, ok, type Instant, type Result } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import { licenseState, revisionAt, type LicenseActName, type LicenseState } from './license.ts'
import { appendLicenseAct, findLicenseRow, loadLicenses } from './store.ts'

export type ActRefusal =
  | { reason: 'license_not_found'; license: string }
  | { reason: 'act_changes_nothing'; license: string; state: LicenseState['state'] }
  | { reason: 'license_revoked_for_good'; license: string }
  | { reason: 'until_is_past' }

/** Suspends, resumes or revokes a license from now on. The fact is appended; the state follows from it everywhere. */
export async function actOnLicense(
  tx: Tx,
  wish: {
    license: string
    act: LicenseActName
    reason: string
    until: Instant | undefined
    by: string
    now: Instant
  },
): Promise<Result<{ tenant: string; state: LicenseState }, ActRefusal>> {
  const { license, act, now } = wish
  if (wish.until !== undefined && wish.until <= now) return err({ reason: 'until_is_past' })
  const row = await findLicenseRow(tx, license)
  if (row === undefined) return err({ reason: 'license_not_found', license })
  const before = await stateNow(tx, row.tenantId, license, now)
  if (before?.state === 'revoked') return err({ reason: 'license_revoked_for_good', license })
  if (act === 'resume' && before?.state !== 'suspended')
    return err({ reason: 'act_changes_nothing', license, state: before?.state ?? 'not_started' })
  await appendLicenseAct(tx, {
    tenantId: row.tenantId,
    license,
    act,
    reason: wish.reason,
    until: wish.until,
    effectiveAt: now,
    recordedBy: wish.by,
  })
  const after = await stateNow(tx, row.tenantId, license, now)
  return after === undefined ? err({ reason: 'license_not_found', license }) : ok({ tenant: row.tenant, state: after })
}

async function stateNow(tx: Tx, tenantId: string, license: string, now: Instant): Promise<LicenseState | undefined> {
  const facts = (await loadLicenses(tx, [tenantId])).find((candidate) => candidate.license === license)
  const revision = facts === undefined ? undefined : (revisionAt(facts, now) ?? facts.revisions[0])
  return facts === undefined || revision === undefined ? undefined : licenseState(facts, revision, now)
}
