import { sql } from 'kysely'
import { z } from 'zod'
import { canonicalJson, instantOf, picos, type Instant, type Picos, type Uuid } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import { basisDocument, parseBasis, type Basis } from './basis.ts'
import { CheckedItem, type LedgerFacts } from './checklist.ts'
import type { FacilitySpan } from './count-days.ts'
import type { Month, Period } from './month.ts'

export const PeriodState = z.enum(['open', 'closing', 'closed'])
export type PeriodState = z.infer<typeof PeriodState>

export interface BillingPeriod {
  readonly license: string
  readonly period: Period
  readonly state: PeriodState
  /** How often it was begun to be closed. */
  readonly closing: number
}

/** The months of a license that anybody began to close, oldest first. */
export async function loadPeriods(tx: Tx, of: { tenantId: Uuid; license: string }): Promise<readonly BillingPeriod[]> {
  const rows = await tx
    .selectFrom('billing_period')
    .selectAll()
    .where('tenant_id', '=', of.tenantId)
    .where('license', '=', of.license)
    .orderBy('period_start')
    .execute()
  return rows.map((row) => ({
    license: row.license,
    period: { start: instantOf(row.period_start), end: instantOf(row.period_end) },
    state: PeriodState.parse(row.state),
    closing: row.closing,
  }))
}

/** One closing or reopening of a license at a time, until the transaction ends. */
export const lockPeriodsOf = async (tx: Tx, tenantId: Uuid): Promise<void> =>
  void (await sql`select pg_advisory_xact_lock(hashtext('formulary.period'), hashtext(${tenantId}))`.execute(tx))

/**
 * Draws the line: every row that is in the ledger now is frozen, every later one is late. Waits for the writers that are at
 * it, and holds up new ones until the transaction ends, so that it is the last thing to do in it. Late rows of earlier
 * months that no month has counted yet count in this one.
 */
export async function freezePeriod(tx: Tx, of: Month): Promise<{ closing: number }> {
  await sql`select pg_advisory_xact_lock(hashtext('formulary.freeze'))`.execute(tx)
  const { closing } = await tx
    .insertInto('billing_period')
    .values({
      tenant_id: of.tenantId,
      license: of.license,
      period_start: new Date(of.period.start),
      period_end: new Date(of.period.end),
      state: 'closing',
      closing: 1,
    })
    .onConflict((conflict) =>
      conflict
        .columns(['tenant_id', 'license', 'period_start'])
        .doUpdateSet((eb) => ({ state: 'closing', closing: eb('billing_period.closing', '+', 1) })),
    )
    .returning('closing')
    .executeTakeFirstOrThrow()
  await tx
    .updateTable('usage_late')
    .set({ counted_in: new Date(of.period.start) })
    .where('tenant_id', '=', of.tenantId)
    .where('license', '=', of.license)
    .where('counted_in', 'is', null)
    .execute()
  return { closing }
}

export async function setPeriodState(tx: Tx, of: Month, state: PeriodState): Promise<void> {
  await tx
    .updateTable('billing_period')
    .set({ state })
    .where('tenant_id', '=', of.tenantId)
    .where('license', '=', of.license)
    .where('period_start', '=', new Date(of.period.start))
    .execute()
}

/** What a closing froze, as it is kept. */
export interface Closing {
  readonly closing: number
  readonly closedAt: Instant
  readonly closedBy: string
  readonly checklist: readonly CheckedItem[]
  readonly rows: bigint
  readonly usageSha256: string
  readonly lateRows: bigint
  readonly lateSha256: string
  readonly basis: Basis
  readonly creditLeft: Picos
  readonly invoice: string | undefined
}

export async function appendClosing(tx: Tx, of: Month, closing: Closing): Promise<void> {
  await tx
    .insertInto('period_closing')
    .values({
      tenant_id: of.tenantId,
      license: of.license,
      period_start: new Date(of.period.start),
      closing: closing.closing,
      closed_at: new Date(closing.closedAt),
      closed_by: closing.closedBy,
      checklist: JSON.stringify(closing.checklist),
      rows: closing.rows,
      usage_sha256: closing.usageSha256,
      late_rows: closing.lateRows,
      late_sha256: closing.lateSha256,
      basis: canonicalJson(basisDocument(closing.basis)),
      credit_left_picos: closing.creditLeft,
      invoice: closing.invoice ?? null,
    })
    .execute()
}

export interface StandingClosing extends Closing {
  readonly period: Period
}

/** The closings of a license that stand, oldest month first: of a month the last one, unless it is open again. */
export async function loadStandingClosings(
  tx: Tx,
  of: { tenantId: Uuid; license: string },
): Promise<readonly StandingClosing[]> {
  const rows = await tx
    .selectFrom('period_closing as c')
    .innerJoin('billing_period as p', (join) =>
      join
        .onRef('p.tenant_id', '=', 'c.tenant_id')
        .onRef('p.license', '=', 'c.license')
        .onRef('p.period_start', '=', 'c.period_start')
        .onRef('p.closing', '=', 'c.closing'),
    )
    .selectAll('c')
    .select('p.period_end')
    .where('c.tenant_id', '=', of.tenantId)
    .where('c.license', '=', of.license)
    .where('p.state', '=', 'closed')
    .orderBy('c.period_start')
    .execute()
  return rows.map((row) => ({
    period: { start: instantOf(row.period_start), end: instantOf(row.period_end) },
    closing: row.closing,
    closedAt: instantOf(row.closed_at),
    closedBy: row.closed_by,
    checklist: z.array(CheckedItem).parse(row.checklist),
    rows: row.rows,
    usageSha256: row.usage_sha256,
    lateRows: row.late_rows,
    lateSha256: row.late_sha256,
    basis: parseBasis(row.basis),
    creditLeft: picos(BigInt(row.credit_left_picos)),
    invoice: row.invoice ?? undefined,
  }))
}

export async function appendReopening(
  tx: Tx,
  of: Month,
  reopening: {
    closing: number
    at: Instant
    by: string
    approvedBy: string
    reason: string
    creditNote: string | undefined
  },
): Promise<void> {
  await tx
    .insertInto('period_reopening')
    .values({
      tenant_id: of.tenantId,
      license: of.license,
      period_start: new Date(of.period.start),
      closing: reopening.closing,
      reopened_at: new Date(reopening.at),
      reopened_by: reopening.by,
      approved_by: reopening.approvedBy,
      reason: reopening.reason,
      credit_note: reopening.creditNote ?? null,
    })
    .execute()
}

/** The tenant's sites. One that came with its tenant is there from the beginning. */
export async function loadFacilitySpans(
  tx: Tx,
  tenantId: Uuid,
): Promise<readonly (FacilitySpan & { readonly name: string })[]> {
  const rows = await tx
    .selectFrom('facility')
    .innerJoin('tenant', 'tenant.tenant_id', 'facility.tenant_id')
    .select(['facility', 'facility.name', 'began_at', 'facility.ended_at', 'created_at'])
    .where('facility.tenant_id', '=', tenantId)
    .orderBy('facility')
    .execute()
  return rows.map((row) => ({
    facility: row.facility,
    name: row.name,
    beganAt: row.began_at <= row.created_at ? undefined : instantOf(row.began_at),
    endedAt: row.ended_at === null ? undefined : instantOf(row.ended_at),
  }))
}

export async function loadLedgerFacts(tx: Tx, of: Month): Promise<LedgerFacts> {
  const [start, end] = [new Date(of.period.start), new Date(of.period.end)]
  const ofMonth = (events: string) => sql`
    select count(*)::integer from ${sql.table(events)} b cross join lateral json_to_recordset(b.events) as e
      ("tenantId" uuid, license text, "startedAt" bigint)
    where e."tenantId" = ${of.tenantId} and e.license = ${of.license}
      and to_timestamp(e."startedAt" / 1000.0) >= ${start} and to_timestamp(e."startedAt" / 1000.0) < ${end}`
  const { rows } = await sql<LedgerFacts>`
    select (select count(*)::integer from reservation where tenant_id = ${of.tenantId}
        and facts->>'license' = ${of.license} and started_at >= ${start} and started_at < ${end}) as "openReservations",
      (${ofMonth('usage_batch')}) as "waitingEvents",
      (${ofMonth('usage_batch_refused')}) as "refusedBatches",
      (select coalesce(sum(requests), 0)::integer from usage_event where tenant_id = ${of.tenantId} and license = ${of.license}
        and started_at >= ${start} and started_at < ${end} and outcome = 'expired') as "expiredCalls"`.execute(tx)
  return rows[0] ?? { openReservations: 0, waitingEvents: 0, refusedBatches: 0, expiredCalls: 0 }
}
