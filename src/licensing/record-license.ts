import { err, isoOf, ok, type Instant, type Result } from '../kernel/index.ts'
import { appendAuditEntries, appendAuditEntry, type AuditEntry } from '../audit/index.ts'
import type { Tx } from '../db/index.ts'
import { agentOf, findTenantId } from '../identity/index.ts'
import { judgeRevision, type Deciders, type RevisionRefusal } from './judge-revision.ts'
import { licenseState, revisionAt, type LicenseFacts, type LicenseRevision, type LicenseState } from './license.ts'
import type { LicenseGrant } from './license-document.ts'
import {
  appendLicenseAct,
  appendRevisions,
  findLicenseRow,
  loadLicenses,
  lockLicensesOf,
  type NewRevision,
} from './store.ts'
import { widens } from './widens.ts'

export type RecordRefusal =
  | RevisionRefusal
  | { reason: 'tenant_not_found'; tenant: string }
  | { reason: 'license_not_found'; license: string }
  | { reason: 'license_taken'; license: string; tenant: string }
  | { reason: 'license_over'; license: string; state: string }
  | { reason: 'nothing_changes'; license: string }
  | { reason: 'facilities_to_name'; license: string; facilities: readonly string[] }

export interface RecordedRevision {
  readonly license: string
  readonly tenant: string
  readonly revision: number
  readonly effectiveAt: Instant
  readonly widens: readonly string[]
}

export interface RevisionToRecord extends NewRevision {
  readonly before: LicenseGrant | undefined
}

/**
 * Records revisions, all or none: each has passed the one rule of `judgeRevision`, and each has its audit entry in the
 * same transaction.
 */
export async function recordRevisions(
  tx: Tx,
  revisions: readonly RevisionToRecord[],
  by: Deciders & { isDraft: boolean },
): Promise<Result<void, readonly RevisionRefusal[]>> {
  const refusals = revisions.flatMap((one) => judgeRevision({ ...one, after: one.grant }, by))
  if (refusals.length > 0) return err(refusals)
  await appendRevisions(tx, revisions, {
    recordedBy: by.actor.name,
    approvedBy: by.approvedBy?.name,
    now: by.now,
  })
  await appendAuditEntries(
    tx,
    revisions.map((one) => entryOf(one, by)),
  )
  return ok(undefined)
}

const entryOf = (one: RevisionToRecord, by: Deciders & { isDraft: boolean }): AuditEntry => ({
  tenantId: one.tenantId,
  at: by.now,
  action: one.before === undefined ? (by.isDraft ? 'license.draft' : 'license.grant') : 'license.amend',
  agent: agentOf(by.actor),
  approvedBy: by.approvedBy === undefined ? undefined : agentOf(by.approvedBy),
  entity: { type: 'license', id: one.grant.license, revision: String(one.revision) },
  outcome: 'done',
  reason: undefined,
  facts: {
    effectiveAt: isoOf(one.effectiveAt),
    termEnd: isoOf(one.grant.termEnd),
    widens: widens(one.before, one.grant),
    isCorrection: one.isCorrection,
  },
})

/** A new license of a tenant, granted at once or as a draft that a second person activates. */
export async function grantLicense(
  tx: Tx,
  wish: { tenant: string; grant: LicenseGrant; isDraft: boolean },
  by: Deciders,
): Promise<Result<RecordedRevision, readonly RecordRefusal[]>> {
  const { tenant, grant, isDraft } = wish
  const tenantId = await findTenantId(tx, tenant)
  if (tenantId === undefined) return err([{ reason: 'tenant_not_found', tenant }])
  await lockLicensesOf(tx, tenantId)
  const taken = await findLicenseRow(tx, grant.license)
  if (taken !== undefined) return err([{ reason: 'license_taken', license: grant.license, tenant: taken.tenant }])
  const first = { tenantId, grant, revision: 1, effectiveAt: by.now, isCorrection: false, before: undefined }
  const recorded = await recordRevisions(tx, [first], { ...by, isDraft })
  if (!recorded.ok) return recorded
  if (isDraft)
    await appendLicenseAct(tx, {
      tenantId,
      license: grant.license,
      act: 'draft',
      reason: 'drafted',
      until: undefined,
      toLicense: undefined,
      effectiveAt: by.now,
      recordedAt: by.now,
      recordedBy: by.actor.name,
      approvedBy: undefined,
    })
  return ok(told(first, tenant))
}

/**
 * A revision that says what the license grants from an instant on. What comes in as `change` gets the grant that was last
 * recorded.
 */
export async function amendLicense(
  tx: Tx,
  wish: {
    license: string
    change(grant: LicenseGrant): LicenseGrant
    effectiveAt: Instant
    isCorrection: boolean
  },
  by: Deciders,
): Promise<Result<RecordedRevision, readonly RecordRefusal[]>> {
  const held = await holdLicense(tx, wish.license, by.now)
  if (!held.ok) return held
  const { facts, last, tenant } = held.value
  const before = grantOf(facts, last)
  const after = wish.change(before)
  if (JSON.stringify(after) === JSON.stringify(before))
    return err([{ reason: 'nothing_changes', license: wish.license }])
  return append(tx, { facts, tenant, before, after, ...wish }, by)
}

/** A new term: it begins where the one before ends, or now if that is past, and grants what was granted last. */
export async function renewLicense(
  tx: Tx,
  wish: { license: string; end: Instant; plan: string | undefined },
  by: Deciders,
): Promise<Result<RecordedRevision, readonly RecordRefusal[]>> {
  const held = await holdLicense(tx, wish.license, by.now)
  if (!held.ok) return held
  const { facts, last, tenant } = held.value
  const before = grantOf(facts, last)
  const start = last.termEnd > by.now ? last.termEnd : by.now
  const after = { ...before, termStart: start, termEnd: wish.end, plan: wish.plan ?? before.plan }
  return append(tx, { facts, tenant, before, after, effectiveAt: start, isCorrection: false }, by)
}

/** The license ends at one tenant and goes on at another, under a number of its own. Both or neither. */
export async function transferLicense(
  tx: Tx,
  wish: { license: string; toTenant: string; toLicense: string; reason: string },
  by: Deciders,
): Promise<Result<RecordedRevision, readonly RecordRefusal[]>> {
  const held = await holdLicense(tx, wish.license, by.now)
  if (!held.ok) return held
  const { facts, tenant } = held.value
  const revision = revisionAt(facts, by.now) ?? held.value.last
  const grant = { ...grantOf(facts, revision), license: wish.toLicense }
  // Names of facilities are the old tenant's own.
  const facilities = [...new Set(grant.terms.entitlements.flatMap((right) => right.facilities ?? []))]
  if (facilities.length > 0) return err([{ reason: 'facilities_to_name', license: wish.license, facilities }])
  const granted = await grantLicense(tx, { tenant: wish.toTenant, grant, isDraft: false }, by)
  if (!granted.ok) return granted
  await appendLicenseAct(tx, {
    tenantId: facts.tenantId,
    license: wish.license,
    act: 'transfer',
    reason: wish.reason,
    until: undefined,
    toLicense: wish.toLicense,
    effectiveAt: by.now,
    recordedAt: by.now,
    recordedBy: by.actor.name,
    approvedBy: by.approvedBy?.name,
  })
  await appendAuditEntry(tx, {
    tenantId: facts.tenantId,
    at: by.now,
    action: 'license.transfer',
    agent: agentOf(by.actor),
    approvedBy: by.approvedBy === undefined ? undefined : agentOf(by.approvedBy),
    entity: { type: 'license', id: wish.license },
    outcome: 'done',
    reason: wish.reason,
    facts: { fromTenant: tenant, toTenant: wish.toTenant, toLicense: wish.toLicense },
  })
  return granted
}

interface Held {
  readonly facts: LicenseFacts
  readonly tenant: string
  /** The revision that was recorded last, in force or still to come. */
  readonly last: LicenseRevision
}

/** The license with its facts, held until the transaction ends. What is over for good is not amended. */
async function holdLicense(tx: Tx, license: string, now: Instant): Promise<Result<Held, readonly RecordRefusal[]>> {
  const row = await findLicenseRow(tx, license)
  if (row === undefined) return err([{ reason: 'license_not_found', license }])
  await lockLicensesOf(tx, row.tenantId)
  const facts = (await loadLicenses(tx, [row.tenantId])).find((candidate) => candidate.license === license)
  const last = facts?.revisions.at(-1)
  if (facts === undefined || last === undefined) return err([{ reason: 'license_not_found', license }])
  const state = stateOf(facts, now)
  if (state === 'revoked' || state === 'terminated' || state === 'transferred')
    return err([{ reason: 'license_over', license, state }])
  return ok({ facts, tenant: row.tenant, last })
}

async function append(
  tx: Tx,
  wish: {
    facts: LicenseFacts
    tenant: string
    before: LicenseGrant
    after: LicenseGrant
    effectiveAt: Instant
    isCorrection: boolean
  },
  by: Deciders,
): Promise<Result<RecordedRevision, readonly RecordRefusal[]>> {
  const { facts, tenant, before, after, effectiveAt, isCorrection } = wish
  const { tenantId } = facts
  const revision = (facts.revisions.at(-1)?.revision ?? 0) + 1
  const next = { tenantId, grant: after, revision, effectiveAt, isCorrection, before }
  const isDraft = stateOf(facts, by.now) === 'draft'
  const recorded = await recordRevisions(tx, [next], { ...by, isDraft })
  return recorded.ok ? ok(told(next, tenant)) : recorded
}

function stateOf(facts: LicenseFacts, now: Instant): LicenseState['state'] | undefined {
  const revision = revisionAt(facts, now) ?? facts.revisions.at(-1)
  return revision === undefined ? undefined : licenseState(facts, revision, now).state
}

const told = (next: RevisionToRecord, tenant: string): RecordedRevision => ({
  license: next.grant.license,
  tenant,
  revision: next.revision,
  effectiveAt: next.effectiveAt,
  widens: widens(next.before, next.grant),
})

/** What a revision says, without when it was said. */
export const grantOf = (facts: Pick<LicenseFacts, 'license'>, revision: LicenseRevision): LicenseGrant => ({
  license: facts.license,
  plan: revision.plan,
  termStart: revision.termStart,
  termEnd: revision.termEnd,
  graceDays: revision.graceDays,
  evaluation: revision.evaluation,
  terms: revision.terms,
})
