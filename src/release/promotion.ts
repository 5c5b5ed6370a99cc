import semver from 'semver'
import { plusDays, type Instant } from '../kernel/index.ts'
import type { TenantKind } from '../identity/index.ts'
import type { Entitlement } from '../licensing/index.ts'
import { stageReaches, stages, type Stage } from '../policy/index.ts'
import { missingFor, type Card } from './card.ts'
import { signOffRoles, type SignOff, type SignOffRole } from './standing.ts'

/** A tenant whose license in force pins a version of a model. */
export interface PinHolder {
  readonly tenant: string
  readonly kind: TenantKind
  readonly entitlement: Pick<Entitlement, 'model' | 'pin' | 'audiences'>
}

export interface IssuedNotice {
  readonly tenant: string
  readonly model: string
  readonly version: string
  readonly effectiveAt: Instant
}

export type PromotionObjection =
  | { reason: 'promotion_goes_one_step'; stage: Stage; next: Stage | undefined }
  | { reason: 'card_missing' }
  | { reason: 'card_incomplete'; missing: readonly string[] }
  | { reason: 'sign_off_missing'; roles: readonly SignOffRole[] }
  | { reason: 'sign_offs_of_one_person'; by: string }
  | { reason: 'notice_missing'; tenants: readonly string[] }
  | { reason: 'notice_period_runs'; until: Instant; tenants: readonly string[] }

export interface PromotionFacts {
  readonly model: string
  readonly version: string
  readonly stage: Stage
  readonly card: Card | undefined
  /** Made since the version last moved. */
  readonly signOffs: readonly SignOff[]
  readonly pins: readonly PinHolder[]
  readonly notices: readonly IssuedNotice[]
}

/** Why a version may not take a step now: all of it, so that it is prepared once. */
export function objectionsToPromotion(facts: PromotionFacts, to: Stage, now: Instant): readonly PromotionObjection[] {
  const next = stages[stages.indexOf(facts.stage) + 1]
  if (to !== next) return [{ reason: 'promotion_goes_one_step', stage: facts.stage, next }]
  return [
    ...cardObjections(facts.card, to),
    ...signOffObjections(facts.signOffs, to),
    ...noticeObjections(facts, to, now),
  ]
}

function cardObjections(card: Card | undefined, to: Stage): readonly PromotionObjection[] {
  if (card === undefined) return [{ reason: 'card_missing' }]
  const missing = missingFor(card, to)
  return missing.length === 0 ? [] : [{ reason: 'card_incomplete', missing }]
}

function signOffObjections(signOffs: readonly SignOff[], to: Stage): readonly PromotionObjection[] {
  const signed = signOffs.filter((signOff) => signOff.to === to)
  const roles = signOffRoles.filter((role) => !signed.some((signOff) => signOff.role === role))
  if (roles.length > 0) return [{ reason: 'sign_off_missing', roles }]
  const people = new Set(signed.map(({ by }) => by))
  return people.size > 1 ? [] : [{ reason: 'sign_offs_of_one_person', by: signed[0]?.by ?? '' }]
}

/** Tenants that would find another version beside the one they pin: those whom this step reaches, the owner excepted. */
export const tenantsToNotify = (
  facts: Pick<PromotionFacts, 'model' | 'version' | 'pins'>,
  to: Stage,
): readonly string[] => [
  ...new Set(
    facts.pins
      .filter(
        ({ kind, entitlement }) =>
          kind !== 'owner' &&
          entitlement.model === facts.model &&
          semver.lt(entitlement.pin, facts.version) &&
          entitlement.audiences.some((audience) => stageReaches(to, audience, kind)),
      )
      .map(({ tenant }) => tenant),
  ),
]

function noticeObjections(facts: PromotionFacts, to: Stage, now: Instant): readonly PromotionObjection[] {
  const ends = new Map<string, Instant>()
  for (const { tenant, model, version, effectiveAt } of facts.notices)
    if (model === facts.model && version === facts.version && effectiveAt <= (ends.get(tenant) ?? effectiveAt))
      ends.set(tenant, effectiveAt)
  const tenants = tenantsToNotify(facts, to)
  const untold = tenants.filter((tenant) => !ends.has(tenant))
  const waiting = tenants.filter((tenant) => (ends.get(tenant) ?? now) > now)
  const until = waiting.map((tenant) => ends.get(tenant) ?? now).toSorted((a, b) => b - a)[0]
  return [
    ...(untold.length === 0 ? [] : [{ reason: 'notice_missing' as const, tenants: untold }]),
    ...(until === undefined ? [] : [{ reason: 'notice_period_runs' as const, until, tenants: waiting }]),
  ]
}

/** The earliest instant that a notice issued now may name. */
export const noticeEndsAt = (issuedAt: Instant, days: number): Instant => plusDays(issuedAt, days)
