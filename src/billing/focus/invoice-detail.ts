import type { Period } from '../month.ts'
import type { DocumentLine, InvoiceDocument } from '../read-document.ts'
import { categoryOf } from './cost-and-usage.ts'
import type { InvoiceDetailRow } from './columns.ts'
import { focusTime } from './focus-time.ts'
import { formatFine, parseFine } from './fine.ts'

/**
 * The lines of an invoice or a credit note, one row each, those with nothing to pay as well. A document is never changed:
 * it was made, and last updated, when it was issued.
 */
export function invoiceDetailRows(
  invoice: InvoiceDocument,
  of: { period: Period; status: 'Issued' | 'Voided' },
): readonly InvoiceDetailRow[] {
  return invoice.lines.map((line) => ({
    BilledCost: formatFine(parseFine(line.amount)),
    BillingAccountId: invoice.buyer.tenant,
    BillingCurrency: invoice.currency,
    BillingPeriodStart: focusTime(of.period.start),
    BillingPeriodEnd: focusTime(of.period.end),
    ChargeCategory: categoryOf(line),
    InvoiceDetailCreated: focusTime(invoice.issuedAt),
    InvoiceDetailDescription: line.description,
    InvoiceDetailGrain: grainOf(line),
    InvoiceDetailId: String(line.line),
    InvoiceDetailLastUpdated: focusTime(invoice.issuedAt),
    InvoiceId: invoice.number,
    InvoiceIssueDate: focusTime(invoice.issuedAt),
    InvoiceIssueStatus: of.status,
    InvoiceIssuerName: invoice.seller,
    // No term of payment is agreed in a plan or a license.
    PaymentDueDate: undefined,
    PaymentTerms: 'Due on receipt',
    ReferenceInvoiceId: invoice.credits ?? adjusted(line) ?? invoice.number,
    x_LicenseId: invoice.license,
    x_LineKind: line.kind,
    x_Quantity: line.quantity === '0' ? undefined : line.quantity,
  }))
}

/** The invoice that a correction corrects; a month that had nothing to say on one had none. */
const adjusted = ({ corrects }: DocumentLine): string | undefined =>
  corrects?.document.startsWith('INV-') === true ? corrects.document : undefined

/** What tells a line from the others of its invoice. */
const grainOf = ({ key, kind, model, meter, plan, planRevision, licenseRevision, phase }: DocumentLine): string => {
  const sku = model === undefined ? (kind === 'facility' ? 'facility' : undefined) : `${model}/${meter}`
  return JSON.stringify({
    SkuId: sku,
    x_LicenseRevision: licenseRevision === undefined ? undefined : String(licenseRevision),
    x_LineKey: key,
    x_Phase: phase,
    x_PlanName: plan,
    x_PlanRevision: planRevision === undefined ? undefined : String(planRevision),
  })
}
