import { err, ok, type Instant, type Result, type StartSha256, type Uuid } from '../../kernel/index.ts'
import { appendAuditEntry } from '../../audit/index.ts'
import { systemTransaction, type Database } from '../../db/index.ts'
import { agentOf, type Actor } from '../../identity/index.ts'
import { monthName, type Period } from '../month.ts'
import {
  appendHostUsage,
  appendReport,
  deploymentNames,
  isDeployment,
  loadStandingReports,
  lockReconciliation,
} from '../store-host-usage.ts'
import type { HostUsage, ReportFormat } from './host-usage.ts'
import type { ReportProblem } from './read-report-line.ts'
import { readReport } from './read-report.ts'

export type ImportRefusal =
  | { reason: 'deployment_not_found'; deployment: string; known: readonly string[] }
  | { reason: 'report_unreadable'; problems: readonly ReportProblem[]; problemsInAll: number }
  | { reason: 'report_changed_meanwhile' }

export interface Imported {
  readonly deployment: string
  readonly period: Period
  readonly lines: number
  readonly sha256: string
  /** Undefined: the same bytes stand already, and nothing was done. */
  readonly reportId: Uuid | undefined
}

/** So many bad lines are named; of the others their number. */
export const problemsNamedMax = 20
const rowsPerInsert = 5_000

/**
 * Takes in what a model host says that a deployment served in a month. It is read twice: the first time every line is
 * checked and the bytes are hashed, the second time it is written in one transaction, so that nothing stands half imported
 * and the memory that it takes does not grow with it. The last report of a deployment and month counts.
 */
export async function importHostUsage(
  needs: { database: Database; startSha256: StartSha256 },
  wish: {
    deployment: string
    period: Period
    format: ReportFormat
    /** Begins to read it, from the first byte on. */
    readonly open: () => AsyncIterable<string>
    actor: Actor
    now: Instant
  },
): Promise<Result<Imported, ImportRefusal>> {
  const { deployment, period, format, open, actor, now } = wish
  const known = await systemTransaction(needs.database, 'bill', async (tx) =>
    (await isDeployment(tx, deployment)) ? undefined : deploymentNames(tx),
  )
  if (known !== undefined) return err({ reason: 'deployment_not_found', deployment, known })
  const checked = await checkReport(open(), format, needs.startSha256)
  if (!checked.ok) return checked
  const { lines, sha256 } = checked.value
  const imported = { deployment, period, lines, sha256 }
  return systemTransaction(needs.database, 'bill', async (tx): Promise<Result<Imported, ImportRefusal>> => {
    await lockReconciliation(tx, period)
    const standing = await loadStandingReports(tx, { from: period.start, to: period.start })
    if (standing.some((one) => one.deployment === deployment && one.sha256 === sha256))
      return ok({ ...imported, reportId: undefined })
    const report = { deployment, period, format, sha256, lines, importedAt: now, importedBy: actor.name }
    const reportId = await appendReport(tx, report)
    const digest = needs.startSha256()
    let waiting: HostUsage[] = []
    for await (const { rows } of readReport(hashed(open(), digest), format)) {
      for (const row of rows) waiting.push(row)
      if (waiting.length < rowsPerInsert) continue
      await appendHostUsage(tx, reportId, waiting)
      waiting = []
    }
    if (waiting.length > 0) await appendHostUsage(tx, reportId, waiting)
    if (digest.hex() !== sha256) throw new ChangedMeanwhile()
    await appendAuditEntry(tx, {
      tenantId: undefined,
      at: now,
      action: 'host_report.import',
      agent: agentOf(actor),
      entity: { type: 'host_report', id: `${deployment}/${monthName(period)}`, revision: reportId },
      outcome: 'done',
      facts: { lines, sha256 },
    })
    return ok({ ...imported, reportId })
  }).catch((error: unknown) => {
    if (error instanceof ChangedMeanwhile) return err({ reason: 'report_changed_meanwhile' as const })
    throw error
  })
}

/** Rolls back what was written of a report that is not the one that was checked. */
class ChangedMeanwhile extends Error {}

async function checkReport(
  chunks: AsyncIterable<string>,
  format: ReportFormat,
  startSha256: StartSha256,
): Promise<Result<{ lines: number; sha256: string }, ImportRefusal>> {
  const digest = startSha256()
  const problems: ReportProblem[] = []
  let [lines, problemsInAll] = [0, 0]
  for await (const stretch of readReport(hashed(chunks, digest), format)) {
    lines += stretch.rows.length
    problemsInAll += stretch.problems.length
    problems.push(...stretch.problems.slice(0, problemsNamedMax - problems.length))
  }
  return problemsInAll === 0
    ? ok({ lines, sha256: digest.hex() })
    : err({ reason: 'report_unreadable', problems, problemsInAll })
}

async function* hashed(chunks: AsyncIterable<string>, digest: { update(text: string): void }): AsyncGenerator<string> {
  for await (const chunk of chunks) {
    digest.update(chunk)
    yield chunk
  }
}
