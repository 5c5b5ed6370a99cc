import semver from 'semver'
import { err, instant, ok, type Instant, type Proven, type Result, type Uuid } from '../kernel/index.ts'
import {
  clinicalPurposes,
  type Audience,
  type FacilityFacts,
  type Principal,
  type Purpose,
  type Operation,
  type Scope,
} from '../identity/index.ts'
import type { Entitlement, Licensed, LicenseRevision } from '../licensing/index.ts'
import type { PolicyQuestion } from './ask-policies.ts'
import type { DecidingPolicy, PolicyVerdict } from './policy-verdict.ts'
import type { Protocol } from './protocol.ts'
import { stageReaches, type Stage } from './stage.ts'

/** What the decision needs to know of a model. The catalog of deployments is routing's; this is what it is asked for. */
export interface ModelFacts {
  readonly model: string
  readonly protocol: Protocol
  readonly versions: ReadonlyMap<string, VersionFacts>
}

export interface VersionFacts {
  readonly version: string
  readonly stage: Stage
  readonly contextTokens: number
  readonly outputTokens: number
  readonly recalledAt: Instant | undefined
  /** Regions in which the version is served. */
  readonly regions: ReadonlySet<string>
}

/** What a call asks for, before anything is granted. */
export interface Asked {
  /** `model` or `model@version`. */
  readonly model: string
  readonly operation: Operation
  /** From the caller's headers; each only narrows what the application has. */
  readonly facility: string | undefined
  readonly purpose: string | undefined
  /** A pinned version has a sunset. */
  readonly at: Instant
}

interface PermitFacts {
  readonly licensed: Licensed
  readonly operation: Operation
  readonly model: ModelFacts
  readonly version: VersionFacts
  readonly facility: FacilityFacts
  readonly purpose: Purpose
  readonly audience: Audience
  readonly residency: readonly string[]
  /** The ids of the owner's policies that permitted. */
  readonly policies: readonly string[]
}

/** A decision that said yes, and everything that it fixed. */
export type Permit = Proven<'Permit', PermitFacts>

export type PolicyRefusal =
  | { reason: 'model_not_found'; model: string }
  | { reason: 'model_not_licensed'; model: string }
  | { reason: 'version_not_licensed'; model: string; version: string; because: 'range' | 'stage' }
  | { reason: 'version_not_licensed'; model: string; version: string; because: 'sunset'; sunsetAt: Instant }
  | { reason: 'version_recalled'; model: string; version: string; recalledAt: Instant }
  | { reason: 'audience_not_licensed'; audience: Audience; model: string }
  | { reason: 'purpose_not_licensed'; purpose: string; allowed: readonly string[] }
  | { reason: 'facility_not_covered'; facility: string; covered: readonly string[] }
  | { reason: 'scope_not_granted'; scope: Scope }
  | { reason: 'operation_not_supported'; model: string; operation: Operation }
  | { reason: 'residency_excludes_all'; model: string; version: string; residency: readonly string[] }
  /** What the license grants, a policy forbids; `by` is empty when no policy permits it. */
  | { reason: 'policy_denied'; model: string; version: string; by: readonly DecidingPolicy[] }
  /** Our outage: there are no policies, or they cannot be evaluated. */
  | { reason: 'policy_unavailable'; because: 'none_declared' | 'cannot_be_evaluated' }

export interface PolicyNeeds {
  findModel(model: string): ModelFacts | undefined
  /** What the owner's policies and the tenant's own say of a call that the license grants. */
  askPolicies(tenantId: Uuid, question: PolicyQuestion): PolicyVerdict
}

/**
 * May this call be made? Every reason against it is found, in a documented order: what is asked for (model, version,
 * recall), who asks (audience, purpose, facility, scope), and where it would run (residency). What the license grants is
 * then asked of the policies, which may only take away from it: a policy is asked about facts, and while one of these is
 * wrong there are none to ask about.
 */
export function decide(needs: PolicyNeeds, licensed: Licensed, asked: Asked): Result<Permit, readonly PolicyRefusal[]> {
  const judged = judge(needs, licensed, asked)
  if (judged.objections.length > 0 || judged.fixed === undefined) return err(judged.objections)
  const { residency } = licensed.revision.terms
  const facts: PermitFacts = { licensed, operation: asked.operation, residency, ...judged.fixed }
  return ok(facts as Permit)
}

/** The same reasons for a license that is not in force, so that a refusal tells all that is wrong at once. */
export const objectionsUnder = (
  needs: PolicyNeeds,
  principal: Principal,
  revision: LicenseRevision,
  asked: Asked,
): readonly PolicyRefusal[] => judge(needs, { principal, revision, grace: false }, asked).objections

type Holder = Pick<Licensed, 'principal' | 'revision' | 'grace'>
type Fixed = Pick<PermitFacts, 'model' | 'version' | 'facility' | 'purpose' | 'audience' | 'policies'>
interface Judged {
  readonly objections: readonly PolicyRefusal[]
  readonly fixed: Fixed | undefined
}

function judge(needs: PolicyNeeds, holder: Holder, asked: Asked): Judged {
  const { revision } = holder
  const [name, versionAsked] = splitModel(asked.model)
  const model = needs.findModel(name)
  if (model === undefined) return onlyObjection({ reason: 'model_not_found', model: asked.model })
  const candidates = revision.terms.entitlements.filter((entitlement) => entitlement.model === name)
  const judged = candidates.map((entitlement) => judgeUnder(needs, holder, entitlement, { model, asked, versionAsked }))
  // Of several entitlements to one model the one that grants; if none does, the one that comes nearest explains.
  const best = judged.reduce<Judged | undefined>(
    (nearest, next) => (nearest === undefined || next.objections.length < nearest.objections.length ? next : nearest),
    undefined,
  )
  return best ?? onlyObjection({ reason: 'model_not_licensed', model: name })
}

function judgeUnder(
  needs: PolicyNeeds,
  { principal, revision, grace }: Holder,
  entitlement: Entitlement,
  { model, asked, versionAsked }: { model: ModelFacts; asked: Asked; versionAsked: string | undefined },
): Judged {
  const { application, tenant } = principal
  const objections: PolicyRefusal[] = []
  const wanted = versionAsked ?? entitlement.pin
  const version = model.versions.get(wanted)
  if (version === undefined) return onlyObjection({ reason: 'model_not_found', model: asked.model })

  if (!inRange(entitlement, wanted))
    objections.push({ reason: 'version_not_licensed', model: model.model, version: wanted, because: 'range' })
  const sunsetAt = sunsetOf(entitlement, wanted)
  if (sunsetAt !== undefined && sunsetAt <= asked.at)
    objections.push({
      reason: 'version_not_licensed',
      model: model.model,
      version: wanted,
      because: 'sunset',
      sunsetAt,
    })
  if (version.recalledAt !== undefined)
    objections.push({ reason: 'version_recalled', model: model.model, version: wanted, recalledAt: version.recalledAt })
  if (!entitlement.audiences.includes(application.audience))
    objections.push({ reason: 'audience_not_licensed', audience: application.audience, model: model.model })
  if (!stageReaches(version.stage, application.audience, tenant.kind))
    objections.push({ reason: 'version_not_licensed', model: model.model, version: wanted, because: 'stage' })

  // Without a header, the first purpose of the application that this entitlement has as well.
  // An evaluation is never for treatment, whatever it says.
  const purposesOpen = application.purposes.filter(
    (purpose) => entitlement.purposes.includes(purpose) && !(revision.evaluation && clinicalPurposes.has(purpose)),
  )
  const purpose = asked.purpose === undefined ? purposesOpen[0] : purposesOpen.find((open) => open === asked.purpose)
  if (purpose === undefined)
    objections.push({
      reason: 'purpose_not_licensed',
      purpose: asked.purpose ?? application.purposes[0] ?? '',
      allowed: purposesOpen,
    })

  const covered = application.facilities.filter((site) => entitlement.facilities?.includes(site.facility) ?? true)
  const facility = asked.facility === undefined ? covered[0] : covered.find((site) => site.facility === asked.facility)
  if (facility === undefined)
    objections.push({
      reason: 'facility_not_covered',
      facility: asked.facility ?? application.facilities[0]?.facility ?? '',
      covered: covered.map((site) => site.facility),
    })

  if (!principal.scopes.includes(asked.operation))
    objections.push({ reason: 'scope_not_granted', scope: asked.operation })
  if ((model.protocol === 'open-inference') !== (asked.operation === 'infer'))
    objections.push({ reason: 'operation_not_supported', model: model.model, operation: asked.operation })
  const { residency } = revision.terms
  if (!residency.some((region) => version.regions.has(region)))
    objections.push({ reason: 'residency_excludes_all', model: model.model, version: wanted, residency })

  if (objections.length > 0 || purpose === undefined || facility === undefined) return { objections, fixed: undefined }
  const verdict = needs.askPolicies(tenant.tenantId, {
    tenant: tenant.tenant,
    tenantKind: tenant.kind,
    application: application.application,
    audience: application.audience,
    operation: asked.operation,
    model: model.model,
    protocol: model.protocol,
    version: version.version,
    stage: version.stage,
    purpose,
    facility: facility.facility,
    facilityRegion: facility.region,
    evaluation: revision.evaluation,
    grace,
  })
  switch (verdict.outcome) {
    case 'permit': {
      const { policies } = verdict
      return { objections, fixed: { model, version, facility, purpose, audience: application.audience, policies } }
    }
    case 'deny':
      return onlyObjection({ reason: 'policy_denied', model: model.model, version: wanted, by: verdict.by })
    case 'unavailable':
      return onlyObjection({ reason: 'policy_unavailable', because: verdict.because })
  }
}

/** An entitlement never changes, and asked of it are versions that the catalog has: each is compared once. */
const compared = new WeakMap<Entitlement, Map<string, boolean>>()

function inRange(entitlement: Entitlement, version: string): boolean {
  let known = compared.get(entitlement)
  if (known === undefined) compared.set(entitlement, (known = new Map()))
  let isIn = known.get(version)
  if (isIn === undefined) known.set(version, (isIn = semver.satisfies(version, entitlement.versions)))
  return isIn
}

/** When a license stops serving the version that it pins; the others have no sunset. */
const sunsetOf = ({ pin, sunset }: Entitlement, version: string): Instant | undefined =>
  sunset === undefined || pin !== version ? undefined : instant(Date.parse(sunset))

const onlyObjection = (refusal: PolicyRefusal): Judged => ({ objections: [refusal], fixed: undefined })

function splitModel(text: string): [string, string | undefined] {
  const at = text.lastIndexOf('@')
  return at <= 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)]
}

/** A model that a principal may use now, for the list of models. */
export interface UsableModel {
  readonly model: string
  readonly version: VersionFacts
  readonly pinned: boolean
  /** The version that the bare name means. */
  readonly pin: string
  readonly sunset: Instant | undefined
  readonly protocol: ModelFacts['protocol']
}

/** The versions that this caller could use now: the same judgement as a call's, for every version of its entitlements. */
export function usableModels(needs: PolicyNeeds, licensed: Licensed, at: Instant): readonly UsableModel[] {
  const found = new Map<string, UsableModel>()
  for (const entitlement of licensed.revision.terms.entitlements) {
    const model = needs.findModel(entitlement.model)
    for (const version of model?.versions.values() ?? []) {
      if (model === undefined) continue
      const name = `${model.model}@${version.version}`
      const operations: readonly Operation[] = model.protocol === 'open-inference' ? ['infer'] : ['chat', 'embeddings']
      const usable = operations.some(
        (operation) =>
          decide(needs, licensed, { model: name, operation, facility: undefined, purpose: undefined, at }).ok,
      )
      if (usable && found.get(name)?.pinned !== true)
        found.set(name, {
          model: model.model,
          version,
          pinned: version.version === entitlement.pin,
          pin: entitlement.pin,
          sunset: sunsetOf(entitlement, version.version),
          protocol: model.protocol,
        })
    }
  }
  return [...found.values()]
}
