import { isUuid, type Instant, type Log } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import {
  Audience,
  isOperation,
  loadIdentities,
  pastPrincipal,
  type ApplicationFacts,
  type Operation,
} from '../identity/index.ts'
import { knownBy, loadLicenses } from '../licensing/index.ts'
import {
  askPolicies,
  decideUse,
  KeptDecisions,
  loadOwnerPolicies,
  loadTenantPolicies,
  precedence,
  type Decision,
  type ModelFacts,
} from '../policy/index.ts'
import { loadVersions, standingOf } from '../release/index.ts'
import { findRecordedCall, type RecordedCall } from './store-find-call.ts'

/** A use of the past, or one that somebody wonders about. */
export interface PastUse {
  readonly tenant: string
  readonly application: string
  /** `model` or `model@version`. */
  readonly model: string
  readonly operation: Operation
  readonly purpose: string | undefined
  readonly facility: string | undefined
  readonly at: Instant
  /** What was recorded later counts as not said. */
  readonly knownAt: Instant
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
  const recorded = await findRecordedCall(tx, id)
  if (recorded === undefined || !isOperation(recorded.operation)) return undefined
  const { tenant, application, model, operation, purpose, facility, at } = recorded
  const audience = recorded.audience === undefined ? {} : { audience: Audience.parse(recorded.audience) }
  const use = { tenant, application, model, operation, purpose, facility, at, knownAt: at }
  const decision = await decideAsOf(tx, log, use, audience)
  if (decision === undefined) return undefined
  return { recorded, decision, isSame: isAsRecorded(recorded, decision) }
}

/**
 * Of a refused call the reasons that this decision gives have to be those that were recorded. What budgets, rates, the
 * request's own form or an outage refused was permitted here.
 */
function isAsRecorded(recorded: RecordedCall, decision: Decision): boolean {
  if (recorded.outcome === 'deny') {
    const given = decision.reasons.map(({ reason }) => reason)
    return areSame(
      given,
      recorded.reasons.filter((reason) => reason in precedence),
    )
  }
  const { license, revision, policies } = recorded
  return (
    decision.permit !== undefined &&
    license === decision.license &&
    revision === decision.revision &&
    areSame(policies, decision.permit.policies)
  )
}

/** The same words, in whatever order and however often. */
const areSame = (some: readonly string[], others: readonly string[]): boolean =>
  JSON.stringify([...new Set(some)].toSorted()) === JSON.stringify([...new Set(others)].toSorted())

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
