import { datasetIds, modelDatasets, type DatasetId } from './model.ts'
import type { Rule } from './rule.ts'

const short = (dataset: DatasetId): string => modelDatasets.get(dataset)?.short ?? ''

const ofEach = (kind: string, must: string): readonly Rule[] =>
  datasetIds.map((dataset) => ({
    id: `${short(dataset)}-COLUMNS-${kind}`,
    dataset,
    columns: [],
    must,
    source: 'specification',
  }))

/** What a file's header and the number of its cells have to be. */
export const headerRules: readonly Rule[] = [
  ...ofEach('UNIQUE', 'A column MUST stand once.'),
  ...ofEach('CUSTOM-PREFIX', 'A column that FOCUS does not define MUST begin with x_.'),
  ...ofEach('CUSTOM-LAST', 'Columns of FOCUS stand before the others (SHOULD; we hold ourselves to it).'),
  ...ofEach('ROW-WIDTH', 'A row MUST have a cell for each column.'),
]

/** What is true of the rows of one file together. */
export const aggregateRules: readonly Rule[] = (
  [
    [
      'CAU-SkuPriceId-ONE-SKU',
      'CostAndUsage',
      ['SkuPriceId', 'SkuId'],
      'A SkuPriceId MUST have one and only one SkuId.',
    ],
    [
      'CAU-SkuMeter-ONE-PER-SKU',
      'CostAndUsage',
      ['SkuId', 'SkuMeter'],
      'A SkuId names one thing that is metered (SHOULD; we hold ourselves to it).',
    ],
    [
      'CAU-BillingCurrency-ONE-PER-INVOICE',
      'CostAndUsage',
      ['InvoiceId', 'BillingCurrency'],
      'BilledCost MUST be in the BillingCurrency, of which an invoice has one.',
    ],
    [
      'CAU-BillingAccountId-ONE-PER-INVOICE',
      'CostAndUsage',
      ['InvoiceId', 'BillingAccountId'],
      'InvoiceId MUST be associated with one BillingAccountId.',
    ],
    [
      'IND-InvoiceDetailId-UNIQUE',
      'InvoiceDetail',
      ['InvoiceId', 'InvoiceDetailId'],
      'InvoiceDetailId MUST identify one record of an invoice.',
    ],
    [
      'IND-BillingCurrency-ONE-PER-INVOICE',
      'InvoiceDetail',
      ['InvoiceId', 'BillingCurrency'],
      'An invoice has one BillingCurrency.',
    ],
    [
      'IND-InvoiceIssueDate-ONE-PER-INVOICE',
      'InvoiceDetail',
      ['InvoiceId', 'InvoiceIssueDate'],
      'InvoiceIssueDate MUST be the date of the invoice.',
    ],
    [
      'IND-InvoiceIssueStatus-ONE-PER-INVOICE',
      'InvoiceDetail',
      ['InvoiceId', 'InvoiceIssueStatus'],
      'InvoiceIssueStatus MUST be the state of the invoice.',
    ],
    [
      'IND-PaymentDueDate-ONE-PER-INVOICE',
      'InvoiceDetail',
      ['InvoiceId', 'PaymentDueDate'],
      'PaymentDueDate MUST be the deadline of the invoice.',
    ],
    [
      'BPD-BillingPeriodStart-UNIQUE',
      'BillingPeriod',
      ['BillingPeriodStart', 'InvoiceIssuerName'],
      'A billing period of an issuer MUST stand once.',
    ],
    [
      'CCT-ContractCommitmentId-UNIQUE',
      'ContractCommitment',
      ['ContractCommitmentId'],
      'ContractCommitmentId MUST be unique.',
    ],
  ] as const
).map(([id, dataset, columns, must]) => ({ id, dataset, columns, must, source: 'specification' }))

/** What is true of several files together; each is asked where all of its files were given. */
export const crossRules: readonly Rule[] = (
  [
    [
      'X-BilledCost-INVOICE',
      'CostAndUsage',
      ['InvoiceId', 'BilledCost'],
      'BilledCost by InvoiceId MUST sum to what Invoice Detail has (we allow no difference).',
    ],
    [
      'X-BilledCost-INVOICE-DETAIL',
      'CostAndUsage',
      ['InvoiceId', 'InvoiceDetailId', 'BilledCost'],
      'BilledCost by InvoiceId and InvoiceDetailId MUST sum to what Invoice Detail has (we allow no difference).',
    ],
    [
      'X-InvoiceId-KNOWN',
      'CostAndUsage',
      ['InvoiceId'],
      'An InvoiceId of Cost and Usage MUST stand in Invoice Detail.',
    ],
    [
      'X-InvoiceDetailId-KNOWN',
      'CostAndUsage',
      ['InvoiceId', 'InvoiceDetailId'],
      'An InvoiceDetailId of Cost and Usage MUST stand under its invoice in Invoice Detail.',
    ],
    [
      'X-InvoiceId-CHARGED',
      'InvoiceDetail',
      ['InvoiceId', 'BilledCost'],
      'All costs of an invoice MUST be present in Cost and Usage.',
    ],
    [
      'X-BillingCurrency-INVOICE',
      'CostAndUsage',
      ['InvoiceId', 'BillingCurrency'],
      'An invoice has the same BillingCurrency in both datasets.',
    ],
    [
      'X-BillingPeriod-KNOWN',
      'BillingPeriod',
      ['BillingPeriodStart', 'InvoiceIssuerName'],
      'Billing periods of charges and invoices MUST stand in Billing Period.',
    ],
    [
      'X-BillingPeriodStatus-INVOICED',
      'CostAndUsage',
      ['InvoiceId'],
      'A Closed billing period MUST NOT have charges without an InvoiceId.',
    ],
    [
      'X-ContractCommitmentId-KNOWN',
      'CostAndUsage',
      ['ContractApplied'],
      'Commitments that are applied MUST stand in Contract Commitment, under the same contract.',
    ],
  ] as const
).map(([id, dataset, columns, must]) => ({ id, dataset, columns, must, source: 'specification' }))
