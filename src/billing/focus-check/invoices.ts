import { add, isEqual, isZero, show, zero, type Decimal } from './decimal.ts'
import type { Report, RowView } from './rule.ts'

interface Billed {
  sum: Decimal
  readonly details: Map<string, Decimal>
  readonly currency: string | null | undefined
}

/**
 * What charges and invoices say of the same invoices. Sums in which a cell was refused, or is missing where one has to be,
 * are not compared: it would tell that fault again.
 */
export class Invoices {
  readonly #charged = new Map<string, Billed>()
  readonly #invoiced = new Map<string, Billed>()
  #isBlind = false

  skip(): void {
    this.#isBlind = true
  }

  charge(view: RowView): void {
    const [invoice, detail, cost] = [view.text('InvoiceId'), view.text('InvoiceDetailId'), view.decimal('BilledCost')]
    if (invoice === undefined || detail === undefined || cost == null) this.#isBlind = true
    else if (invoice !== null) bill(this.#charged, invoice, view, { detail, cost })
  }

  /** False where the invoice has a line of that name already. */
  line(view: RowView): boolean {
    const [invoice, detail, cost] = [view.text('InvoiceId'), view.text('InvoiceDetailId'), view.decimal('BilledCost')]
    const isNew = invoice == null || detail == null || this.#invoiced.get(invoice)?.details.has(detail) !== true
    if (invoice == null || detail == null || cost == null || !isNew) this.#isBlind = true
    else bill(this.#invoiced, invoice, view, { detail, cost })
    return isNew
  }

  compare(report: Report, byDetail: boolean): void {
    if (this.#isBlind) return
    for (const [invoice, charged] of this.#charged) {
      const invoiced = this.#invoiced.get(invoice)
      if (invoiced === undefined)
        report('X-InvoiceId-KNOWN', 'CostAndUsage', { column: 'InvoiceId' }, `${invoice} is not in Invoice Detail`)
      else compareOne(report, invoice, { charged, invoiced, byDetail })
    }
    for (const [invoice, { details }] of this.#invoiced) {
      const charged = this.#charged.get(invoice)
      for (const [detail, sum] of details)
        if (!isZero(sum) && (charged === undefined || (byDetail && !charged.details.has(detail))))
          report(
            'X-InvoiceId-CHARGED',
            'InvoiceDetail',
            { column: 'InvoiceDetailId' },
            `${detail} of ${invoice} is not in Cost and Usage`,
          )
    }
  }
}

function bill(
  bills: Map<string, Billed>,
  invoice: string,
  view: RowView,
  { detail, cost }: { detail: string | null; cost: Decimal },
): void {
  let billed = bills.get(invoice)
  if (billed === undefined)
    bills.set(invoice, (billed = { sum: zero, details: new Map(), currency: view.text('BillingCurrency') }))
  billed.sum = add(billed.sum, cost)
  if (detail !== null) billed.details.set(detail, add(billed.details.get(detail) ?? zero, cost))
}

function compareOne(
  report: Report,
  invoice: string,
  { charged, invoiced, byDetail }: { charged: Billed; invoiced: Billed; byDetail: boolean },
): void {
  if (charged.currency != null && invoiced.currency != null && charged.currency !== invoiced.currency)
    report(
      'X-BillingCurrency-INVOICE',
      'CostAndUsage',
      { column: 'BillingCurrency' },
      `${invoice} is in ${charged.currency} and in ${invoiced.currency}`,
    )
  if (!isEqual(charged.sum, invoiced.sum))
    report('X-BilledCost-INVOICE', 'CostAndUsage', { column: 'BilledCost' }, told(invoice, charged.sum, invoiced.sum))
  if (!byDetail) return
  for (const [detail, sum] of charged.details) {
    const wanted = invoiced.details.get(detail)
    const name = `${detail} of ${invoice}`
    if (wanted === undefined)
      report(
        'X-InvoiceDetailId-KNOWN',
        'CostAndUsage',
        { column: 'InvoiceDetailId' },
        `${name} is not in Invoice Detail`,
      )
    else if (!isEqual(sum, wanted))
      report('X-BilledCost-INVOICE-DETAIL', 'CostAndUsage', { column: 'BilledCost' }, told(name, sum, wanted))
  }
}

const told = (name: string, is: Decimal, wanted: Decimal): string =>
  `${name}: ${show(is)} is charged, ${show(wanted)} is invoiced`
