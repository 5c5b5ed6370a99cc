import { err, isoOf, ok, type Instant, type Result } from '../kernel/index.ts'
import { appendAuditEntry } from '../audit/index.ts'
import type { Tx } from '../db/index.ts'
import { agentOf, areApart, findMakers, type Actor } from '../identity/index.ts'
import {
  licenseState,
  revisionAt,
  type AttestationKind,
  type LicenseActName,
  type LicenseFacts,
  type LicenseState,
} from './license.ts'
import { appendAttestation, appendLicenseAct, findLicenseRow, loadLicenses, lockLicensesOf } from './store.ts'

export type ActRefusal =
  | { reason: 'license_not_found'; license: string }
  | { reason: 'act_changes_nothing'; license: string; act: DirectAct; state: LicenseState['state'] }
  | { reason: 'license_over'; license: string; state: LicenseState['state'] }
  | { reason: 'drafter_cannot_activate'; license: string; drafter: string }
  | { reason: 'until_is_past' }

/** Acts that need nothing but a reason. A "no" never waits for a second person; activating a draft is being the second. */
export type DirectAct = Extract<LicenseActName, 'activate' | 'suspend' | 'resume' | 'revoke' | 'terminate'>

export interface Acted {
  readonly tenant: string
  readonly state: LicenseState
}

/** Does something to a license from now on. The fact is appended; the state follows from it everywhere. */
export async function actOnLicense(
  tx: Tx,
  wish: {
    license: string
    act: DirectAct
    reason: string
    until: Instant | undefined
    actor: Actor
    now: Instant
  },
): Promise<Result<Acted, ActRefusal>> {
  const { license, act, actor, now } = wish
  if (wish.until !== undefined && wish.until <= now) return err({ reason: 'until_is_past' })
  const row = await findLicenseRow(tx, license)
  if (row === undefined) return err({ reason: 'license_not_found', license })
  await lockLicensesOf(tx, row.tenantId)
  const before = await factsOf(tx, row.tenantId, license)
  const refusal = before === undefined ? undefined : await refuseAct(tx, before, wish)
  if (refusal !== undefined) return err(refusal)
  await appendLicenseAct(tx, {
    tenantId: row.tenantId,
    license,
    act,
    reason: wish.reason,
    until: wish.until,
    toLicense: undefined,
    effectiveAt: now,
    recordedAt: now,
    recordedBy: actor.name,
    approvedBy: undefined,
  })
  await appendAuditEntry(tx, {
    tenantId: row.tenantId,
    at: now,
    action: `license.${act}`,
    agent: agentOf(actor),
    entity: { type: 'license', id: license },
    outcome: 'done',
    reason: wish.reason,
    facts: wish.until === undefined ? {} : { until: isoOf(wish.until) },
  })
  const after = await factsOf(tx, row.tenantId, license)
  const state = after === undefined ? undefined : stateNow(after, now)
  return state === undefined ? err({ reason: 'license_not_found', license }) : ok({ tenant: row.tenant, state })
}

async function refuseAct(
  tx: Tx,
  facts: LicenseFacts,
  { license, act, actor, now }: { license: string; act: DirectAct; actor: Actor; now: Instant },
): Promise<ActRefusal | undefined> {
  const state = stateNow(facts, now)?.state ?? 'not_started'
  if (state === 'revoked' || state === 'transferred' || (state === 'terminated' && act !== 'revoke'))
    return { reason: 'license_over', license, state }
  if (act === 'resume' && state !== 'suspended') return { reason: 'act_changes_nothing', license, act, state }
  if (act !== 'activate') return undefined
  if (state !== 'draft') return { reason: 'act_changes_nothing', license, act, state }
  // Whoever last wrote what it grants is the first of the two.
  const drafter = facts.revisions.at(-1)?.recordedBy ?? ''
  return areApart({ name: drafter, makers: await findMakers(tx, drafter) }, actor)
    ? undefined
    : { reason: 'drafter_cannot_activate', license, drafter }
}

/** Records that a tenant has attested something, until when it holds, and who took it down. */
export async function attest(
  tx: Tx,
  wish: {
    license: string
    kind: AttestationKind
    attestedAt: Instant
    validUntil: Instant | undefined
    actor: Actor
    now: Instant
  },
): Promise<Result<Acted, ActRefusal>> {
  const { license, kind, attestedAt, validUntil, actor, now } = wish
  if (validUntil !== undefined && validUntil <= attestedAt) return err({ reason: 'until_is_past' })
  const row = await findLicenseRow(tx, license)
  if (row === undefined) return err({ reason: 'license_not_found', license })
  const { tenantId, tenant } = row
  await appendAttestation(tx, {
    tenantId,
    license,
    kind,
    attestedAt,
    validUntil,
    recordedAt: now,
    recordedBy: actor.name,
  })
  await appendAuditEntry(tx, {
    tenantId,
    at: now,
    action: 'license.attest',
    agent: agentOf(actor),
    entity: { type: 'license', id: license },
    outcome: 'done',
    reason: undefined,
    facts: {
      kind,
      attestedAt: isoOf(attestedAt),
      ...(validUntil === undefined ? {} : { validUntil: isoOf(validUntil) }),
    },
  })
  const facts = await factsOf(tx, tenantId, license)
  const state = facts === undefined ? undefined : stateNow(facts, now)
  return state === undefined ? err({ reason: 'license_not_found', license }) : ok({ tenant, state })
}

const factsOf = async (tx: Tx, tenantId: string, license: string): Promise<LicenseFacts | undefined> =>
  (await loadLicenses(tx, [tenantId])).find((candidate) => candidate.license === license)

function stateNow(facts: LicenseFacts, now: Instant): LicenseState | undefined {
  const revision = revisionAt(facts, now) ?? facts.revisions[0]
  return revision === undefined ? undefined : licenseState(facts, revision, now)
}
