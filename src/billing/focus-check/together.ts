import { add, isEqual, isZero, show, zero, type Decimal } from './decimal.ts'
import { isPlainObject, parseObject } from './json-cell.ts'
import type { DatasetId } from './model.ts'
import type { RowView } from './rule.ts'

type Report = (rule: string, dataset: DatasetId, where: { row?: number; column?: string }, found: string) => void

/** A value that has one companion, whatever the row. */
class OneEach {
  readonly #first = new Map<string, string | null>()

  /** The companion that it had first, when this is another. */
  differs(key: string, companion: string | null): string | null | undefined {
    const first = this.#first.get(key)
    if (first === undefined) this.#first.set(key, companion)
    return first === undefined || first === companion ? undefined : first
  }
}

interface Billed {
  sum: Decimal
  readonly details: Map<string, Decimal>
  readonly currency: string | null
}

/** What several rows, and several files, have to say alike. It keeps sums and names, never rows. */
export class Together {
  readonly #report: Report
  readonly #given = new Set<DatasetId>()
  readonly #onePer = new Map<string, OneEach>()
  readonly #charged = new Map<string, Billed>()
  readonly #invoiced = new Map<string, Billed>()
  readonly #periods = new Map<string, string | null>()
  readonly #periodsUsed = new Map<string, { dataset: DatasetId; row: number }>()
  readonly #uninvoiced = new Map<string, number>()
  readonly #commitments = new Map<string, string | null>()
  readonly #applied = new Map<string, { row: number; commitment: string; contract: string }>()

  constructor(report: Report) {
    this.#report = report
  }

  begin(dataset: DatasetId): void {
    this.#given.add(dataset)
  }

  row(dataset: DatasetId, row: number, view: RowView): void {
    switch (dataset) {
      case 'CostAndUsage':
        return this.#charge(row, view)
      case 'InvoiceDetail':
        return this.#detail(row, view)
      case 'BillingPeriod':
        return this.#period(row, view)
      case 'ContractCommitment':
        return this.#commitment(row, view)
      default:
        return dataset
    }
  }

  #one(
    rule: string,
    dataset: DatasetId,
    row: number,
    of: { key: string | null; column: string; value: string | null },
  ): void {
    if (of.key === null) return
    let one = this.#onePer.get(rule)
    if (one === undefined) this.#onePer.set(rule, (one = new OneEach()))
    const first = one.differs(of.key, of.value)
    if (first !== undefined)
      this.#report(
        rule,
        dataset,
        { row, column: of.column },
        `${of.value ?? 'null'}, and ${first ?? 'null'} in another row of ${of.key}`,
      )
  }

  #charge(row: number, view: RowView): void {
    const text = (column: string) => view.text(column)
    const invoice = text('InvoiceId')
    if (text('SkuId') !== null) {
      this.#one('CAU-SkuPriceId-ONE-SKU', 'CostAndUsage', row, {
        key: text('SkuPriceId'),
        column: 'SkuId',
        value: text('SkuId'),
      })
      if (text('SkuMeter') !== null)
        this.#one('CAU-SkuMeter-ONE-PER-SKU', 'CostAndUsage', row, {
          key: text('SkuId'),
          column: 'SkuMeter',
          value: text('SkuMeter'),
        })
    }
    if (text('BillingCurrency') !== null)
      this.#one('CAU-BillingCurrency-ONE-PER-INVOICE', 'CostAndUsage', row, {
        key: invoice,
        column: 'BillingCurrency',
        value: text('BillingCurrency'),
      })
    if (text('BillingAccountId') !== null)
      this.#one('CAU-BillingAccountId-ONE-PER-INVOICE', 'CostAndUsage', row, {
        key: invoice,
        column: 'BillingAccountId',
        value: text('BillingAccountId'),
      })
    this.#useOfPeriod('CostAndUsage', row, view)
    const cost = view.decimal('BilledCost')
    if (invoice !== null && cost != null) this.#bill(this.#charged, invoice, view, cost)
    const period = this.#periodKey(view)
    if (invoice === null && period !== undefined && !this.#uninvoiced.has(period)) this.#uninvoiced.set(period, row)
    this.#applies(row, text('ContractApplied'))
  }

  #applies(row: number, cell: string | null): void {
    const elements = cell === null ? undefined : parseObject(cell)?.['Elements']
    for (const element of Array.isArray(elements) ? (elements as readonly unknown[]) : []) {
      if (!isPlainObject(element)) continue
      const { ContractCommitmentId: commitment, ContractId: contract } = element
      if (typeof commitment !== 'string' || typeof contract !== 'string') continue
      const key = `${contract} ${commitment}`
      if (!this.#applied.has(key)) this.#applied.set(key, { row, commitment, contract })
    }
  }

  #detail(row: number, view: RowView): void {
    const [invoice, detail] = [view.text('InvoiceId'), view.text('InvoiceDetailId')]
    if (invoice !== null) {
      for (const column of ['BillingCurrency', 'InvoiceIssueDate', 'InvoiceIssueStatus', 'PaymentDueDate']) {
        const value = view.text(column)
        if (value !== null || column === 'PaymentDueDate' || column === 'InvoiceIssueDate')
          this.#one(`IND-${column}-ONE-PER-INVOICE`, 'InvoiceDetail', row, { key: invoice, column, value })
      }
      if (detail !== null && this.#invoiced.get(invoice)?.details.has(detail) === true)
        this.#report(
          'IND-InvoiceDetailId-UNIQUE',
          'InvoiceDetail',
          { row, column: 'InvoiceDetailId' },
          `${detail} of ${invoice} stands twice`,
        )
      else {
        const cost = view.decimal('BilledCost')
        if (cost != null) this.#bill(this.#invoiced, invoice, view, cost)
      }
    }
    this.#useOfPeriod('InvoiceDetail', row, view)
  }

  #bill(bills: Map<string, Billed>, invoice: string, view: RowView, cost: Decimal): void {
    let billed = bills.get(invoice)
    if (billed === undefined)
      bills.set(invoice, (billed = { sum: zero, details: new Map(), currency: view.text('BillingCurrency') }))
    billed.sum = add(billed.sum, cost)
    const detail = view.text('InvoiceDetailId')
    if (detail !== null) billed.details.set(detail, add(billed.details.get(detail) ?? zero, cost))
  }

  #periodKey(view: RowView): string | undefined {
    const [start, issuer] = [view.text('BillingPeriodStart'), view.text('InvoiceIssuerName')]
    return start === null || issuer === null || view.time('BillingPeriodStart') === undefined
      ? undefined
      : `${start} of ${issuer}`
  }

  #useOfPeriod(dataset: DatasetId, row: number, view: RowView): void {
    const key = this.#periodKey(view)
    if (key !== undefined && !this.#periodsUsed.has(key)) this.#periodsUsed.set(key, { dataset, row })
  }

  #period(row: number, view: RowView): void {
    const key = this.#periodKey(view)
    if (key === undefined) return
    if (this.#periods.has(key))
      this.#report(
        'BPD-BillingPeriodStart-UNIQUE',
        'BillingPeriod',
        { row, column: 'BillingPeriodStart' },
        `${key} stands twice`,
      )
    else this.#periods.set(key, view.text('BillingPeriodStatus'))
  }

  #commitment(row: number, view: RowView): void {
    const id = view.text('ContractCommitmentId')
    if (id === null) return
    if (this.#commitments.has(id))
      this.#report(
        'CCT-ContractCommitmentId-UNIQUE',
        'ContractCommitment',
        { row, column: 'ContractCommitmentId' },
        `${id} stands twice`,
      )
    else this.#commitments.set(id, view.text('ContractId'))
  }

  /** When all files are read. */
  end(): void {
    const both = (a: DatasetId, b: DatasetId) => this.#given.has(a) && this.#given.has(b)
    if (both('CostAndUsage', 'InvoiceDetail')) this.#compareInvoices()
    if (this.#given.has('BillingPeriod')) this.#comparePeriods()
    if (both('CostAndUsage', 'ContractCommitment')) this.#compareCommitments()
  }

  #compareInvoices(): void {
    for (const [invoice, charged] of this.#charged) {
      const invoiced = this.#invoiced.get(invoice)
      if (invoiced === undefined) {
        this.#report(
          'X-InvoiceId-KNOWN',
          'CostAndUsage',
          { column: 'InvoiceId' },
          `${invoice} is not in Invoice Detail`,
        )
        continue
      }
      if (charged.currency !== null && invoiced.currency !== null && charged.currency !== invoiced.currency)
        this.#report(
          'X-BillingCurrency-INVOICE',
          'CostAndUsage',
          { column: 'BillingCurrency' },
          `${invoice} is in ${charged.currency} and in ${invoiced.currency}`,
        )
      if (!isEqual(charged.sum, invoiced.sum))
        this.#report(
          'X-BilledCost-INVOICE',
          'CostAndUsage',
          { column: 'BilledCost' },
          `${invoice}: ${show(charged.sum)} is charged, ${show(invoiced.sum)} is invoiced`,
        )
      for (const [detail, sum] of charged.details) {
        const wanted = invoiced.details.get(detail)
        if (wanted === undefined)
          this.#report(
            'X-InvoiceDetailId-KNOWN',
            'CostAndUsage',
            { column: 'InvoiceDetailId' },
            `${detail} of ${invoice} is not in Invoice Detail`,
          )
        else if (!isEqual(sum, wanted))
          this.#report(
            'X-BilledCost-INVOICE-DETAIL',
            'CostAndUsage',
            { column: 'BilledCost' },
            `${detail} of ${invoice}: ${show(sum)} is charged, ${show(wanted)} is invoiced`,
          )
      }
    }
    for (const [invoice, { details }] of this.#invoiced)
      for (const [detail, sum] of details)
        if (!isZero(sum) && this.#charged.get(invoice)?.details.has(detail) !== true)
          this.#report(
            'X-InvoiceId-CHARGED',
            'InvoiceDetail',
            { column: 'InvoiceDetailId' },
            `${detail} of ${invoice} is not in Cost and Usage`,
          )
  }

  #comparePeriods(): void {
    for (const [key, { dataset, row }] of this.#periodsUsed)
      if (!this.#periods.has(key))
        this.#report(
          'X-BillingPeriod-KNOWN',
          dataset,
          { row, column: 'BillingPeriodStart' },
          `${key} is not in Billing Period`,
        )
    for (const [key, row] of this.#uninvoiced)
      if (this.#periods.get(key) === 'Closed')
        this.#report(
          'X-BillingPeriodStatus-INVOICED',
          'CostAndUsage',
          { row, column: 'InvoiceId' },
          `is null in ${key}, which is Closed`,
        )
  }

  #compareCommitments(): void {
    for (const { row, commitment, contract } of this.#applied.values()) {
      const known = this.#commitments.get(commitment)
      if (known === undefined || (known !== null && known !== contract))
        this.#report(
          'X-ContractCommitmentId-KNOWN',
          'CostAndUsage',
          { row, column: 'ContractApplied' },
          `${commitment} of ${contract} is not in Contract Commitment`,
        )
    }
  }
}
