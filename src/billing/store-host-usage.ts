import { sql } from 'kysely'
import type { Instant, Uuid } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import type { Period } from './month.ts'
import type { HostUsage, ReportFormat } from './reconcile/host-usage.ts'

/** The report of a deployment and month that counts: the last one that was imported. */
export interface StandingReport {
  readonly reportId: Uuid
  readonly deployment: string
  readonly periodStart: Date
  readonly sha256: string
  readonly lines: bigint
}

/** The reports that count of the months that begin in [from, to]. */
export async function loadStandingReports(
  tx: Tx,
  of: { from: Instant; to: Instant },
): Promise<readonly StandingReport[]> {
  const { rows } = await sql<StandingReport>`
    select distinct on (period_start, deployment) report_id as "reportId", deployment, period_start as "periodStart", sha256,
      lines
    from host_report where period_start between ${new Date(of.from)} and ${new Date(of.to)}
    order by period_start, deployment, report_seq desc`.execute(tx)
  return rows
}

/** One import or run of a month at a time, until the transaction ends. */
export const lockReconciliation = async (tx: Tx, { start }: Period): Promise<void> =>
  void (await sql`select pg_advisory_xact_lock(hashtext('formulary.reconcile'), hashtext(${String(start)}))`.execute(
    tx,
  ))

export async function isDeployment(tx: Tx, deployment: string): Promise<boolean> {
  const row = await tx
    .selectFrom('deployment')
    .select('deployment')
    .where('deployment', '=', deployment)
    .limit(1)
    .execute()
  return row.length > 0
}

export async function deploymentNames(tx: Tx): Promise<readonly string[]> {
  const rows = await tx
    .selectFrom('deployment')
    .select('deployment')
    .distinct()
    .orderBy('deployment')
    .limit(20)
    .execute()
  return rows.map(({ deployment }) => deployment)
}

export async function appendReport(
  tx: Tx,
  report: {
    deployment: string
    period: Period
    format: ReportFormat
    sha256: string
    lines: number
    importedAt: Instant
    importedBy: string
  },
): Promise<Uuid> {
  const { report_id } = await tx
    .insertInto('host_report')
    .values({
      deployment: report.deployment,
      period_start: new Date(report.period.start),
      format: report.format,
      sha256: report.sha256,
      lines: BigInt(report.lines),
      imported_at: new Date(report.importedAt),
      imported_by: report.importedBy,
    })
    .returning('report_id')
    .executeTakeFirstOrThrow()
  return report_id
}

/** A page of a report's lines, in one statement. */
export async function appendHostUsage(tx: Tx, reportId: Uuid, rows: readonly HostUsage[]): Promise<void> {
  await sql`
    insert into host_usage (report_id, line, request_id, at, attempt, model, version, input_units, output_units, status, tenant)
    select ${reportId}, line, request_id, to_timestamp(at / 1000.0), attempt, model, version, input_units, output_units, status,
      tenant
    from unnest(${rows.map((row) => row.line)}::integer[], ${rows.map((row) => row.requestId ?? null)}::uuid[],
      ${rows.map((row) => row.at)}::bigint[], ${rows.map((row) => row.attempt)}::smallint[],
      ${rows.map((row) => row.model)}::text[], ${rows.map((row) => row.version ?? null)}::text[],
      ${rows.map((row) => String(row.inputUnits))}::bigint[], ${rows.map((row) => String(row.outputUnits))}::bigint[],
      ${rows.map((row) => row.status)}::smallint[], ${rows.map((row) => row.tenant ?? null)}::text[])
      as r (line, request_id, at, attempt, model, version, input_units, output_units, status, tenant)`.execute(tx)
}
