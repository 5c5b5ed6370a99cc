import { sql, type RawBuilder } from 'kysely'
import { instantOf, picos, type Uuid } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import type { Period } from './month.ts'
import { usageMeters, type PriceBook, unitPricesFor } from './prices.ts'
import type { HostRow, LedgerRow } from './reconcile/call-pair.ts'
import { skewMsMax, type ServedVersion } from './reconcile/compare-rules.ts'

/** What a run compares: a month, the reports of it that count, and the deployments that they are of. */
export interface Compared {
  readonly runId: Uuid
  readonly period: Period
  readonly reports: readonly Uuid[]
  readonly deployments: readonly string[]
}

/** Rows of one round trip. */
const pageRowsMax = 10_000

/** The rows of a month that its own books hold: those that came late count elsewhere. */
const isLate = (of: Compared) => sql`exists (select from usage_late u where u.tenant_id = e.tenant_id
  and u.started_at = e.started_at and u.request_id = e.request_id and u.attempt = e.attempt
  and u.counted_in is distinct from ${new Date(of.period.start)})`
const isInMonth = ({ period, deployments }: Compared) => sql`e.started_at >= ${new Date(period.start)}
  and e.started_at < ${new Date(period.end)} and e.deployment = any(${[...deployments]})`

export async function loadServedVersions(tx: Tx): Promise<readonly ServedVersion[]> {
  const rows = await tx.selectFrom('deployment').select(['model', 'version', 'deployment', 'upstream_model']).execute()
  return rows.map(({ upstream_model, ...row }) => ({ ...row, upstreamModel: upstream_model }))
}

/**
 * For the rest of a transaction that reads whole months through cursors: they are planned to be read to their end, each table
 * once. Nobody has analyzed the candidates, and a plan for the first of them would go through a month for each.
 */
export async function planToTheEnd(tx: Tx): Promise<void> {
  await sql`select set_config('cursor_tuple_fraction', '1', true), set_config('enable_nestloop', 'off', true),
    set_config('work_mem', '64MB', true)`.execute(tx)
}

/** What agrees at first sight. */
export interface AgreedCalls {
  readonly calls: bigint
  readonly input: bigint
  readonly output: bigint
  readonly picos: ReadonlyMap<string, bigint>
}

/**
 * Looks over both sides once, in the database. A call that has one row and one line, of the same units, tenant, model, time
 * and at the list price, agrees; every other request is a candidate, which `compareCall` judges. What is called agreeing here
 * is a part of what that would call so, never more.
 */
export async function findCandidates(
  tx: Tx,
  of: Compared,
  facts: { book: PriceBook; served: readonly ServedVersion[] },
): Promise<AgreedCalls> {
  const prices = pricesDocument(facts)
  const { rows } = await sql<{ currency: string | null; calls: bigint; input: string; output: string; picos: string }>`
    with price as materialized (
      select * from json_to_recordset(${JSON.stringify(prices)}::json) as p (plan text, plan_revision integer, model text,
        input_tokens bigint, output_tokens bigint, requests bigint, inferences bigint)),
    ledger as (
      select request_id, count(*) as n, any_value(tenant_id) as tenant_id, any_value(started_at) as started_at,
        any_value(duration_ms) as duration_ms, any_value(outcome) as outcome, any_value(model) as model,
        any_value(version) as version, any_value(deployment) as deployment, any_value(plan) as plan,
        any_value(plan_revision) as plan_revision, any_value(currency) as currency, any_value(requests) as requests,
        any_value(input_tokens) as input_tokens, any_value(output_tokens) as output_tokens,
        any_value(inferences) as inferences, any_value(charge_picos) as charge_picos,
        bool_or(${isLate(of)}) as is_late
      from usage_event e where ${isInMonth(of)} group by request_id),
    host as (
      select request_id, count(*) as n, any_value(at) as at, any_value(model) as model, any_value(version) as version,
        any_value(input_units) as input_units, any_value(output_units) as output_units, any_value(status) as status,
        any_value(tenant) as tenant
      from host_usage where report_id = any(${[...of.reports]}) and request_id is not null group by request_id),
    pair as materialized (
      select request_id, l.currency, h.input_units, h.output_units, l.charge_picos,
        coalesce(l.n = 1 and h.n = 1 and not l.is_late and l.requests = 1 and l.outcome <> 'expired'
          and h.status between 200 and 299
          and h.input_units = l.input_tokens + l.inferences and h.output_units = l.output_tokens
          and l.charge_picos = p.requests + l.input_tokens * p.input_tokens + l.output_tokens * p.output_tokens
            + l.inferences * p.inferences
          and (h.tenant is null or h.tenant = t.tenant)
          and (h.version is null or h.version = l.version)
          and (h.model = l.model or h.model = d.upstream_model)
          and h.at between l.started_at - make_interval(secs => ${skewMsMax / 1000})
            and l.started_at + make_interval(secs => l.duration_ms / 1000.0 + ${skewMsMax / 1000}), false) as agrees
      from ledger l full join host h using (request_id)
      left join tenant t on t.tenant_id = l.tenant_id
      left join deployment d on d.model = l.model and d.version = l.version and d.deployment = l.deployment
      left join price p on p.plan = l.plan and p.plan_revision = l.plan_revision and p.model = l.model),
    candidate as (
      insert into reconciliation_candidate (run_id, request_id)
      select ${of.runId}, request_id from pair where not agrees returning 1)
    select currency, count(*) as calls, sum(input_units)::text as input, sum(output_units)::text as output,
      sum(charge_picos)::text as picos
    from pair where agrees group by currency`.execute(tx)
  return {
    calls: rows.reduce((sum, { calls }) => sum + calls, 0n),
    input: rows.reduce((sum, { input }) => sum + BigInt(input), 0n),
    output: rows.reduce((sum, { output }) => sum + BigInt(output), 0n),
    picos: new Map(rows.map((row) => [row.currency ?? '', BigInt(row.picos)])),
  }
}

/** The list prices of every plan revision for every model. */
const pricesDocument = (facts: { book: PriceBook; served: readonly ServedVersion[] }) => {
  const models = [...new Set(facts.served.map(({ model }) => model))]
  return [...facts.book.values()].flat().flatMap((revision) =>
    models.map((model) => {
      const prices = unitPricesFor(revision, model)
      return {
        plan: revision.plan,
        plan_revision: revision.revision,
        model,
        ...Object.fromEntries(usageMeters.map((meter) => [meter, String(prices[meter])])),
      }
    }),
  )
}

/** The ledger's rows of the candidates, in the order of their requests, a month to either side included. */
export async function* readCandidateRows(tx: Tx, of: Compared): AsyncGenerator<readonly LedgerRow[]> {
  const { start, end } = of.period
  const query = sql`
      select case when e.started_at < ${new Date(start)} or e.started_at >= ${new Date(end)} then 'elsewhere'
          when ${isLate(of)} then 'late' else 'here' end as book, ${rowColumns}
      from reconciliation_candidate c join usage_event e on e.request_id = c.request_id
      join tenant t on t.tenant_id = e.tenant_id
      where c.run_id = ${of.runId} and e.deployment = any(${[...of.deployments]})
        and e.started_at >= ${new Date(start)}::timestamptz - interval '31 days'
        and e.started_at < ${new Date(end)}::timestamptz + interval '31 days'
      order by e.request_id, e.started_at, e.tenant_id, e.attempt`
  for await (const page of readPages<LedgerRecord>(tx, 'candidate_rows', query)) yield page.map(ledgerRow)
}

const rowColumns = sql`e.request_id, e.tenant_id, t.tenant, e.started_at,
  to_char(e.started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as started_at_text, e.attempt, e.duration_ms,
  e.operation, e.outcome, e.license, e.model, e.version, e.deployment, e.plan, e.plan_revision, e.currency, e.requests,
  e.input_tokens, e.output_tokens, e.inferences, e.charge_picos, e.corrects_attempt`

interface LedgerRecord {
  readonly book: LedgerRow['book']
  readonly request_id: Uuid
  readonly tenant_id: Uuid
  readonly tenant: string
  readonly started_at: Date
  readonly started_at_text: string
  readonly attempt: number
  readonly duration_ms: number
  readonly operation: string
  readonly outcome: string
  readonly license: string
  readonly model: string
  readonly version: string
  readonly deployment: string
  readonly plan: string
  readonly plan_revision: number
  readonly currency: string
  readonly requests: number
  readonly input_tokens: bigint
  readonly output_tokens: bigint
  readonly inferences: bigint
  readonly charge_picos: bigint
  readonly corrects_attempt: number | null
}

const ledgerRow = (row: LedgerRecord): LedgerRow => ({
  book: row.book,
  requestId: row.request_id,
  tenantId: row.tenant_id,
  tenant: row.tenant,
  startedAt: instantOf(row.started_at),
  startedAtText: row.started_at_text,
  attempt: row.attempt,
  durationMs: row.duration_ms,
  operation: row.operation,
  outcome: row.outcome,
  license: row.license,
  model: row.model,
  version: row.version,
  deployment: row.deployment,
  plan: row.plan,
  planRevision: row.plan_revision,
  currency: row.currency,
  requests: row.requests,
  inputTokens: row.input_tokens,
  outputTokens: row.output_tokens,
  inferences: row.inferences,
  charge: picos(row.charge_picos),
  correctsAttempt: row.corrects_attempt ?? undefined,
})

/** The hosts' lines of the candidates, in the order of their requests; `beside`: the reports of the months to either side. */
export async function* readCandidateLines(
  tx: Tx,
  of: Compared & { readonly beside: readonly Uuid[] },
): AsyncGenerator<readonly HostRow[]> {
  const query = sql`
      select case when h.report_id = any(${[...of.reports]}) then 'here' else 'elsewhere' end as book, r.deployment, h.*
      from reconciliation_candidate c join host_usage h on h.request_id = c.request_id
      join host_report r on r.report_id = h.report_id
      where c.run_id = ${of.runId} and h.report_id = any(${[...of.reports, ...of.beside]})
      order by h.request_id, h.report_id, h.line`
  for await (const page of readPages<HostRecord>(tx, 'candidate_lines', query)) yield page.map(hostRow)
}

/** Lines under a request id that is none of ours. */
export async function* readForeignLines(tx: Tx, of: Compared): AsyncGenerator<readonly HostRow[]> {
  const query = sql`
      select 'here' as book, r.deployment, h.* from host_usage h join host_report r on r.report_id = h.report_id
      where h.report_id = any(${[...of.reports]}) and h.request_id is null order by h.report_id, h.line`
  for await (const page of readPages<HostRecord>(tx, 'foreign_lines', query)) yield page.map(hostRow)
}

interface HostRecord {
  readonly book: HostRow['book']
  readonly deployment: string
  readonly report_id: Uuid
  readonly line: number
  readonly request_id: Uuid | null
  readonly at: Date
  readonly attempt: number
  readonly model: string
  readonly version: string | null
  readonly input_units: bigint
  readonly output_units: bigint
  readonly status: number
  readonly tenant: string | null
}

const hostRow = (row: HostRecord): HostRow => ({
  book: row.book,
  deployment: row.deployment,
  reportId: row.report_id,
  line: row.line,
  requestId: row.request_id ?? undefined,
  at: instantOf(row.at),
  attempt: row.attempt,
  model: row.model,
  version: row.version ?? undefined,
  inputUnits: row.input_units,
  outputUnits: row.output_units,
  status: row.status,
  tenant: row.tenant ?? undefined,
})

async function* readPages<Row>(tx: Tx, name: string, query: RawBuilder<unknown>): AsyncGenerator<readonly Row[]> {
  const cursor = sql.raw(name)
  await sql`declare ${cursor} no scroll cursor for ${query}`.execute(tx)
  for (;;) {
    const { rows } = await sql<Row>`fetch ${sql.raw(String(pageRowsMax))} from ${cursor}`.execute(tx)
    if (rows.length > 0) yield rows
    if (rows.length < pageRowsMax) break
  }
  await sql`close ${cursor}`.execute(tx)
}

/** One request, to be looked at closely. */
export const addCandidate = async (tx: Tx, { runId }: Compared, requestId: Uuid): Promise<void> =>
  void (await tx.insertInto('reconciliation_candidate').values({ run_id: runId, request_id: requestId }).execute())

export const dropCandidates = async (tx: Tx, { runId }: Compared): Promise<void> =>
  void (await tx.deleteFrom('reconciliation_candidate').where('run_id', '=', runId).execute())

/** Each side counted by itself, without any comparison. */
export interface CallTotals {
  readonly ours: { readonly calls: bigint; readonly input: bigint; readonly output: bigint }
  readonly oursPicos: ReadonlyMap<string, bigint>
  readonly theirs: { readonly lines: bigint; readonly input: bigint; readonly output: bigint }
}

export async function loadCallTotals(tx: Tx, of: Compared): Promise<CallTotals> {
  const ours = await sql<{ currency: string; calls: bigint; input: string; output: string; picos: string }>`
    select currency, sum(requests)::bigint as calls, sum(input_tokens + inferences)::text as input,
      sum(output_tokens)::text as output, sum(charge_picos)::text as picos
    from usage_event e where ${isInMonth(of)} and not ${isLate(of)} group by currency`.execute(tx)
  const theirs = await sql<{ lines: bigint; input: string; output: string }>`
    select count(*) as lines, coalesce(sum(input_units), 0)::text as input, coalesce(sum(output_units), 0)::text as output
    from host_usage where report_id = any(${[...of.reports]})`.execute(tx)
  const [host] = theirs.rows
  return {
    ours: {
      calls: ours.rows.reduce((sum, { calls }) => sum + calls, 0n),
      input: ours.rows.reduce((sum, { input }) => sum + BigInt(input), 0n),
      output: ours.rows.reduce((sum, { output }) => sum + BigInt(output), 0n),
    },
    oursPicos: new Map(ours.rows.map((row) => [row.currency, BigInt(row.picos)])),
    theirs: { lines: host?.lines ?? 0n, input: BigInt(host?.input ?? 0), output: BigInt(host?.output ?? 0) },
  }
}

/** Deployments that served calls in a month and of which no report stands. */
export async function loadUnreported(
  tx: Tx,
  of: Pick<Compared, 'period' | 'deployments'>,
): Promise<readonly { readonly deployment: string; readonly calls: bigint }[]> {
  const { rows } = await sql<{ deployment: string; calls: bigint }>`
    select deployment, sum(requests)::bigint as calls from usage_event e
    where started_at >= ${new Date(of.period.start)} and started_at < ${new Date(of.period.end)}
      and deployment <> all(${[...of.deployments]})
    group by deployment having sum(requests) <> 0 order by deployment`.execute(tx)
  return rows
}
