import { sql } from 'kysely'
import { picos, type Instant, type Picos, type Uuid } from '../kernel/index.ts'
import { planByValues, type Tx } from '../db/index.ts'
import { TenantKind } from '../identity/index.ts'
import { usageOver } from '../metering/index.ts'

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

/** Tenants that have not ended, the owner first; so many at most, and how many there are. */
export async function loadTenants(
  tx: Tx,
  now: Instant,
  rowsMax: number,
): Promise<{ readonly tenants: readonly TenantRow[]; readonly all: number }> {
  const at = new Date(now)
  const { rows } = await sql<{
    tenant_id: Uuid
    tenant: string
    name: string
    kind: string
    facilities: number
    applications: number
    keys: number
    all_tenants: number
  }>`
    select t.tenant_id, t.tenant, t.name, t.kind, (count(*) over ())::integer as all_tenants,
      (select count(*)::integer from facility f where f.tenant_id = t.tenant_id and f.ended_at is null) as facilities,
      (select count(*)::integer from application a where a.tenant_id = t.tenant_id and a.ended_at is null)
        as applications,
      (select count(*)::integer from api_key k join application a using (tenant_id, application)
       where k.tenant_id = t.tenant_id and a.ended_at is null and k.expires_at > ${at}
         and (k.revoked_at is null or k.revoked_at > ${at})) as keys
    from tenant t where t.ended_at is null
    order by t.kind <> 'owner', t.name, t.tenant limit ${rowsMax}`.execute(tx)
  return {
    all: rows[0]?.all_tenants ?? 0,
    tenants: rows.map((row) => ({
      tenantId: row.tenant_id,
      tenant: row.tenant,
      name: row.name,
      kind: TenantKind.parse(row.kind),
      facilities: row.facilities,
      applications: row.applications,
      keys: row.keys,
    })),
  }
}

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

/** Sums of the ledger over [from, to) for these tenants. */
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
    from ${usageOver(period)} u
    where tenant_id = any(${tenantIds}::uuid[])
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
