import { z } from '@hono/zod-openapi'
import { err, formatAmount, isoOf, isUuid, ok } from '../../kernel/index.ts'
import type { Tx } from '../../db/index.ts'
import {
  acceptException,
  correctException,
  countExceptions,
  DifferenceClass,
  ExceptionState,
  exceptionsOnPageMax,
  loadExceptions,
  loadReconciliations,
  monthName,
  reconciliationCsv,
  reconciliationCsvHeader,
  reconciliationPage,
  runReconciliation,
  type KeptException,
  type Period,
  type Reconciliation,
} from '../../billing/index.ts'
import { defineOperation, type Done, type Written } from '../operation.ts'
import {
  cursorOf,
  financeOffice,
  MonthName,
  Name,
  ownersAuditors,
  page,
  Paging,
  partsOf,
  periodNamed,
  Reason,
} from '../parts.ts'
import { notFound, refusedResolve } from '../refusal.ts'
import { isoOrNull } from '../shown.ts'

const Run = z
  .object({
    month: z.string(),
    run: z.string(),
    run_at: z.string(),
    run_by: z.string(),
    figures: z.looseObject({}).openapi({
      description: 'What each side counts by itself, and what agrees. Whole numbers as text; money in picos.',
    }),
  })
  .openapi('Reconciliation')
const ofMonth = z.object({ month: MonthName })

const shownRun = ({ period, runId, runAt, runBy, figures }: Reconciliation) => ({
  month: monthName(period),
  run: runId,
  run_at: isoOf(runAt),
  run_by: runBy,
  figures,
})

export const listAllReconciliations = defineOperation({
  id: 'listReconciliations',
  method: 'get',
  path: '/reconciliations',
  tag: 'reconciliations',
  summary: 'The last run of each month, the newest month first',
  roles: ownersAuditors,
  answer: z.object({ data: z.array(Run) }),
  run: async ({ tx }) => ok({ body: { data: (await loadReconciliations(tx)).map(shownRun) } }),
})

/** A table for a spreadsheet is made in memory; the command writes one of any length. */
const csvRowsMax = 10_000

export const getReconciliation = defineOperation({
  id: 'getReconciliation',
  method: 'get',
  path: '/reconciliations/{month}',
  tag: 'reconciliations',
  summary: 'What agrees in a month and what does not: as JSON, as a page, or its differences as CSV',
  roles: ownersAuditors,
  params: ofMonth,
  query: z.strictObject({ format: z.enum(['json', 'csv', 'html']).default('json') }),
  answer: Run.extend({
    counts: z.array(z.object({ class: DifferenceClass, state: ExceptionState, count: z.int() })),
  }),
  forms: ['text/csv', 'text/html'],
  async run({ tx }, { params, query }) {
    const period = periodNamed(params.month)
    const [run] = await loadReconciliations(tx, period)
    if (run === undefined) return err([neverReconciled(params.month)])
    const counts = await countExceptions(tx, period)
    const body = { ...shownRun(run), counts }
    if (query.format === 'json') return ok({ body })
    const written = query.format === 'csv' ? await csvOf(tx, period) : await pageOf(tx, { run, counts })
    return ok({ body, written })
  },
})

const neverReconciled = (month: string) => ({
  ...notFound('reconciliation of', month),
  advice: 'Import the reports of its hosts, and run one: POST /reconciliations/{month}/run.',
})

async function csvOf(tx: Tx, period: Period): Promise<Written> {
  const exceptions = await loadExceptions(tx, { period, limit: csvRowsMax })
  return {
    headers: { 'content-type': 'text/csv; charset=utf-8' },
    text: reconciliationCsvHeader + reconciliationCsv(exceptions),
  }
}

async function pageOf(
  tx: Tx,
  { run, counts }: { run: Reconciliation; counts: Awaited<ReturnType<typeof countExceptions>> },
): Promise<Written> {
  const open = await loadExceptions(tx, { period: run.period, state: 'open', limit: exceptionsOnPageMax })
  return {
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    },
    text: await reconciliationPage({ run, counts, open }),
  }
}

export const runOneReconciliation = defineOperation({
  id: 'runReconciliation',
  method: 'post',
  path: '/reconciliations/{month}/run',
  tag: 'reconciliations',
  summary: 'Holds the ledger against the imported reports of the hosts, and against Stripe as the command read it last',
  roles: financeOffice,
  params: ofMonth,
  body: z.strictObject({}),
  answer: Run.omit({ run_at: true, run_by: true }).extend({ matched: z.int() }),
  creates: true,
  async run({ needs, by }, { params }) {
    const wish = { period: periodNamed(params.month), actor: by.actor, now: by.now }
    const ran = await runReconciliation({ database: needs.billing.database, stripe: undefined }, wish)
    if (!ran.ok)
      return err([
        {
          status: 409,
          reason: ran.error.reason,
          message: `Nothing is there to compare ${params.month} with.`,
          advice: 'Import a report of a host at the machine: formulary host-usage import.',
        },
      ])
    const { runId: run, figures, matched } = ran.value
    return ok({ status: 201, body: { month: params.month, run, figures, matched } })
  },
})

const Exception = z
  .object({
    exception: z.string(),
    month: z.string(),
    class: DifferenceClass,
    state: ExceptionState,
    tenant: z.string().nullable().openapi({ description: 'Null: nobody knows whose it is.' }),
    license: z.string().nullable(),
    subject: z.string(),
    ours_units: z.string(),
    theirs_units: z.string(),
    ours_amount: z.string(),
    theirs_amount: z.string(),
    currency: z.string().nullable(),
    facts: z.looseObject({}).openapi({ description: 'The rows on both sides.' }),
    ended_at: z.string().nullable(),
    ended_by: z.string().nullable(),
    approved_by: z.string().nullable(),
    reason: z.string().nullable(),
    correction: z.array(z.looseObject({})).nullable().openapi({ description: 'The rows that corrected the ledger.' }),
  })
  .openapi('ReconciliationException')

const shown = (one: KeptException) => ({
  exception: one.exceptionId,
  month: monthName(one.period),
  class: one.class,
  state: one.state,
  tenant: one.tenant ?? null,
  license: one.license ?? null,
  subject: one.subject,
  ours_units: String(one.oursUnits),
  theirs_units: String(one.theirsUnits),
  ours_amount: formatAmount(one.oursPicos),
  theirs_amount: formatAmount(one.theirsPicos),
  currency: one.currency ?? null,
  facts: one.facts,
  ended_at: isoOrNull(one.endedAt),
  ended_by: one.endedBy ?? null,
  approved_by: one.approvedBy ?? null,
  reason: one.reason ?? null,
  correction: one.correction,
})

export const listReconciliationExceptions = defineOperation({
  id: 'listReconciliationExceptions',
  method: 'get',
  path: '/reconciliation-exceptions',
  tag: 'reconciliations',
  summary: 'Differences, in the order in which they were found',
  roles: ownersAuditors,
  query: z.strictObject({
    ...Paging,
    month: MonthName.optional(),
    state: ExceptionState.optional(),
    class: DifferenceClass.optional(),
    tenant: Name.optional(),
  }),
  answer: page(Exception),
  async run({ tx }, { query }) {
    const cursor = partsOf(query.after, 1)
    if (!cursor.ok) return cursor
    const [after] = cursor.value ?? []
    const rows = await loadExceptions(tx, {
      period: query.month === undefined ? undefined : periodNamed(query.month),
      state: query.state,
      class: query.class,
      tenant: query.tenant,
      after: after !== undefined && isUuid(after) ? after : undefined,
      limit: query.limit + 1,
    })
    const data = rows.slice(0, query.limit)
    const last = data.at(-1)
    const next = rows.length > query.limit && last !== undefined ? cursorOf([last.exceptionId]) : null
    return ok({ body: { data: data.map(shown), next } })
  },
})

const ofException = z.object({ exception: Name })

/** A difference changes only by being worked off. */
const etagOf = ({ state, fingerprint }: KeptException): string =>
  `"${state}-${fingerprint.replaceAll(/[^\w/@.-]/g, '_')}"`

async function findException(tx: Tx, exception: string): Promise<KeptException | undefined> {
  if (!isUuid(exception)) return undefined
  const [found] = await loadExceptions(tx, { exceptionId: exception, limit: 1 })
  return found
}

const tagOf = async (tx: Tx, { exception }: { exception: string }): Promise<string | undefined> => {
  const found = await findException(tx, exception)
  return found === undefined ? undefined : etagOf(found)
}

const replyOf = (found: KeptException): Done => ok({ body: shown(found), etag: etagOf(found) })

export const getReconciliationException = defineOperation({
  id: 'getReconciliationException',
  method: 'get',
  path: '/reconciliation-exceptions/{exception}',
  tag: 'reconciliations',
  summary: 'One of them',
  roles: ownersAuditors,
  params: ofException,
  answer: Exception,
  async run({ tx }, { params }) {
    const found = await findException(tx, params.exception)
    return found === undefined ? err([notFound('exception', params.exception)]) : replyOf(found)
  },
})

export const correctReconciliationException = defineOperation({
  id: 'correctReconciliationException',
  method: 'post',
  path: '/reconciliation-exceptions/{exception}/correct',
  tag: 'reconciliations',
  summary: 'Adds to the ledger the opposite of what was charged, and what the host counts',
  roles: financeOffice,
  params: ofException,
  body: z.strictObject({ reason: Reason }),
  answer: Exception,
  guard: 'required',
  etagOf: ({ tx }, params) => tagOf(tx, params),
  async run({ tx, by }, { params, body }) {
    const { actor, now } = by
    const done = await correctException(tx, { exceptionId: params.exception, reason: body.reason, actor, now })
    return done.ok ? replyOf(done.value) : err([refusedResolve(done.error)])
  },
})

export const acceptReconciliationException = defineOperation({
  id: 'acceptReconciliationException',
  method: 'post',
  path: '/reconciliation-exceptions/{exception}/accept',
  tag: 'reconciliations',
  summary: 'Lets a difference stay, with a reason. It takes a second person',
  roles: financeOffice,
  params: ofException,
  body: z.strictObject({ reason: Reason }),
  answer: Exception,
  guard: 'required',
  etagOf: ({ tx }, params) => tagOf(tx, params),
  async run({ tx, by }, { params, body }) {
    const { actor, approvedBy, now } = by
    const wish = { exceptionId: params.exception, reason: body.reason, actor, approvedBy, now }
    const done = await acceptException(tx, wish)
    return done.ok ? replyOf(done.value) : err([refusedResolve(done.error)])
  },
})
