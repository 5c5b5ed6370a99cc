import { sql } from 'kysely'
import { z } from 'zod'
import { instantOf, picos, type Instant, type Picos, type Uuid } from '../kernel/index.ts'
import { houseId } from '../audit/index.ts'
import type { Tx } from '../db/index.ts'
import { monthOf, type Month, type Period } from './month.ts'
import { DifferenceClass } from './reconcile/difference.ts'
import type { FoundDifference } from './reconcile/exception.ts'
import { Figures } from './reconcile/figures.ts'

export async function takeRunId(tx: Tx): Promise<Uuid> {
  const { rows } = await sql<{ id: Uuid }>`select uuidv7() as id`.execute(tx)
  return z.string().parse(rows[0]?.id)
}

/**
 * Notes differences that a run has found. One that was found before, with the same amounts on both sides, is the same
 * exception still, in whatever way it was worked off; one that was matched meanwhile and is back is open again.
 */
export async function noteDifferences(
  tx: Tx,
  run: { runId: Uuid; period: Period },
  found: readonly FoundDifference[],
): Promise<void> {
  const rows = found.map((one) => ({
    tenant_id: one.tenantId ?? houseId,
    class: one.class,
    subject: one.subject,
    license: one.license,
    ours_units: String(one.ours.input + one.ours.output),
    theirs_units: String(one.theirs.input + one.theirs.output),
    ours_picos: String(one.oursPicos),
    theirs_picos: String(one.theirsPicos),
    currency: one.currency,
    facts: one.facts,
    fingerprint: one.fingerprint,
  }))
  await sql`
    insert into reconciliation_exception as x (tenant_id, period_start, class, subject, license, ours_units, theirs_units,
      ours_picos, theirs_picos, currency, facts, fingerprint, first_run, last_run)
    select tenant_id, ${new Date(run.period.start)}, class, subject, license, ours_units, theirs_units, ours_picos,
      theirs_picos, currency, facts, fingerprint, ${run.runId}, ${run.runId}
    from json_to_recordset(${JSON.stringify(rows)}::json) as r (tenant_id uuid, class text, subject text, license text,
      ours_units numeric, theirs_units numeric, ours_picos numeric, theirs_picos numeric, currency text, facts jsonb,
      fingerprint text)
    on conflict (period_start, class, subject, fingerprint) do update set last_run = excluded.last_run,
      facts = excluded.facts,
      state = case when x.state = 'matched' then 'open' else x.state end,
      ended_at = case when x.state = 'matched' then null else x.ended_at end,
      ended_by = case when x.state = 'matched' then null else x.ended_by end,
      reason = case when x.state = 'matched' then null else x.reason end`.execute(tx)
}

/** What was open and is not there any more has been matched by what came since. @returns how many. */
export async function endMatched(
  tx: Tx,
  run: { runId: Uuid; period: Period; by: string; now: Instant },
): Promise<number> {
  const done = await tx
    .updateTable('reconciliation_exception')
    .set({ state: 'matched', ended_at: new Date(run.now), ended_by: run.by, reason: 'a later run finds no difference' })
    .where('period_start', '=', new Date(run.period.start))
    .where('state', '=', 'open')
    .where('last_run', '<>', run.runId)
    .executeTakeFirst()
  return Number(done.numUpdatedRows)
}

export async function appendRun(
  tx: Tx,
  run: { runId: Uuid; period: Period; by: string; now: Instant; reports: readonly Uuid[]; figures: Figures },
): Promise<void> {
  await tx
    .insertInto('reconciliation')
    .values({
      run_id: run.runId,
      period_start: new Date(run.period.start),
      run_at: new Date(run.now),
      run_by: run.by,
      reports: [...run.reports],
      figures: JSON.stringify(run.figures),
    })
    .execute()
}

/** A look at a month, as it was entered. */
export interface Reconciliation {
  readonly runId: Uuid
  readonly period: Period
  readonly runAt: Instant
  readonly runBy: string
  readonly reports: readonly Uuid[]
  readonly figures: Figures
}

/** The last run of each month, the newest month first; of one month when it is named. */
export async function loadReconciliations(tx: Tx, period?: Period): Promise<readonly Reconciliation[]> {
  const rows = await tx
    .selectFrom('reconciliation')
    .distinctOn('period_start')
    .selectAll()
    .$if(period !== undefined, (query) => query.where('period_start', '=', new Date(period?.start ?? 0)))
    .orderBy('period_start', 'desc')
    .orderBy('run_seq', 'desc')
    .limit(120)
    .execute()
  return rows.map((row) => ({
    runId: row.run_id,
    period: monthOf(instantOf(row.period_start)),
    runAt: instantOf(row.run_at),
    runBy: row.run_by,
    reports: row.reports,
    figures: Figures.parse(row.figures),
  }))
}

export const ExceptionState = z.enum(['open', 'matched', 'corrected', 'accepted'])
export type ExceptionState = z.infer<typeof ExceptionState>

/** A difference on its way to being worked off. */
export interface KeptException {
  readonly exceptionId: Uuid
  /** Undefined: nobody knows whose it is. */
  readonly tenant: string | undefined
  readonly tenantId: Uuid | undefined
  readonly period: Period
  readonly class: DifferenceClass
  readonly subject: string
  readonly license: string | undefined
  readonly oursUnits: bigint
  readonly theirsUnits: bigint
  readonly oursPicos: Picos
  readonly theirsPicos: Picos
  readonly currency: string | undefined
  readonly facts: unknown
  readonly fingerprint: string
  readonly state: ExceptionState
  readonly endedAt: Instant | undefined
  readonly endedBy: string | undefined
  readonly approvedBy: string | undefined
  readonly reason: string | undefined
  readonly correction: unknown
}

export interface ExceptionFilter {
  readonly period?: Period | undefined
  readonly state?: ExceptionState | undefined
  readonly class?: DifferenceClass | undefined
  readonly exceptionId?: Uuid | undefined
  readonly tenant?: string | undefined
  readonly after?: Uuid | undefined
  readonly limit: number
}

/** In the order in which they were found. */
export async function loadExceptions(tx: Tx, filter: ExceptionFilter): Promise<readonly KeptException[]> {
  const { period, state, class: ofClass, exceptionId, tenant, after, limit } = filter
  const rows = await tx
    .selectFrom('reconciliation_exception as x')
    .leftJoin('tenant', 'tenant.tenant_id', 'x.tenant_id')
    .selectAll('x')
    .select('tenant.tenant')
    .$if(period !== undefined, (query) => query.where('x.period_start', '=', new Date(period?.start ?? 0)))
    .$if(state !== undefined, (query) => query.where('x.state', '=', state ?? ''))
    .$if(ofClass !== undefined, (query) => query.where('x.class', '=', ofClass ?? ''))
    .$if(exceptionId !== undefined, (query) => query.where('x.exception_id', '=', exceptionId ?? ''))
    .$if(tenant !== undefined, (query) => query.where('tenant.tenant', '=', tenant ?? ''))
    .$if(after !== undefined, (query) => query.where('x.exception_id', '>', after ?? ''))
    .orderBy('x.exception_id')
    .limit(limit)
    .execute()
  return rows.map((row) => ({
    exceptionId: row.exception_id,
    tenant: row.tenant ?? undefined,
    tenantId: row.tenant_id === houseId ? undefined : row.tenant_id,
    period: monthOf(instantOf(row.period_start)),
    class: DifferenceClass.parse(row.class),
    subject: row.subject,
    license: row.license ?? undefined,
    oursUnits: BigInt(row.ours_units),
    theirsUnits: BigInt(row.theirs_units),
    oursPicos: picos(BigInt(row.ours_picos)),
    theirsPicos: picos(BigInt(row.theirs_picos)),
    currency: row.currency ?? undefined,
    facts: row.facts,
    fingerprint: row.fingerprint,
    state: ExceptionState.parse(row.state),
    endedAt: row.ended_at === null ? undefined : instantOf(row.ended_at),
    endedBy: row.ended_by ?? undefined,
    approvedBy: row.approved_by ?? undefined,
    reason: row.reason ?? undefined,
    correction: row.correction,
  }))
}

/** Held until the transaction ends, so that two who work on it at once do so one after the other. */
export async function holdException(tx: Tx, exceptionId: Uuid): Promise<KeptException | undefined> {
  await sql`select 1 from reconciliation_exception where exception_id = ${exceptionId} for update`.execute(tx)
  const [found] = await loadExceptions(tx, { exceptionId, limit: 1 })
  return found
}

export async function endException(
  tx: Tx,
  exceptionId: Uuid,
  end: {
    state: 'corrected' | 'accepted'
    now: Instant
    by: string
    approvedBy: string | undefined
    reason: string
    correction: readonly object[] | undefined
  },
): Promise<void> {
  await tx
    .updateTable('reconciliation_exception')
    .set({
      state: end.state,
      ended_at: new Date(end.now),
      ended_by: end.by,
      approved_by: end.approvedBy ?? null,
      reason: end.reason,
      correction: end.correction === undefined ? null : JSON.stringify(end.correction),
    })
    .where('exception_id', '=', exceptionId)
    .execute()
}

/** Exceptions of a month by class and state. */
export async function countExceptions(
  tx: Tx,
  period: Period,
): Promise<readonly { readonly class: DifferenceClass; readonly state: ExceptionState; readonly count: number }[]> {
  const { rows } = await sql<{ class: string; state: string; count: number }>`
    select class, state, count(*)::integer as count from reconciliation_exception
    where period_start = ${new Date(period.start)} group by 1, 2 order by 1, 2`.execute(tx)
  return rows.map((row) => ({
    class: DifferenceClass.parse(row.class),
    state: ExceptionState.parse(row.state),
    count: row.count,
  }))
}

/** What stands between a month of a license and its close. */
export interface ReconciledFacts {
  /** Whether a report of a host was ever imported of this month or one before it. */
  readonly isSetUp: boolean
  readonly hasRun: boolean
  /** Reports that came after the last run. */
  readonly newReports: number
  /** Differences that are open: the license's own, its tenant's, and those of which nobody knows whose they are. */
  readonly open: number
  /** Deployments that served the license in the month and of which no report stands. */
  readonly unreported: readonly string[]
}

export async function loadReconciledFacts(tx: Tx, { tenantId, license, period }: Month): Promise<ReconciledFacts> {
  const [start, end] = [new Date(period.start), new Date(period.end)]
  const { rows } = await sql<ReconciledFacts>`
    with last as (
      select reports from reconciliation where period_start = ${start} order by run_seq desc limit 1)
    select exists (select from host_report where period_start <= ${start}) as "isSetUp",
      exists (select from last) as "hasRun",
      (select count(*)::integer from host_report r where r.period_start = ${start}
        and not exists (select from host_report newer where newer.period_start = r.period_start
          and newer.deployment = r.deployment and newer.report_seq > r.report_seq)
        and not exists (select from last where r.report_id = any(last.reports))) as "newReports",
      (select count(*)::integer from reconciliation_exception where period_start = ${start} and state = 'open'
        and (tenant_id = ${houseId} or (tenant_id = ${tenantId} and (license is null or license = ${license})))) as open,
      array(select distinct e.deployment from usage_event e where e.tenant_id = ${tenantId} and e.license = ${license}
        and e.started_at >= ${start} and e.started_at < ${end} and e.requests <> 0
        and not exists (select from host_report r where r.period_start = ${start} and r.deployment = e.deployment)
        order by 1) as unreported`.execute(tx)
  return rows[0] ?? { isSetUp: false, hasRun: false, newReports: 0, open: 0, unreported: [] }
}
