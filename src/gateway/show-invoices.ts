import type { Context } from 'hono'
import { accepts } from 'hono/accepts'
import { err, instant, isoOf, ok, type Result } from '../kernel/index.ts'
import { tenantTransaction } from '../db/index.ts'
import { authenticate, type Principal } from '../identity/index.ts'
import {
  formatMoney,
  invoiceState,
  listInvoices,
  loadInvoices,
  monthName,
  monthOf,
  writeInvoice,
  type InvoiceCursor,
  type InvoiceForm,
  type InvoiceRow,
  type WrittenInvoice,
} from '../billing/index.ts'
import type { Asking, Gateway } from './gateway.ts'
import type { Refusal } from './refusal.ts'

const invoicesOnPageMax = 200

/**
 * A page of the tenant's own invoices and credit notes, the latest first. It takes a credential with the scope `invoices`
 * and no license in force: what was invoiced is read, and paid, when the license has ended.
 */
export async function listOwnInvoices(
  gateway: Gateway,
  asking: Asking,
  query: { readonly limit: string | undefined; readonly after: string | undefined },
): Promise<Result<object, readonly Refusal[]>> {
  const principal = await requirePayer(gateway, asking)
  if (!principal.ok) return principal
  const page = readPage(query)
  if (!page.ok) return err([page.error])
  const { limit, after } = page.value
  const rows = await tenantTransaction(gateway.database, principal.value.tenant.tenantId, (tx) =>
    listInvoices(tx, { tenant: undefined, license: undefined, period: undefined, after, limit: limit + 1 }),
  )
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  const hasMore = rows.length > shown.length
  return ok({
    object: 'list',
    data: shown.map(shownRow),
    has_more: hasMore,
    next_after: hasMore && last !== undefined ? `${last.issuedAt}.${last.number}` : null,
  })
}

/** One of them. Whatever is another tenant's is not there. */
export async function showInvoice(
  gateway: Gateway,
  asking: Asking,
  { number, form }: { readonly number: string; readonly form: InvoiceForm },
): Promise<Result<WrittenInvoice, readonly Refusal[]>> {
  const principal = await requirePayer(gateway, asking)
  if (!principal.ok) return principal
  const [invoice] = await tenantTransaction(gateway.database, principal.value.tenant.tenantId, (tx) =>
    loadInvoices(tx, { number }),
  )
  return invoice === undefined ? err([{ reason: 'not_found' }]) : ok(await writeInvoice(invoice.document, form))
}

/** What a caller would rather have (RFC 9110, section 12.5.1); JSON, when it says nothing that we can write. */
export function formAccepted(c: Context): InvoiceForm {
  const type = accepts(c, {
    header: 'Accept',
    supports: ['application/json', 'text/csv', 'text/html'],
    default: 'application/json',
  })
  return type === 'text/csv' ? 'csv' : type === 'text/html' ? 'html' : 'json'
}

async function requirePayer(gateway: Gateway, asking: Asking): Promise<Result<Principal, readonly Refusal[]>> {
  const principal = await authenticate(gateway, asking, asking.now)
  if (!principal.ok) return err([principal.error])
  return principal.value.scopes.includes('invoices')
    ? principal
    : err([{ reason: 'scope_not_granted', scope: 'invoices' }])
}

const shownRow = (row: InvoiceRow) => ({
  number: row.number,
  license: row.license,
  month: monthName(monthOf(row.periodStart)),
  state: invoiceState(row),
  total: formatMoney(row.total, row.currency),
  currency: row.currency,
  issued_at: isoOf(row.issuedAt),
  credits: row.credits ?? null,
  credited_by: row.creditedBy ?? null,
})

function readPage(query: {
  readonly limit: string | undefined
  readonly after: string | undefined
}): Result<{ limit: number; after: InvoiceCursor | undefined }, Refusal> {
  const limit = query.limit === undefined ? 100 : /^\d{1,4}$/.test(query.limit) ? Number(query.limit) : 0
  if (limit < 1 || limit > invoicesOnPageMax)
    return wrong('limit', `must be a whole number from 1 to ${invoicesOnPageMax}`)
  if (query.after === undefined) return ok({ limit, after: undefined })
  const [, at, number] = /^(\d{1,15})\.((?:INV|CRN)-\d{6,18})$/.exec(query.after) ?? []
  return at === undefined || number === undefined
    ? wrong('after', 'must be a `next_after` of an earlier page')
    : ok({ limit, after: { issuedAt: instant(Number(at)), number } })
}

const wrong = (param: string, message: string): Result<never, Refusal> =>
  err({ reason: 'request_malformed', param, message: `\`${param}\` ${message}.` })
