import type { EntityJson, StatefulAuthorizationCall } from '@cedar-policy/cedar-wasm/web'
import type { Log } from '../kernel/index.ts'
import type { Audience, Operation, Purpose, TenantKind } from '../identity/index.ts'
import { cedar } from './cedar.ts'
import type { KeptDecisions } from './kept-decisions.ts'
import { forgetParsed, parsedAs } from './parsed-policies.ts'
import type { PoliciesInForce, PolicyRevision } from './policy-revision.ts'
import type { DecidingPolicy, PolicyVerdict } from './policy-verdict.ts'
import type { Protocol } from './protocol.ts'
import type { Stage } from './stage.ts'

/** All that a policy can see of a call: few words, each out of a short list. Numbers (budgets, rates) are quota's. */
export interface PolicyQuestion {
  readonly tenant: string
  readonly tenantKind: TenantKind
  readonly application: string
  readonly audience: Audience
  readonly operation: Operation
  readonly model: string
  readonly protocol: Protocol
  readonly version: string
  readonly stage: Stage
  readonly purpose: Purpose
  readonly facility: string
  readonly facilityRegion: string
  readonly evaluation: boolean
  readonly grace: boolean
}

export interface AskNeeds {
  readonly decisions: KeptDecisions
  readonly log: Log
}

/**
 * What the policies say of a call that the license grants. They are asked once for each question; the decision is kept
 * until the question is another one: another revision of the owner's or the tenant's policies, another application,
 * version, purpose, facility, or another fact about one of these.
 */
export function askPolicies(needs: AskNeeds, inForce: PoliciesInForce, question: PolicyQuestion): PolicyVerdict {
  const key = keyOf(inForce, question)
  const kept = needs.decisions.find(key)
  if (kept !== undefined) return kept
  try {
    const verdict = decideByCedar(inForce, question, needs.log)
    needs.decisions.keep(key, verdict)
    return verdict
  } catch (error) {
    // Cedar itself broke, or what is stored is no Cedar. It is not kept: the next call asks again.
    needs.log.error('policy.broke', { tenant: question.tenant }, error)
    return cannotBeEvaluated
  }
}

/** Every fact that Cedar is told, and the revisions that judge it. As JSON, so that no name can run into the next. */
const keyOf = ({ owner, tenant }: PoliciesInForce, q: PolicyQuestion): string =>
  JSON.stringify([
    owner?.digest,
    tenant?.digest,
    q.tenant,
    q.tenantKind,
    q.application,
    q.audience,
    q.operation,
    q.model,
    q.protocol,
    q.version,
    q.stage,
    q.purpose,
    q.facility,
    q.facilityRegion,
    q.evaluation,
    q.grace,
  ])

const cannotBeEvaluated: PolicyVerdict = { outcome: 'unavailable', because: 'cannot_be_evaluated' }

/**
 * The same, not kept. Denied unless one of the owner's policies permits, none of the owner's or the tenant's forbids,
 * and all of them could be evaluated: Cedar passes over a policy that fails, and a `forbid` that fails must not let a
 * call through. The tenant's are asked apart from the owner's, and only for what they forbid: whatever stands in them,
 * they cannot permit.
 */
export function decideByCedar({ owner, tenant }: PoliciesInForce, question: PolicyQuestion, log: Log): PolicyVerdict {
  if (owner === undefined) return { outcome: 'unavailable', because: 'none_declared' }
  const call = authorizationCall(question)
  const ofOwner = evaluate(owner, call)
  for (const { policy, why } of ofOwner.failed) log.error('policy.not_evaluated', { policy, why })
  const forbidden = ofOwner.decision === 'deny' ? deciding(owner, ofOwner.policies, '') : []

  if (tenant !== undefined && tenant.policies.length > 0) {
    const ofTenant = evaluate(tenant, call)
    const prefix = `${question.tenant}/`
    if (ofTenant.decision === 'deny') forbidden.push(...deciding(tenant, ofTenant.policies, prefix))
    for (const { policy, why } of ofTenant.failed) {
      log.warn('policy.not_evaluated', { policy: prefix + policy, why })
      forbidden.push({ policy: prefix + policy, reason: 'This policy of yours cannot be evaluated.' })
    }
  }
  if (forbidden.length > 0) return { outcome: 'deny', by: forbidden }
  if (ofOwner.failed.length > 0) return cannotBeEvaluated
  return ofOwner.decision === 'allow' && ofOwner.policies.length > 0
    ? { outcome: 'permit', policies: ofOwner.policies.toSorted() }
    : { outcome: 'deny', by: [] }
}

function deciding(revision: PolicyRevision, ids: readonly string[], prefix: string): DecidingPolicy[] {
  return ids.toSorted().map((id) => ({
    policy: prefix + id,
    reason: revision.policies.find((policy) => policy.id === id)?.reason ?? '',
  }))
}

interface Evaluated {
  readonly decision: 'allow' | 'deny'
  /** Those that made the decision: permits of an `allow`, forbids of a `deny`. */
  readonly policies: readonly string[]
  readonly failed: readonly { readonly policy: string; readonly why: string }[]
}

type Asked = Omit<StatefulAuthorizationCall, 'preparsedPolicySetId'>

/** @throws TypeError when Cedar does not take the policies or the question: then nothing is decided. */
function evaluate(revision: PolicyRevision, call: Asked): Evaluated {
  const answer = cedar().statefulIsAuthorized({ ...call, preparsedPolicySetId: parsedAs(revision) })
  if (answer.type === 'failure') {
    forgetParsed(revision.digest)
    throw new TypeError(`Cedar does not answer: ${answer.errors.map(({ message }) => message).join('; ')}`)
  }
  const { decision, diagnostics } = answer.response
  return {
    decision,
    policies: diagnostics.reason,
    // Cedar tells them in no order.
    failed: diagnostics.errors
      .map(({ policyId, error }) => ({ policy: policyId, why: error.message }))
      .toSorted((a, b) => (a.policy < b.policy ? -1 : 1)),
  }
}

/** The question in the words of the schema. */
function authorizationCall(q: PolicyQuestion): Asked {
  const tenant = uid('Tenant', q.tenant)
  const application = uid('Application', `${q.tenant}/${q.application}`)
  const facility = uid('Facility', `${q.tenant}/${q.facility}`)
  const model = uid('Model', q.model)
  const version = uid('ModelVersion', `${q.model}@${q.version}`)
  const action = uid('Action', q.operation)
  const entities: EntityJson[] = [
    { uid: tenant, attrs: { kind: is('TenantKind', q.tenantKind) }, parents: [] },
    {
      uid: application,
      attrs: { audience: is('Audience', q.audience), tenant: { __entity: tenant } },
      parents: [tenant],
    },
    { uid: facility, attrs: { region: q.facilityRegion, tenant: { __entity: tenant } }, parents: [tenant] },
    { uid: model, attrs: { protocol: is('Protocol', q.protocol) }, parents: [] },
    {
      uid: version,
      attrs: { model: { __entity: model }, version: q.version, stage: is('Stage', q.stage) },
      parents: [model],
    },
    { uid: action, attrs: {}, parents: [uid('Action', 'call')] },
  ]
  const context = {
    purpose: is('Purpose', q.purpose),
    facility: { __entity: facility },
    evaluation: q.evaluation,
    grace: q.grace,
  }
  return { principal: application, action, resource: version, context, entities }
}

const uid = (type: string, id: string) => ({ type, id })
const is = (type: string, id: string) => ({ __entity: { type, id } })
