import { assert, instant } from '../kernel/index.ts'
import { appendAuditEntries, type AuditEntry } from '../audit/index.ts'
import type { Tx } from '../db/index.ts'
import { agentOf } from '../identity/index.ts'
import { recordRevisions, revisionRefusalInWords, type Deciders, type LicenseGrant } from '../licensing/index.ts'
import { appendNotice } from '../release/index.ts'
import { is } from './changed-rows.ts'
import { planDocument, policyDocument } from './document.ts'
import type { Change } from './change.ts'
import { applyCatalog } from './store-catalog.ts'
import { digestOf } from './store-digest.ts'
import {
  applyApplications,
  applyClients,
  applyFacilities,
  applySignIns,
  applyTenants,
  idOf,
  tenantIds,
  type TenantIds,
} from './store-tenants.ts'

/**
 * Does what a plan says, in the order that the tables refer to each other. Rows are added, changed or marked as ended,
 * never deleted; a plan or a license is only ever appended to.
 */
export async function applyChanges(tx: Tx, changes: readonly Change[], by: Applying): Promise<void> {
  const at = new Date(by.now)
  await applyCatalog(tx, changes, by)
  await appendPlans(tx, changes, at)
  await applyTenants(tx, changes, at)
  const ids = await tenantIds(tx, changes)
  await applyFacilities(tx, changes, ids, at)
  await applyApplications(tx, changes, ids, at)
  await applyClients(tx, changes, ids, at)
  await applySignIns(tx, changes, ids, at)
  await appendLicenses(tx, changes, ids, by)
  await announceSunsets(tx, changes, by)
  await appendPolicies(tx, changes, ids, { recordedBy: by.actor.name, at })
  await appendAuditEntries(
    tx,
    changes.filter((change) => !isEntered(change)).map((change) => entryOf(change, ids, by)),
  )
}

/** Who applies, who approved it, and what each license said before. */
export interface Applying extends Deciders {
  readonly before: ReadonlyMap<string, LicenseGrant>
}

function entryOf(change: Change, ids: TenantIds, by: Applying): AuditEntry {
  const tenant = 'tenant' in change.row ? change.row.tenant : undefined
  return {
    tenantId: tenant === undefined ? undefined : ids.get(tenant),
    at: by.now,
    action: `${change.what}.${change.act}`,
    agent: agentOf(by.actor),
    approvedBy: by.approvedBy === undefined ? undefined : agentOf(by.approvedBy),
    entity: {
      type: change.what,
      id: change.name,
      revision: 'revision' in change ? String(change.revision) : undefined,
    },
    outcome: 'done',
    reason: undefined,
    facts: { fields: change.fields.map(({ field }) => field).slice(0, fieldsMax) },
  }
}

/** Its entry was written by the use case that did it. */
const isEntered = ({ what, act, fields }: Change): boolean =>
  what === 'license' ||
  (what === 'version' && act === 'change' && fields.every(({ field }) => field === 'stage' || field === 'recalled'))

/** Names of what changed; the values stand in the rows and revisions themselves. */
const fieldsMax = 50

async function appendPlans(tx: Tx, changes: readonly Change[], at: Date): Promise<void> {
  const plans = changes.filter(is('plan'))
  for (const { row, revision } of plans)
    await tx
      .insertInto('plan_revision')
      .values({
        plan: row.plan,
        revision,
        currency: row.currency,
        prices: JSON.stringify(row.prices),
        terms: JSON.stringify(row.terms),
        effective_at: at,
        document_sha256: digestOf(planDocument(row)),
      })
      .execute()
}

/** By the use case that every way of granting goes through. The plan has asked it before: what is refused here is a bug. */
async function appendLicenses(tx: Tx, changes: readonly Change[], ids: TenantIds, by: Applying): Promise<void> {
  const licenses = changes.filter(is('license'))
  if (licenses.length === 0) return
  const recorded = await recordRevisions(
    tx,
    licenses.map(({ row, revision }) => ({
      tenantId: idOf(ids, row.tenant),
      before: by.before.get(row.license),
      grant: row,
      revision,
      effectiveAt: by.now,
      isCorrection: false,
    })),
    { ...by, isDraft: false },
  )
  assert(recorded.ok, recorded.ok ? '' : recorded.error.map(revisionRefusalInWords).join('; '))
}

/** Who will lose a version is told when it is decided. */
async function announceSunsets(tx: Tx, changes: readonly Change[], by: Applying): Promise<void> {
  for (const { row, fields } of changes.filter(is('license')))
    for (const { model, pin, sunset } of row.terms.entitlements) {
      const isNew = fields.some(({ field, to }) => field.endsWith('.sunset') && to === sunset)
      if (sunset === undefined || !isNew) continue
      await appendNotice(tx, {
        tenant: row.tenant,
        kind: 'sunset',
        model,
        version: pin,
        summary: `${model} ${pin} is served until ${sunset}. Move your pin before.`,
        issuedAt: by.now,
        effectiveAt: instant(Math.max(by.now, Date.parse(sunset))),
        issuedBy: by.actor.name,
      })
    }
}

async function appendPolicies(
  tx: Tx,
  changes: readonly Change[],
  ids: TenantIds,
  by: { recordedBy: string; at: Date },
): Promise<void> {
  for (const { row, revision } of changes.filter(is('policy'))) {
    const values = {
      revision,
      policies: JSON.stringify(row.policies),
      effective_at: by.at,
      recorded_by: by.recordedBy,
      document_sha256: digestOf(policyDocument(row)),
    }
    await (row.tenant === undefined
      ? tx.insertInto('policy_revision').values(values).execute()
      : tx
          .insertInto('tenant_policy_revision')
          .values({ tenant_id: idOf(ids, row.tenant), ...values })
          .execute())
  }
}
