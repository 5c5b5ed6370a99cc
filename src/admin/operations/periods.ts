import { z } from '@hono/zod-openapi'
import { err, isoOf, ok, type Instant } from '../../kernel/index.ts'
import type { Tx } from '../../db/index.ts'
import {
  CheckedItem,
  CheckItem,
  checklistOf,
  closePeriod,
  formatMoney,
  listPeriods,
  listPeriodsOf,
  monthBefore,
  monthName,
  monthOf,
  PeriodState,
  reopenPeriod,
  showPeriod,
  verifyPeriod,
  type Period,
  type StandingClosing,
} from '../../billing/index.ts'
import { defineOperation, type Doing, type Done } from '../operation.ts'
import {
  billReaders,
  financeOffice,
  MonthName,
  Name,
  ownersAuditors,
  page,
  pageByName,
  Paging,
  periodNamed,
  Reason,
} from '../parts.ts'
import { notFound, refusedPeriod } from '../refusal.ts'
import { isoOrNull } from '../shown.ts'
import { findTenant } from './tenants.ts'

const Row = z
  .object({
    tenant: z.string(),
    license: z.string(),
    month: z.string(),
    state: PeriodState,
    closed_at: z.string().nullable(),
    closed_by: z.string().nullable(),
    rows: z.string().nullable().openapi({ description: 'Calls that were frozen.' }),
    invoice: z.string().nullable(),
    total: z.string().nullable(),
    currency: z.string().nullable(),
  })
  .openapi('PeriodRow')

export const listAllPeriods = defineOperation({
  id: 'listPeriods',
  method: 'get',
  path: '/periods',
  tag: 'periods',
  summary: 'One month over all licenses: which are to be closed yet, and what the others came to',
  roles: billReaders,
  query: z.strictObject({
    ...Paging,
    month: MonthName.optional().openapi({ description: 'The last one that is over, when it is left out.' }),
    tenant: Name.optional(),
    state: PeriodState.optional(),
  }),
  answer: page(Row),
  async run({ tx, by }, { query }) {
    const { tenant, state } = query
    if (tenant !== undefined && (await findTenant(tx, tenant)) === undefined) return err([notFound('tenant', tenant)])
    const period = query.month === undefined ? lastMonth(by.now) : periodNamed(query.month)
    return pageByName(query, {
      read: ({ after, limit }) => listPeriodsOf(tx, { period, tenant, state, after, limit }),
      nameOf: ({ license }) => license,
      show: (rows) =>
        rows.map((row) => ({
          tenant: row.tenant,
          license: row.license,
          month: monthName(period),
          state: row.state,
          closed_at: isoOrNull(row.closedAt),
          closed_by: row.closedBy ?? null,
          rows: row.rows === undefined ? null : String(row.rows),
          invoice: row.invoice ?? null,
          total: row.total === undefined ? null : formatMoney(row.total, row.currency ?? ''),
          currency: row.currency ?? null,
        })),
    })
  },
})

/** The last one that is over. */
const lastMonth = (now: Instant): Period => monthBefore(monthOf(now))

const Month = z
  .object({
    license: z.string(),
    month: z.string(),
    state: PeriodState,
    closed_at: z.string().nullable(),
    closed_by: z.string().nullable(),
    rows: z.string().nullable(),
    usage_sha256: z.string().nullable().openapi({ description: 'Of the usage export of the month.' }),
    late_rows: z.string().nullable(),
    invoice: z.string().nullable(),
  })
  .openapi('Period')

const shownMonth = (license: string, period: Period, state: PeriodState, standing: StandingClosing | undefined) => ({
  license,
  month: monthName(period),
  state,
  closed_at: isoOrNull(standing?.closedAt),
  closed_by: standing?.closedBy ?? null,
  rows: standing === undefined ? null : String(standing.rows),
  usage_sha256: standing?.usageSha256 ?? null,
  late_rows: standing === undefined ? null : String(standing.lateRows),
  invoice: standing?.invoice ?? null,
})

export const listLicensePeriods = defineOperation({
  id: 'listLicensePeriods',
  method: 'get',
  path: '/licenses/{license}/periods',
  tag: 'periods',
  summary: 'The months of a license, from its first one up to the one that now is in',
  roles: billReaders,
  params: z.object({ license: Name }),
  query: z.strictObject(Paging),
  answer: page(Month),
  async run({ tx, by }, { params, query }) {
    const { license } = params
    const periods = await listPeriods(tx, { license, now: by.now })
    if (periods === undefined) return err([notFound('license', license)])
    return pageByName(query, {
      read: async ({ after, limit }) => periods.filter(({ period }) => monthName(period) > after).slice(0, limit),
      nameOf: ({ period }) => monthName(period),
      show: (rows) => rows.map(({ period, state, standing }) => shownMonth(license, period, state, standing)),
    })
  },
})

const ShownPeriod = Month.extend({
  tenant: z.string(),
  closings: z.int().openapi({ description: 'How often it was begun to be closed.' }),
  checklist: z
    .array(CheckedItem)
    .nullable()
    .openapi({ description: 'As it is now; of a closed month as it was then. Null for a tenant’s administrators.' }),
}).openapi('ShownPeriod')

const ofMonth = z.object({ license: Name, month: MonthName })

type OfMonth = z.infer<typeof ofMonth>

const etagOf = async (tx: Tx, { license, month }: OfMonth): Promise<string | undefined> => {
  const shown = await showPeriod(tx, { license, period: periodNamed(month) })
  return shown.ok ? etagFor(shown.value) : undefined
}
const etagFor = ({ state, closing }: { state: PeriodState; closing: number }): string => `"${state}-c${closing}"`

async function replyOf(doing: Doing, { license, month }: OfMonth, status: 200 | 201): Promise<Done> {
  const { tx, by } = doing
  const period = periodNamed(month)
  const found = await showPeriod(tx, { license, period })
  if (!found.ok) return err(refusedPeriod(found.error))
  const shown = found.value
  // Much of what a checklist looks at belongs to nobody, or to all: a tenant's transaction does not see it.
  const checklist = by.actor.tenantId === undefined ? await checklistOf(tx, { shown, now: by.now }) : null
  return ok({
    status,
    body: {
      tenant: shown.tenant,
      ...shownMonth(license, period, shown.state, shown.standing),
      closings: shown.closing,
      checklist,
    },
    etag: etagFor(shown),
  })
}

export const getPeriod = defineOperation({
  id: 'getPeriod',
  method: 'get',
  path: '/licenses/{license}/periods/{month}',
  tag: 'periods',
  summary: 'A month of a license, and what speaks against closing it',
  roles: billReaders,
  params: ofMonth,
  answer: ShownPeriod,
  run: (doing, { params }) => replyOf(doing, params, 200),
})

export const closeOnePeriod = defineOperation({
  id: 'closePeriod',
  method: 'post',
  path: '/licenses/{license}/periods/{month}/close',
  tag: 'periods',
  summary: 'Freezes the month and issues its invoice. What is open in its checklist is refused, or explained',
  roles: financeOffice,
  params: ofMonth,
  body: z.strictObject({
    explain: z
      .partialRecord(CheckItem, Reason)
      .default({})
      .openapi({ description: 'By item of the checklist, why it may stay open.' }),
  }),
  answer: ShownPeriod,
  creates: true,
  guard: 'required',
  etagOf: ({ tx }, params) => etagOf(tx, params),
  async run(doing, { params, body }) {
    const { needs, by } = doing
    const reasons = new Map(
      CheckItem.options.flatMap((item) => {
        const reason = body.explain[item]
        return reason === undefined ? [] : [[item, reason] as const]
      }),
    )
    // Transactions of its own: the line under the ledger is to hold up its writers for a moment only. Should this one fail
    // after them, the same request is answered that the month is closed, and with which invoice.
    const closed = await closePeriod(needs.billing, {
      license: params.license,
      period: periodNamed(params.month),
      reasons,
      actor: by.actor,
      now: by.now,
    })
    return closed.ok ? replyOf(doing, params, 201) : err(refusedPeriod(closed.error))
  },
})

export const reopenOnePeriod = defineOperation({
  id: 'reopenPeriod',
  method: 'post',
  path: '/licenses/{license}/periods/{month}/reopen',
  tag: 'periods',
  summary: 'Opens the last closed month again and takes its invoice back. It takes a second person',
  roles: financeOffice,
  params: ofMonth,
  body: z.strictObject({ reason: Reason }),
  answer: ShownPeriod,
  guard: 'required',
  etagOf: ({ tx }, params) => etagOf(tx, params),
  async run(doing, { params, body }) {
    const { tx, by } = doing
    const reopened = await reopenPeriod(tx, {
      license: params.license,
      period: periodNamed(params.month),
      reason: body.reason,
      actor: by.actor,
      approvedBy: by.approvedBy,
      now: by.now,
    })
    return reopened.ok ? replyOf(doing, params, 200) : err(refusedPeriod(reopened.error))
  },
})

export const verifyOnePeriod = defineOperation({
  id: 'verifyPeriod',
  method: 'get',
  path: '/licenses/{license}/periods/{month}/verification',
  tag: 'periods',
  summary: 'Makes the rows’ hash, the sums and the invoice of a closed month again, byte for byte, and compares',
  roles: ownersAuditors,
  params: ofMonth,
  answer: z.object({
    license: z.string(),
    month: z.string(),
    is_same: z.boolean(),
    differences: z.array(z.string()),
    rows: z.string(),
    usage_sha256: z.string(),
    invoice: z.string().nullable(),
    verified_at: z.string(),
  }),
  async run({ needs, by }, { params }) {
    const { license, month } = params
    const verified = await verifyPeriod(needs.billing, { license, period: periodNamed(month) })
    if (!verified.ok) return err(refusedPeriod(verified.error))
    const { rows, usageSha256, invoice, differences } = verified.value
    return ok({
      body: {
        license,
        month,
        is_same: differences.length === 0,
        differences,
        rows: String(rows),
        usage_sha256: usageSha256,
        invoice: invoice ?? null,
        verified_at: isoOf(by.now),
      },
    })
  },
})
