import { Invoices } from './invoices.ts'
import { isPlainObject, parseObject } from './json-cell.ts'
import type { DatasetId } from './model.ts'
import type { Report, RowView } from './rule.ts'

/**
 * What several rows, and several files, have to say alike. It keeps sums and names, never rows. What is compared is what no
 * rule has refused before.
 */
export class Together {
  readonly #report: Report
  /** The columns of each file that was given. */
  readonly #given = new Map<DatasetId, ReadonlySet<string>>()
  /** By rule, the companion that a value had first. */
  readonly #first = new Map<string, Map<string, string | null>>()
  readonly #invoices = new Invoices()
  readonly #periods = new Map<string, string | null | undefined>()
  readonly #periodsUsed = new Map<string, { dataset: DatasetId; row: number }>()
  /** Billing periods with a charge that has no invoice. */
  readonly #uninvoiced = new Map<string, number>()
  readonly #commitments = new Map<string, string>()
  readonly #applied = new Map<string, { row: number; commitment: string; contract: string }>()
  #arePeriodsSure = true
  #areCommitmentsSure = true

  constructor(report: Report) {
    this.#report = report
  }

  begin(dataset: DatasetId, columns: ReadonlySet<string>): void {
    this.#given.set(dataset, columns)
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

  /** Of a row whose cells cannot be told apart: whatever it would have added is not known. */
  skip(dataset: DatasetId): void {
    if (dataset === 'BillingPeriod') this.#arePeriodsSure = false
    else if (dataset === 'ContractCommitment') this.#areCommitmentsSure = false
    else this.#invoices.skip()
  }

  /** That a value has one companion in all rows; of a null value nothing is asked, nor where a cell was refused. */
  #one(
    rule: string,
    dataset: DatasetId,
    row: number,
    of: { key: string | null | undefined; column: string; value: string | null | undefined },
  ): void {
    const { key, column, value } = of
    if (key == null || value === undefined) return
    let firsts = this.#first.get(rule)
    if (firsts === undefined) this.#first.set(rule, (firsts = new Map()))
    const first = firsts.get(key)
    if (first === undefined) firsts.set(key, value)
    else if (first !== value)
      this.#report(
        rule,
        dataset,
        { row, column },
        `${value ?? 'null'}, and ${first ?? 'null'} in another row of ${key}`,
      )
  }

  #charge(row: number, view: RowView): void {
    const one = (rule: string, key: string, column: string) => {
      const value = view.text(column)
      if (value !== null) this.#one(rule, 'CostAndUsage', row, { key: view.text(key), column, value })
    }
    one('CAU-SkuPriceId-ONE-SKU', 'SkuPriceId', 'SkuId')
    one('CAU-SkuMeter-ONE-PER-SKU', 'SkuId', 'SkuMeter')
    one('CAU-BillingCurrency-ONE-PER-INVOICE', 'InvoiceId', 'BillingCurrency')
    one('CAU-BillingAccountId-ONE-PER-INVOICE', 'InvoiceId', 'BillingAccountId')
    this.#invoices.charge(view)
    this.#useOfPeriod('CostAndUsage', row, view)
    const period = periodOf(view)
    if (view.text('InvoiceId') === null && period !== undefined && !this.#uninvoiced.has(period))
      this.#uninvoiced.set(period, row)
    this.#applies(row, view.text('ContractApplied'))
  }

  #applies(row: number, cell: string | null | undefined): void {
    const elements = cell == null ? undefined : parseObject(cell)?.['Elements']
    for (const element of Array.isArray(elements) ? (elements as readonly unknown[]) : []) {
      if (!isPlainObject(element)) continue
      const { ContractCommitmentId: commitment, ContractId: contract } = element
      if (typeof commitment !== 'string' || typeof contract !== 'string') continue
      const key = `${contract} ${commitment}`
      if (!this.#applied.has(key)) this.#applied.set(key, { row, commitment, contract })
    }
  }

  #detail(row: number, view: RowView): void {
    for (const column of ['BillingCurrency', 'InvoiceIssueDate', 'InvoiceIssueStatus', 'PaymentDueDate']) {
      const [key, value] = [view.text('InvoiceId'), view.text(column)]
      this.#one(`IND-${column}-ONE-PER-INVOICE`, 'InvoiceDetail', row, { key, column, value })
    }
    if (!this.#invoices.line(view)) {
      const found = `${view.text('InvoiceDetailId')} of ${view.text('InvoiceId')} stands twice`
      this.#report('IND-InvoiceDetailId-UNIQUE', 'InvoiceDetail', { row, column: 'InvoiceDetailId' }, found)
    }
    this.#useOfPeriod('InvoiceDetail', row, view)
  }

  #useOfPeriod(dataset: DatasetId, row: number, view: RowView): void {
    const key = periodOf(view)
    if (key !== undefined && !this.#periodsUsed.has(key)) this.#periodsUsed.set(key, { dataset, row })
  }

  #period(row: number, view: RowView): void {
    const key = periodOf(view)
    const column = 'BillingPeriodStart'
    if (key === undefined) this.#arePeriodsSure = false
    else if (this.#periods.has(key))
      this.#report('BPD-BillingPeriodStart-UNIQUE', 'BillingPeriod', { row, column }, `${key} stands twice`)
    else this.#periods.set(key, view.text('BillingPeriodStatus'))
  }

  #commitment(row: number, view: RowView): void {
    const [id, contract] = [view.text('ContractCommitmentId'), view.text('ContractId')]
    const column = 'ContractCommitmentId'
    if (id == null || contract == null) this.#areCommitmentsSure = false
    else if (this.#commitments.has(id))
      this.#report('CCT-ContractCommitmentId-UNIQUE', 'ContractCommitment', { row, column }, `${id} stands twice`)
    else this.#commitments.set(id, contract)
  }

  #has(dataset: DatasetId, ...columns: readonly string[]): boolean {
    const given = this.#given.get(dataset)
    return given !== undefined && columns.every((column) => given.has(column))
  }

  /** When all files are read. */
  end(): void {
    const bothHave = (...columns: readonly string[]) =>
      this.#has('CostAndUsage', ...columns) && this.#has('InvoiceDetail', ...columns)
    if (bothHave('InvoiceId', 'BilledCost')) this.#invoices.compare(this.#report, bothHave('InvoiceDetailId'))
    if (this.#has('BillingPeriod', 'BillingPeriodStart', 'InvoiceIssuerName') && this.#arePeriodsSure)
      this.#comparePeriods()
    if (this.#has('ContractCommitment', 'ContractCommitmentId', 'ContractId') && this.#areCommitmentsSure)
      this.#compareCommitments()
  }

  #comparePeriods(): void {
    const column = 'BillingPeriodStart'
    for (const [key, { dataset, row }] of this.#periodsUsed)
      if (!this.#periods.has(key))
        this.#report('X-BillingPeriod-KNOWN', dataset, { row, column }, `${key} is not in Billing Period`)
    if (!this.#has('CostAndUsage', 'InvoiceId')) return
    for (const [key, row] of this.#uninvoiced)
      if (this.#periods.get(key) === 'Closed') {
        const found = `is null in ${key}, which is Closed`
        this.#report('X-BillingPeriodStatus-INVOICED', 'CostAndUsage', { row, column: 'InvoiceId' }, found)
      }
  }

  #compareCommitments(): void {
    for (const { row, commitment, contract } of this.#applied.values())
      if (this.#commitments.get(commitment) !== contract) {
        const found = `${commitment} of ${contract} is not in Contract Commitment`
        this.#report('X-ContractCommitmentId-KNOWN', 'CostAndUsage', { row, column: 'ContractApplied' }, found)
      }
  }
}

/** A billing period by its start and issuer, as the datasets are joined by them. */
function periodOf(view: RowView): string | undefined {
  const [start, issuer] = [view.text('BillingPeriodStart'), view.text('InvoiceIssuerName')]
  return start == null || issuer == null ? undefined : `${start} of ${issuer}`
}
