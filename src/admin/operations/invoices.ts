import { z } from '@hono/zod-openapi'
import { err, isoOf, isUuid, ok, requestName } from '../../kernel/index.ts'
import { systemTransaction, type Database } from '../../db/index.ts'
import { untilUnfolded } from '../../metering/index.ts'
import { loadOwnerName } from '../../licensing/index.ts'
import {
  creditInvoice,
  explainLine,
  formatMoney,
  formTypes,
  invoiceForms,
  invoiceState,
  listInvoices,
  loadInvoices,
  monthName,
  monthOf,
  previewInvoice,
  readDocument,
  writeInvoice,
  type CallCursor,
  type InvoiceCursor,
  type InvoiceForm,
  type InvoiceRow,
} from '../../billing/index.ts'
import { defineOperation, type Reply } from '../operation.ts'
import {
  billReaders,
  cursorOf,
  financeOffice,
  instantOfText,
  MonthName,
  Name,
  page,
  Paging,
  partsOf,
  periodNamed,
  Reason,
} from '../parts.ts'
import { notFound, refusedCredit, refusedPeriod } from '../refusal.ts'
import { findTenant } from './tenants.ts'

const Invoice = z
  .object({
    number: z.string(),
    tenant: z.string(),
    license: z.string(),
    month: z.string(),
    state: z.enum(['issued', 'taken-back', 'credit-note']),
    total: z.string(),
    currency: z.string(),
    issued_at: z.string(),
    credits: z.string().nullable().openapi({ description: 'Of a credit note: the invoice that it takes back.' }),
    credited_by: z.string().nullable(),
  })
  .openapi('Invoice')

const shown = (row: InvoiceRow) => ({
  number: row.number,
  tenant: row.tenant,
  license: row.license,
  month: monthName(monthOf(row.periodStart)),
  state: invoiceState(row),
  total: formatMoney(row.total, row.currency),
  currency: row.currency,
  issued_at: isoOf(row.issuedAt),
  credits: row.credits ?? null,
  credited_by: row.creditedBy ?? null,
})

export const listAllInvoices = defineOperation({
  id: 'listInvoices',
  method: 'get',
  path: '/invoices',
  tag: 'invoices',
  summary: 'Invoices and credit notes, the latest first',
  roles: billReaders,
  query: z.strictObject({
    ...Paging,
    tenant: Name.optional(),
    license: Name.optional(),
    month: MonthName.optional(),
  }),
  answer: page(Invoice),
  async run({ tx }, { query }) {
    const { tenant, license, month, limit } = query
    if (tenant !== undefined && (await findTenant(tx, tenant)) === undefined) return err([notFound('tenant', tenant)])
    const cursor = partsOf(query.after, 2)
    if (!cursor.ok) return cursor
    const rows = await listInvoices(tx, {
      tenant,
      license,
      period: month === undefined ? undefined : periodNamed(month),
      after: invoiceAfter(cursor.value),
      limit: limit + 1,
    })
    const data = rows.slice(0, limit)
    const last = data.at(-1)
    const next = rows.length > limit && last !== undefined ? cursorOf([isoOf(last.issuedAt), last.number]) : null
    return ok({ body: { data: data.map(shown), next } })
  },
})

function invoiceAfter(parts: readonly string[] | undefined): InvoiceCursor | undefined {
  const [at = '', number = ''] = parts ?? []
  const issuedAt = instantOfText(at)
  return issuedAt === undefined ? undefined : { issuedAt, number }
}

const Form = z.enum(invoiceForms).default('json')
const forms = [formTypes.csv, formTypes.html]
const Document = z
  .looseObject({
    number: z.string(),
    kind: z.enum(['invoice', 'credit_note', 'preview']),
    license: z.string(),
    currency: z.string(),
    lines: z.array(z.looseObject({ line: z.int(), description: z.string(), amount: z.string() })),
    total: z.string(),
  })
  .openapi('InvoiceDocument')

const replyOf = async (text: string, form: InvoiceForm): Promise<Reply> => ({
  body: readDocument(text),
  written: await writeInvoice(text, form),
})

export const getInvoice = defineOperation({
  id: 'getInvoice',
  method: 'get',
  path: '/invoices/{number}',
  tag: 'invoices',
  summary:
    'An invoice or a credit note: as JSON the text that was issued, as CSV for a spreadsheet, as a page to print',
  roles: billReaders,
  params: z.object({ number: Name }),
  query: z.strictObject({ format: Form }),
  answer: Document,
  forms,
  async run({ tx }, { params, query }) {
    const [invoice] = await loadInvoices(tx, { number: params.number })
    if (invoice === undefined) return err([notFound('invoice', params.number)])
    return ok(await replyOf(invoice.document, query.format))
  },
})

export const explainInvoiceLine = defineOperation({
  id: 'explainInvoiceLine',
  method: 'get',
  path: '/invoices/{number}/lines/{line}',
  tag: 'invoices',
  summary: 'A line down to the calls that it counts, page by page in the order of time',
  roles: billReaders,
  params: z.object({ number: Name, line: z.coerce.number().int().min(1).max(1_000_000) }),
  query: z.strictObject(Paging),
  answer: z.object({
    number: z.string(),
    line: z.int(),
    calls: z.string().openapi({ description: 'Of the whole line.' }),
    quantity: z.string(),
    data: z.array(
      z.object({
        request_id: z.string(),
        attempt: z.int(),
        started_at: z.string(),
        facility: z.string(),
        quantity: z.string(),
      }),
    ),
    next: z.string().nullable(),
  }),
  async run({ tx }, { params, query }) {
    const cursor = partsOf(query.after, 3)
    if (!cursor.ok) return cursor
    const found = await explainLine(tx, params, { after: callAfter(cursor.value), limit: query.limit })
    if (found === undefined)
      return err([
        {
          ...notFound('line', `${params.line} of ${params.number} that counts calls`),
          advice: 'Facilities, commitments and credit count none.',
        },
      ])
    const { calls, quantity, first, next } = found
    return ok({
      body: {
        number: params.number,
        line: params.line,
        calls: String(calls),
        quantity: String(quantity),
        data: first.map((call) => ({
          request_id: requestName(call.requestId),
          attempt: call.attempt,
          started_at: call.startedAt,
          facility: call.facility,
          quantity: String(call.quantity),
        })),
        next: next === undefined ? null : cursorOf([next.startedAt, next.requestId, String(next.attempt)]),
      },
    })
  },
})

function callAfter(parts: readonly string[] | undefined): CallCursor | undefined {
  const [startedAt = '', requestId = '', attempt = ''] = parts ?? []
  return instantOfText(startedAt) !== undefined && isUuid(requestId) && /^\d{1,4}$/.test(attempt)
    ? { startedAt, requestId, attempt: Number(attempt) }
    : undefined
}

export const creditOneInvoice = defineOperation({
  id: 'creditInvoice',
  method: 'post',
  path: '/invoices/{number}/credit',
  tag: 'invoices',
  summary: 'Takes an invoice back whole, by a credit note',
  roles: financeOffice,
  params: z.object({ number: Name }),
  body: z.strictObject({ reason: Reason }),
  answer: z.object({ number: z.string(), credit_note: z.string() }),
  creates: true,
  async run({ tx, by }, { params, body }) {
    const { actor, now } = by
    const credited = await creditInvoice(tx, { number: params.number, reason: body.reason, actor, now })
    return credited.ok
      ? ok({ status: 201, body: { number: params.number, credit_note: credited.value.number } })
      : err([refusedCredit(credited.error)])
  },
})

export const previewOneInvoice = defineOperation({
  id: 'previewInvoice',
  method: 'get',
  path: '/licenses/{license}/periods/{month}/preview',
  tag: 'invoices',
  summary: 'What a month that is open would be invoiced at, if nothing were used after now. It is no invoice',
  roles: billReaders,
  params: z.object({ license: Name, month: MonthName }),
  query: z.strictObject({ format: Form }),
  answer: Document.extend({
    earlier_open: z.array(z.string()).openapi({
      description:
        'Months before it that are open: what they leave of prepaid credit, and corrections, is not known yet.',
    }),
  }),
  forms,
  async run({ tx, needs, by }, { params, query }) {
    await untilUnfolded(needs.database)
    const previewed = await previewInvoice(tx, {
      license: params.license,
      period: periodNamed(params.month),
      now: by.now,
      seller: await ownerName(needs.database),
      tax: needs.billing.tax,
    })
    if (!previewed.ok) return err(refusedPeriod(previewed.error))
    const { text, earlierOpen } = previewed.value
    if (query.format !== 'json') return ok(await replyOf(text, query.format))
    return ok({ body: { ...readDocument(text), earlier_open: earlierOpen } })
  },
})

/** Beyond what a tenant's transaction sees, and the same for all of them. */
const ownerName = (database: Database): Promise<string> => systemTransaction(database, 'read-directory', loadOwnerName)
