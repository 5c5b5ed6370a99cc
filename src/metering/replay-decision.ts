import { sql } from 'kysely'
import { instant, instantOf, isUuid, plusMs, requestName, type Instant, type Log, type Uuid } from '../kernel/index.ts'
import { loadAuditEntries } from '../audit/index.ts'
import type { Tx } from '../db/index.ts'
import {
  Audience,
  isScope,
  loadIdentities,
  pastPrincipal,
  Purpose,
  type ApplicationFacts,
  type Scope,
} from '../identity/index.ts'
import { knownBy, loadLicenses } from '../licensing/index.ts'
import {
  askPolicies,
  decideUse,
  KeptDecisions,
  loadOwnerPolicies,
  loadTenantPolicies,
  type Decision,
  type ModelFacts,
} from '../policy/index.ts'
import { loadVersions, standingOf } from '../release/index.ts'

/** A use of the past, or one that somebody wonders about. */
export interface PastUse {
  readonly tenant: string
  readonly application: string
  /** `model` or `model@version`. */
  readonly model: string
  readonly operation: Scope
  readonly purpose: string | undefined
  readonly facility: string | undefined
  readonly at: Instant
  /** What was recorded later counts as not said. */
  readonly knownAt: Instant
}

/** What the ledger or the audit entries say of a call. */
export interface RecordedCall {
  readonly tenantId: Uuid
  readonly tenant: string
  readonly requestId: Uuid
  readonly application: string
  /** As recorded; of a refused call, as far as it was known. */
  readonly audience: string | undefined
  readonly model: string
  readonly operation: string
  readonly purpose: string | undefined
  readonly facility: string | undefined
  readonly at: Instant
  readonly outcome: 'permit' | 'deny'
  /** Of a permitted call. */
  readonly license: string | undefined
  readonly revision: number | undefined
  readonly policies: readonly string[]
  /** Of a refused one, the first first. */
  readonly reasons: readonly string[]
}

export interface Replayed {
  readonly recorded: RecordedCall
  readonly decision: Decision
  /** Whether the facts of then give what was recorded. */
  readonly isSame: boolean
}

/**
 * Decides a use with the facts of its instant: the license with its revisions and acts, the stages of versions and the
 * policies, as far as they were known then. Of applications and deployments no history is kept: they are as they are
 * now, but for what `recorded` says. Undefined when there is no such tenant or application.
 */
export async function decideAsOf(
  tx: Tx,
  log: Log,
  use: PastUse,
  recorded?: Partial<Pick<ApplicationFacts, 'audience'>>,
): Promise<Decision | undefined> {
  const { at, knownAt } = use
  const row = await tx.selectFrom('tenant').select('tenant_id').where('tenant', '=', use.tenant).executeTakeFirst()
  if (row === undefined) return undefined
  const [identity] = await loadIdentities(tx, [row.tenant_id], at)
  const application = identity?.applications.get(use.application)
  if (identity === undefined || application === undefined) return undefined
  const principal = pastPrincipal({
    tenant: identity.tenant,
    application: { ...application, ...recorded },
    keyId: '',
  })
  const licenses = (await loadLicenses(tx, [row.tenant_id])).map((facts) => knownBy(facts, knownAt))
  const models = await modelsAsOf(tx, at)
  const inForce = {
    owner: await loadOwnerPolicies(tx, at),
    tenant: (await loadTenantPolicies(tx, [row.tenant_id], at)).get(row.tenant_id),
  }
  const decisions = new KeptDecisions()
  return decideUse(
    {
      findLicenses: () => licenses.filter(({ revisions }) => revisions.length > 0),
      findModel: (model) => models.get(model),
      askPolicies: (_, question) => askPolicies({ decisions, log }, inForce, question),
    },
    principal,
    { model: use.model, operation: use.operation, facility: use.facility, purpose: use.purpose, at },
    { id: row.tenant_id, now: at },
  )
}

/** Makes the decision on a recorded call again. Undefined when nothing is recorded under the id. */
export async function replayCall(tx: Tx, log: Log, requestId: string): Promise<Replayed | undefined> {
  const id = requestId.replace(/^req_/, '').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  if (!isUuid(id)) return undefined
  const recorded = (await findInLedger(tx, id)) ?? (await findRefused(tx, id))
  if (recorded === undefined || !isScope(recorded.operation)) return undefined
  const { tenant, application, model, operation, purpose, facility, at } = recorded
  const audience = recorded.audience === undefined ? {} : { audience: Audience.parse(recorded.audience) }
  const use = { tenant, application, model, operation, purpose, facility, at, knownAt: at }
  const decision = await decideAsOf(tx, log, use, audience)
  if (decision === undefined) return undefined
  return { recorded, decision, isSame: isAsRecorded(recorded, decision) }
}

function isAsRecorded(recorded: RecordedCall, decision: Decision): boolean {
  if (recorded.outcome !== decision.outcome) return false
  if (decision.permit === undefined) return recorded.reasons.every((reason) => !isOfDecision(reason, decision))
  const { license, revision, policies } = recorded
  const permitted = decision.permit.policies
  return (
    license === decision.license &&
    revision === decision.revision &&
    policies.length === permitted.length &&
    policies.every((policy) => permitted.includes(policy))
  )
}

/** A reason that was recorded and is not found again. What quota or the request's own form refused is not decided here. */
const isOfDecision = (reason: string, decision: Decision): boolean =>
  !quotaReasons.has(reason) && !decision.reasons.some((found) => found.reason === reason)
const quotaReasons: ReadonlySet<string> = new Set([
  'rate_exceeded',
  'concurrency_exceeded',
  'budget_exhausted',
  'request_malformed',
  'request_too_large',
  'unavailable',
])

async function modelsAsOf(tx: Tx, at: Instant): Promise<ReadonlyMap<string, ModelFacts>> {
  const models = await tx.selectFrom('model').selectAll().execute()
  const versions = await tx.selectFrom('model_version').selectAll().execute()
  const deployments = await tx.selectFrom('deployment').select(['model', 'version', 'region']).execute()
  const released = await loadVersions(tx)
  return new Map(
    models.map(({ model, protocol }): [string, ModelFacts] => [
      model,
      {
        model,
        protocol: protocol === 'open-inference' ? 'open-inference' : 'openai',
        versions: new Map(
          versions.flatMap((row) => {
            const release = row.model === model ? released.get(`${model}@${row.version}`) : undefined
            if (release === undefined) return []
            const acts = release.acts.filter((act) => act.at <= at)
            const { stage, recalled } = standingOf(release.firstStage, acts)
            const regions = deployments.filter((one) => one.model === model && one.version === row.version)
            return [
              [
                row.version,
                {
                  version: row.version,
                  stage,
                  contextTokens: Number(row.context_tokens),
                  outputTokens: Number(row.output_tokens),
                  recalledAt: recalled?.at,
                  regions: new Set(regions.map(({ region }) => region)),
                },
              ] as const,
            ]
          }),
        ),
      },
    ]),
  )
}

/** When a request began, from its id (UUID version 7): the ledger and the entries are looked through there only. */
const beganAt = (id: Uuid): Instant => instant(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16))
const beforeMs = 60_000
const afterMs = 900_000

async function findInLedger(tx: Tx, id: Uuid): Promise<RecordedCall | undefined> {
  const began = beganAt(id)
  const { rows } = await sql<{
    tenant_id: Uuid
    tenant: string
    started_at: Date
    application: string
    audience: string
    model: string
    version: string
    operation: string
    purpose: string
    facility: string
    license: string
    license_revision: number
    policy: string[] | null
  }>`
    select t.tenant, e.* from tenant t cross join lateral (
      select * from usage_event
      where tenant_id = t.tenant_id and started_at >= ${new Date(began - beforeMs)}
        and started_at < ${new Date(began + afterMs)} and request_id = ${id}
      order by requests desc, attempt desc limit 1) e
    limit 1`.execute(tx)
  const [row] = rows
  if (row === undefined) return undefined
  return {
    tenantId: row.tenant_id,
    tenant: row.tenant,
    requestId: id,
    application: row.application,
    audience: row.audience,
    model: `${row.model}@${row.version}`,
    operation: row.operation,
    purpose: row.purpose,
    facility: row.facility,
    at: instantOf(row.started_at),
    outcome: 'permit',
    license: row.license,
    revision: row.license_revision,
    policies: row.policy ?? [],
    reasons: [],
  }
}

async function findRefused(tx: Tx, id: Uuid): Promise<RecordedCall | undefined> {
  const began = beganAt(id)
  const entries = await loadAuditEntries(tx, {
    tenantId: undefined,
    action: 'call.refuse',
    from: instant(began - beforeMs),
    to: plusMs(began, afterMs),
    limit: 10_000,
  })
  const entry = entries.find(({ facts }) => facts['request'] === requestName(id))
  if (entry?.tenantId === undefined) return undefined
  const { tenant } = await tx
    .selectFrom('tenant')
    .select('tenant')
    .where('tenant_id', '=', entry.tenantId)
    .executeTakeFirstOrThrow()
  const { operation, facility, reasons } = entry.facts
  return {
    tenantId: entry.tenantId,
    tenant,
    requestId: id,
    application: entry.agent.name,
    audience: undefined,
    model: entry.entity.id,
    operation: String(operation),
    purpose: Purpose.safeParse(entry.purpose).data,
    facility: typeof facility === 'string' ? facility : undefined,
    at: entry.at,
    outcome: 'deny',
    license: undefined,
    revision: undefined,
    policies: [],
    reasons: Array.isArray(reasons) ? reasons.map(String) : [],
  }
}
