import semver from 'semver'
import { isoOf, parseAmount, type Instant } from '../kernel/index.ts'
import { privacyModes } from '../privacy/index.ts'
import type { LicenseGrant } from './license-document.ts'
import { budgetName, type Budget, type Entitlement, type Rates } from './terms.ts'

/**
 * What a grant allows that the one before did not, a phrase each; nothing when it only narrows or says the same. Without
 * one before, the grant itself is what widens. Two people stand behind whatever widens.
 */
export function widens(before: LicenseGrant | undefined, after: LicenseGrant): readonly string[] {
  if (before === undefined) return [`a new grant of ${modelsOf(after)}`]
  return [
    ...widensTerm(before, after),
    ...(before.evaluation && !after.evaluation ? ['it is no evaluation any more'] : []),
    ...after.terms.entitlements.flatMap((right) => widensEntitlement(before.terms.entitlements, right)),
    ...widensRates(before.terms.rates, after.terms.rates),
    ...before.terms.budgets.flatMap((budget) => widensBudget(budget, after.terms.budgets)),
    ...added('the region', before.terms.residency, after.terms.residency),
    ...widensPrivacy(before, after),
    ...widensConditions(before, after),
  ]
}

const modelsOf = ({ terms }: LicenseGrant): string =>
  [...new Set(terms.entitlements.map(({ model }) => model))].join(', ')

function widensTerm(before: LicenseGrant, after: LicenseGrant): readonly string[] {
  const day = (at: Instant) => isoOf(at).slice(0, 10)
  const words: string[] = []
  if (after.termStart < before.termStart) words.push(`the term begins earlier, ${day(after.termStart)}`)
  if (after.termEnd > before.termEnd) words.push(`the term ends later, ${day(after.termEnd)}`)
  if (after.graceDays > before.graceDays) words.push(`${after.graceDays} days of grace instead of ${before.graceDays}`)
  const expiry = { stop: 0, grace: 1, 'read-only': 2 }
  const [was, is] = [before.terms.expiry ?? 'grace', after.terms.expiry ?? 'grace']
  if (expiry[is] > expiry[was]) words.push(`its end means ${is} instead of ${was}`)
  return words
}

/** Each use that the right grants has to have been granted by a single right before: what two grant in parts is not one. */
function widensEntitlement(before: readonly Entitlement[], right: Entitlement): readonly string[] {
  const had = before.filter(({ model }) => model === right.model)
  if (had.length === 0) return [`the model ${right.model}`]
  const words = new Set<string>()
  for (const audience of right.audiences)
    for (const purpose of right.purposes) {
      const ofUse = had.filter((old) => old.audiences.includes(audience) && old.purposes.includes(purpose))
      if (ofUse.length === 0) words.add(`${right.model} for ${audience} and ${purpose}`)
      else if (!ofUse.some((old) => coversVersions(old, right)))
        words.add(`${right.model} ${right.versions} for ${audience} and ${purpose}`)
      else if (!ofUse.some((old) => coversVersions(old, right) && coversFacilities(old, right)))
        words.add(
          `${right.model} at ${right.facilities?.join(', ') ?? 'every facility'} for ${audience} and ${purpose}`,
        )
    }
  return [...words]
}

/** Where it cannot be told that a range lies within another, it does not. */
const coversVersions = (old: Entitlement, right: Entitlement): boolean =>
  old.versions === right.versions || semver.subset(right.versions, old.versions)

const coversFacilities = (old: Entitlement, right: Entitlement): boolean =>
  old.facilities === undefined || (right.facilities?.every((facility) => old.facilities?.includes(facility)) ?? false)

function widensRates(before: Rates, after: Rates): readonly string[] {
  return (['requestsPerMinute', 'tokensPerMinute', 'concurrency'] as const).flatMap((rate) => {
    const [was, is] = [before[rate], after[rate]]
    if (was === undefined || (is !== undefined && is <= was)) return []
    return [`${rate}: ${is ?? 'no limit'} instead of ${was}`]
  })
}

function widensBudget(budget: Budget, after: readonly Budget[]): readonly string[] {
  if (budget.overage === 'allow') return []
  const name = budgetName(budget)
  // A budget of the whole limits each part of it as well.
  if (after.some((other) => spans(other, budget) && other.overage === 'deny' && limitOf(other) <= limitOf(budget)))
    return []
  const now = after.find((other) => budgetName(other) === name)
  if (now === undefined) return [`no budget ${name} any more`]
  if (now.overage === 'allow') return [`the budget ${name} is no limit any more`]
  return [`the budget ${name}: ${now.limit} instead of ${budget.limit}`]
}

const spans = (wide: Budget, part: Budget): boolean =>
  wide.meter === part.meter &&
  wide.per === part.per &&
  (['model', 'application', 'facility'] as const).every((name) => wide[name] === undefined || wide[name] === part[name])

const limitOf = ({ limit }: Budget): bigint =>
  typeof limit === 'number' ? BigInt(limit) : BigInt(parseAmount(limit) ?? 0n)

function widensPrivacy(before: LicenseGrant, after: LicenseGrant): readonly string[] {
  const audiences = new Set(after.terms.entitlements.flatMap((right) => right.audiences))
  const strength = (grant: LicenseGrant, audience: Entitlement['audiences'][number]) =>
    privacyModes.indexOf(grant.terms.privacy[audience] ?? 'pass')
  return [...audiences].flatMap((audience) =>
    strength(after, audience) < strength(before, audience)
      ? [
          `content of ${audience} is ${after.terms.privacy[audience] ?? 'pass'} instead of ${before.terms.privacy[audience] ?? 'pass'}`,
        ]
      : [],
  )
}

function widensConditions(before: LicenseGrant, after: LicenseGrant): readonly string[] {
  const words: string[] = []
  for (const { kind, due } of before.terms.attestations ?? []) {
    const now = after.terms.attestations?.find((asked) => asked.kind === kind)
    if (now === undefined) words.push(`no attestation of ${kind} any more`)
    else if (Date.parse(now.due) > Date.parse(due)) words.push(`the attestation of ${kind} is due later, ${now.due}`)
  }
  const [was, is] = [before.terms.breakGlass?.percent ?? 0, after.terms.breakGlass?.percent ?? 0]
  if (is > was) words.push(`break-glass of ${is} % instead of ${was} %`)
  return words
}

const added = (what: string, before: readonly string[], after: readonly string[]): readonly string[] =>
  after.filter((one) => !before.includes(one)).map((one) => `${what} ${one}`)
