import { sql } from 'kysely'
import { picos, type Instant, type Picos, type Uuid } from '../kernel/index.ts'
import { planByValues, type Tx } from '../db/index.ts'
import { TenantKind } from '../identity/index.ts'
import type { Standing } from './standing.ts'

export interface TenantRow {
  readonly tenantId: Uuid
  readonly tenant: string
  readonly name: string
  readonly kind: TenantKind
  readonly facilities: number
  readonly applications: number
  /** Keys that work now. */
  readonly keys: number
}

/** Where a page of tenants ends: their order is the owner first, then by name. */
export interface TenantCursor {
  readonly isOwner: boolean
  readonly name: string
  readonly tenant: string
}

/**
 * A page of tenants that have not ended, the owner first, and how many there are of them in all. Their parts are counted for
 * the page alone.
 */
export async function findTenants(
  tx: Tx,
  asked: {
    readonly now: Instant
    /** A part of a name, whatever it contains. */
    readonly find: string
    readonly standing: Standing | undefined
    readonly after: TenantCursor | undefined
    readonly limit: number
  },
): Promise<{ readonly tenants: readonly TenantRow[]; readonly found: number; readonly licensees: number }> {
  const { now, find, standing, after, limit } = asked
  const at = new Date(now)
  const pattern = `%${find.replaceAll(/[\\%_]/g, (letter) => `\\${letter}`)}%`
  const isFound =
    find === '' ? sql<boolean>`true` : sql<boolean>`(t.name ilike ${pattern} or t.tenant ilike ${pattern})`
  const stands = standing === undefined ? sql<boolean>`true` : sql<boolean>`${standingOf(at)} = ${standing}`
  const isLater =
    after === undefined
      ? sql<boolean>`true`
      : sql<boolean>`(f.kind <> 'owner', f.name, f.tenant) > (${!after.isOwner}::boolean, ${after.name}, ${after.tenant})`
  const { rows } = await sql<{
    tenant_id: Uuid | null
    tenant: string
    name: string
    kind: string
    facilities: number
    applications: number
    keys: number
    found: number
    licensees: number
  }>`
    with f as materialized (
      select t.tenant_id, t.tenant, t.name, t.kind from tenant t where t.ended_at is null and ${isFound} and ${stands})
    select s.found, s.licensees, p.*
    from (select (select count(*)::integer from f) as found,
      (select count(*)::integer from tenant where ended_at is null and kind <> 'owner') as licensees) s
    left join lateral (
      select f.*,
        (select count(*)::integer from facility c where c.tenant_id = f.tenant_id and c.ended_at is null) as facilities,
        (select count(*)::integer from application a where a.tenant_id = f.tenant_id and a.ended_at is null)
          as applications,
        (select count(*)::integer from api_key k join application a using (tenant_id, application)
         where k.tenant_id = f.tenant_id and a.ended_at is null and k.expires_at > ${at}
           and (k.revoked_at is null or k.revoked_at > ${at})) as keys
      from (select * from f where ${isLater} order by f.kind <> 'owner', f.name, f.tenant limit ${limit}) f) p on true
    order by p.kind <> 'owner', p.name, p.tenant`.execute(tx)
  return {
    found: rows[0]?.found ?? 0,
    licensees: rows[0]?.licensees ?? 0,
    tenants: rows.flatMap((row) =>
      row.tenant_id === null
        ? []
        : [
            {
              tenantId: row.tenant_id,
              tenant: row.tenant,
              name: row.name,
              kind: TenantKind.parse(row.kind),
              facilities: row.facilities,
              applications: row.applications,
              keys: row.keys,
            },
          ],
    ),
  }
}

/**
 * How a tenant's license stands at an instant, in the database's words: of the one in force, else of the newest. The rule is
 * `licenseState`'s; a test holds the two together.
 */
const standingOf = (at: Date) => sql<string>`coalesce((
  select s.standing from (
    select l.created_at, l.license, case
      when exists (select from license_act a where a.tenant_id = l.tenant_id and a.license = l.license
        and a.effective_at <= ${at} and a.act in ('revoke', 'terminate', 'transfer')) then 'ended'
      when h.act = 'suspend' and (h.until_at is null or ${at} < h.until_at) then 'suspended'
      when d.act = 'draft' or ${at} < r.term_start or ${at} < r.effective_at then 'waiting'
      when ${at} < case when r.terms ->> 'expiry' = 'stop' then r.term_end
        else r.term_end + r.grace_days * interval '24 hours' end then 'in-force'
      else 'ended' end as standing
    from license l
    join lateral (
      select v.* from license_revision v where v.tenant_id = l.tenant_id and v.license = l.license
      order by v.effective_at <= ${at} desc, case when v.effective_at <= ${at} then v.effective_at end desc,
        case when v.effective_at <= ${at} then v.revision end desc, v.revision limit 1) r on true
    left join lateral (
      select a.act, a.until_at from license_act a where a.tenant_id = l.tenant_id and a.license = l.license
        and a.effective_at <= ${at} and a.act in ('suspend', 'resume')
      order by a.effective_at desc, a.recorded_at desc, a.act_id desc limit 1) h on true
    left join lateral (
      select a.act from license_act a where a.tenant_id = l.tenant_id and a.license = l.license
        and a.effective_at <= ${at} and a.act in ('draft', 'activate')
      order by a.effective_at desc, a.recorded_at desc, a.act_id desc limit 1) d on true
    where l.tenant_id = t.tenant_id) s
  order by s.standing = 'in-force' desc, s.created_at desc limit 1), 'none')`

export interface AccountRow {
  readonly tenantId: Uuid
  readonly license: string
  readonly budget: string
  readonly periodStart: Instant
  readonly used: bigint
  readonly held: bigint
}

/** The accounts of budgets whose period runs, of these tenants. What is used inside leases is used. */
export async function loadAccounts(tx: Tx, tenantIds: readonly Uuid[], now: Instant): Promise<readonly AccountRow[]> {
  const { rows } = await sql<{
    tenant_id: Uuid
    license: string
    budget: string
    period_start: Date
    used: string
    held: string
  }>`
    select a.tenant_id, a.license, a.budget, a.period_start,
      a.settled + coalesce(sum(l.used), 0) as used, a.leased - coalesce(sum(l.used), 0) as held
    from budget_account a left join budget_lease l using (tenant_id, license, budget, period_start)
    where a.tenant_id = any(${tenantIds}::uuid[]) and a.budget <> 'concurrency'
      and a.period_start <= ${new Date(now)} and a.period_end > ${new Date(now)}
    group by a.tenant_id, a.license, a.budget, a.period_start`.execute(tx)
  return rows.map((row) => ({
    tenantId: row.tenant_id,
    license: row.license,
    budget: row.budget,
    periodStart: row.period_start.getTime() as Instant,
    used: BigInt(row.used),
    held: BigInt(row.held),
  }))
}

export interface UseRow {
  readonly tenantId: Uuid
  readonly currency: string
  readonly calls: bigint
  readonly inputTokens: bigint
  readonly outputTokens: bigint
  readonly inferences: bigint
  readonly charge: Picos
}

/** What of a month was used by all tenants together, by currency: from the days as they are added up already. */
export async function sumAllUse(
  tx: Tx,
  period: { from: Instant; to: Instant },
): Promise<readonly Pick<UseRow, 'currency' | 'calls' | 'charge'>[]> {
  await planByValues(tx)
  const { rows } = await sql<{ currency: string; calls: string; charge_picos: string }>`
    select currency, sum(requests) as calls, sum(charge_picos) as charge_picos from usage_day
    where day >= (${new Date(period.from)}::timestamptz at time zone 'UTC')::date
      and day < (${new Date(period.to)}::timestamptz at time zone 'UTC')::date
    group by currency order by currency`.execute(tx)
  return rows.map((row) => ({
    currency: row.currency,
    calls: BigInt(row.calls),
    charge: picos(BigInt(row.charge_picos)),
  }))
}

/** Sums of whole days of the ledger for these tenants. */
export async function sumUse(
  tx: Tx,
  tenantIds: readonly Uuid[],
  period: { from: Instant; to: Instant },
): Promise<readonly UseRow[]> {
  await planByValues(tx)
  const { rows } = await sql<{
    tenant_id: Uuid
    currency: string
    calls: string
    input_tokens: string
    output_tokens: string
    inferences: string
    charge_picos: string
  }>`
    select tenant_id, currency, sum(requests) as calls, sum(input_tokens) as input_tokens,
      sum(output_tokens) as output_tokens, sum(inferences) as inferences, sum(charge_picos) as charge_picos
    from usage_day
    where tenant_id = any(${tenantIds}::uuid[])
      and day >= (${new Date(period.from)}::timestamptz at time zone 'UTC')::date
      and day < (${new Date(period.to)}::timestamptz at time zone 'UTC')::date
    group by tenant_id, currency order by tenant_id, currency`.execute(tx)
  return rows.map((row) => ({
    tenantId: row.tenant_id,
    currency: row.currency,
    calls: BigInt(row.calls),
    inputTokens: BigInt(row.input_tokens),
    outputTokens: BigInt(row.output_tokens),
    inferences: BigInt(row.inferences),
    charge: picos(BigInt(row.charge_picos)),
  }))
}

/** An organization by its short name or its id, also one that has ended: its invoices stay. */
export async function findTenant(
  tx: Tx,
  of: { readonly tenant: string } | { readonly tenantId: Uuid },
): Promise<{ tenantId: Uuid; tenant: string; name: string } | undefined> {
  const row = await tx
    .selectFrom('tenant')
    .select(['tenant_id', 'tenant', 'name'])
    .where(({ eb }) => ('tenant' in of ? eb('tenant', '=', of.tenant) : eb('tenant_id', '=', of.tenantId)))
    .executeTakeFirst()
  return row === undefined ? undefined : { tenantId: row.tenant_id, tenant: row.tenant, name: row.name }
}
