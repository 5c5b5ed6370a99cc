import { z } from 'zod'
import type { Instant } from '../kernel/index.ts'
import { budgetName, licenseState, revisionAt, type LicenseFacts } from '../licensing/index.ts'
import { planRevisionAt } from '../billing/index.ts'
import { limitOf, periodOf } from '../quota/index.ts'
import type { OverviewFacts, UseSum } from './load-overview.ts'
import { standingOf, type Standing } from './standing.ts'
import type { TenantCursor, TenantRow, UseRow } from './store.ts'
import {
  budgetInWords,
  counted,
  countOf,
  dayOf,
  kindInWords,
  moneyOf,
  monthOf,
  stageInWords,
  stateInWords,
  usedInWords,
} from './words.ts'

/** The page as text, row by row. */
export interface Overview {
  /** Of one organization, for its own people. */
  readonly isOfOne: boolean
  /** Undefined: nobody is declared as the owner. */
  readonly owner: string | undefined
  readonly month: string
  readonly licensees: string
  readonly totals: { readonly calls: string; readonly charged: string }
  /** What was asked for, to stand in the form again. */
  readonly find: string
  readonly standing: Standing | undefined
  /** How many organizations it is true of, and where those on the next page begin. */
  readonly found: string
  readonly isFiltered: boolean
  readonly isFirstPage: boolean
  readonly next: string | undefined
  readonly tenants: readonly {
    readonly name: string
    readonly tenant: string
    readonly kind: string
    readonly size: string
    readonly license: string
    readonly state: string
    readonly isInForce: boolean
    readonly plan: string
    readonly keys: string
  }[]
  /** Undefined: it could not be added up in time. */
  readonly use: readonly UseLine[] | undefined
  readonly budgets: readonly BudgetLine[]
  readonly models: readonly {
    readonly title: string
    readonly model: string
    readonly version: string
    readonly reach: string
    readonly isRecalled: boolean
    readonly regions: string
  }[]
}

interface UseLine {
  readonly name: string
  readonly calls: string
  readonly inputTokens: string
  readonly outputTokens: string
  readonly inferences: string
  readonly charge: string
}

interface BudgetLine {
  readonly name: string
  readonly budget: string
  readonly used: string
  /** Undefined: counted, not limited. */
  readonly meter: { readonly share: number; readonly label: string } | undefined
  readonly until: string
}

export function overviewOf(facts: OverviewFacts): Overview {
  const { now, tenants, asked } = facts
  const licenseOf = (tenant: TenantRow) => licenseNow(facts.licenses, tenant, now)
  return {
    isOfOne: facts.isOfOne,
    owner: facts.owner === '' ? undefined : facts.owner,
    month: monthOf(now),
    licensees: countOf(facts.licensees),
    totals: totalsOf(facts.use?.ofAll),
    find: asked.find,
    standing: asked.standing,
    found: counted(facts.found, 'organization', 'organizations'),
    isFiltered: asked.find !== '' || asked.standing !== undefined,
    isFirstPage: asked.after === undefined,
    next: facts.hasMore ? cursorText(tenants.at(-1)) : undefined,
    tenants: tenants.map((tenant) => tenantLine(tenant, licenseOf(tenant), now)),
    use: facts.use === undefined ? undefined : useLines(tenants, facts.use.ofTenants),
    budgets: tenants.flatMap((tenant) => budgetLines(facts, tenant, licenseOf(tenant))),
    models: [...facts.catalog.values()].flatMap(({ title, model, versions }) =>
      [...versions.values()].map(({ version, stage, recalledAt, regions }) => ({
        title,
        model,
        version,
        reach: recalledAt === undefined ? stageInWords(stage) : `Recalled on ${dayOf(recalledAt)}`,
        isRecalled: recalledAt !== undefined,
        regions: [...regions].toSorted().join(', '),
      })),
    ),
  }
}

function totalsOf(use: readonly UseSum[] | undefined): Overview['totals'] {
  if (use === undefined) return { calls: 'Not known', charged: 'Not known' }
  const calls = use.reduce((sum, row) => sum + row.calls, 0n)
  // What is in different currencies is never added up.
  const charges = use.map(({ charge, currency }) => moneyOf(charge, currency))
  return { calls: countOf(calls), charged: charges.length === 0 ? 'Nothing' : charges.join(', ') }
}

/** Where a page of organizations ends, for the address of the next one. */
const cursorText = (last: TenantRow | undefined): string | undefined =>
  last === undefined ? undefined : JSON.stringify([last.kind === 'owner' ? 1 : 0, last.name, last.tenant])

const Cursor = z.tuple([z.union([z.literal(0), z.literal(1)]), z.string().max(400), z.string().max(200)])

/** Whatever is no cursor of ours is the first page. */
export function readCursor(text: string | undefined): TenantCursor | undefined {
  if (text === undefined || text.length > 1000) return undefined
  try {
    const read = Cursor.safeParse(JSON.parse(text))
    return read.success ? { isOwner: read.data[0] === 1, name: read.data[1], tenant: read.data[2] } : undefined
  } catch {
    return undefined
  }
}

interface LicenseNow {
  readonly facts: LicenseFacts
  readonly revision: LicenseFacts['revisions'][number]
  readonly state: ReturnType<typeof licenseState>
}

/** The license in force; if none is, the newest. */
function licenseNow(licenses: readonly LicenseFacts[], tenant: TenantRow, now: Instant): LicenseNow | undefined {
  const own = licenses.flatMap((facts): LicenseNow[] => {
    const revision = facts.tenantId === tenant.tenantId ? (revisionAt(facts, now) ?? facts.revisions[0]) : undefined
    return revision === undefined ? [] : [{ facts, revision, state: licenseState(facts, revision, now) }]
  })
  return own.find(isInForce) ?? own.at(-1)
}

const isInForce = ({ state }: LicenseNow): boolean => standingOf(state) === 'in-force'

function tenantLine(tenant: TenantRow, license: LicenseNow | undefined, now: Instant): Overview['tenants'][number] {
  return {
    name: tenant.name,
    tenant: tenant.tenant,
    kind: kindInWords(tenant.kind),
    size: `${counted(tenant.facilities, 'facility', 'facilities')}, ${counted(tenant.applications, 'application', 'applications')}`,
    license: license?.facts.license ?? 'None',
    state: license === undefined ? 'May not call any model' : stateWithSince(license, now),
    isInForce: license !== undefined && isInForce(license),
    plan: license?.revision.plan ?? '',
    keys: tenant.keys === 0 ? 'None' : countOf(tenant.keys),
  }
}

/** A suspension is told with its beginning, which the state itself does not need. */
function stateWithSince({ facts, revision, state }: LicenseNow, now: Instant): string {
  const words = stateInWords(state, revision.termEnd)
  if (state.state !== 'suspended') return words
  const since = facts.acts.findLast((act) => act.act === 'suspend' && act.effectiveAt <= now)
  return since === undefined ? words : words.replace('Suspended', `Suspended on ${dayOf(since.effectiveAt)},`)
}

const useLines = (tenants: readonly TenantRow[], use: readonly UseRow[]): readonly UseLine[] =>
  tenants.flatMap(({ tenantId, name }) =>
    use
      .filter((row) => row.tenantId === tenantId)
      .map((row) => ({
        name,
        calls: countOf(row.calls),
        inputTokens: countOf(row.inputTokens),
        outputTokens: countOf(row.outputTokens),
        inferences: countOf(row.inferences),
        charge: moneyOf(row.charge, row.currency),
      })),
  )

function budgetLines(facts: OverviewFacts, tenant: TenantRow, license: LicenseNow | undefined): readonly BudgetLine[] {
  if (license === undefined || !isInForce(license)) return []
  const { revision } = license
  const currency = planRevisionAt(facts.prices, revision.plan, facts.now)?.currency ?? ''
  return revision.terms.budgets.map((budget) => {
    const period = periodOf(budget.per, { start: revision.termStart, end: revision.termEnd }, facts.now)
    const account = facts.accounts.find(
      (row) =>
        row.tenantId === tenant.tenantId &&
        row.license === license.facts.license &&
        row.budget === budgetName(budget) &&
        row.periodStart === period.start,
    )
    const used = account?.used ?? 0n
    const { limit } = limitOf(budget, revision.revision)
    return {
      name: tenant.name,
      budget: budgetInWords(budget),
      used: usedInWords(budget, used, limit, currency),
      meter: limit === null ? undefined : meterOf(used, limit),
      until: `${dayOf(period.end)}${budget.per === 'term' ? ', the end of the term' : ''}`,
    }
  })
}

function meterOf(used: bigint, limit: bigint): { share: number; label: string } {
  const perMille = Number((used * 1000n) / limit)
  const percent = used > 0n && perMille === 0 ? 'under 0.1 %' : `${(perMille / 10).toFixed(1)} %`
  return { share: Math.min(1, perMille / 1000), label: percent }
}
