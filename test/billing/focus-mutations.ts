import type { Dataset } from '../../src/billing/focus/columns.ts'
import { checkedRules } from '../../src/billing/focus-check/check-focus.ts'
import { modelDatasets, scaleOf, type DatasetId, type ModelColumn } from '../../src/billing/focus-check/model.ts'
import type { Rule } from '../../src/billing/focus-check/rule.ts'
import { Editor, type Table } from './focus-table.ts'

/** One fault put into the files: the rule that has to say so, and whichever others it breaks as well. */
export interface Mutation {
  readonly rule: string
  readonly also: readonly string[]
  readonly dataset: Dataset
  readonly what: string
  apply(table: Table, random: () => number): void
}

const fileOf: Readonly<Record<DatasetId, Dataset>> = {
  CostAndUsage: 'cost-and-usage',
  ContractCommitment: 'contract-commitment',
  BillingPeriod: 'billing-period',
  InvoiceDetail: 'invoice-detail',
}

type Row = string[]
type Edit = (editor: Editor, random: () => number) => void

const picked = <T>(values: readonly T[], random: () => number): T => {
  const value = values[Math.floor(random() * values.length)]
  if (value === undefined) throw new Error('there is nothing to pick from')
  return value
}

/** Changes one of the rows that are as they have to be for it. */
const inRow =
  (
    isSuch: (get: (column: string) => string) => boolean,
    change: (row: Row, editor: Editor, random: () => number) => void,
  ): Edit =>
  (editor, random) => {
    const rows = editor.table.rows.filter((row) => isSuch((column) => editor.get(row, column)))
    change(picked(rows, random), editor, random)
  }
const anyRow = () => true

const setIn = (
  column: string,
  values: readonly string[] | ((was: string) => string),
  isSuch: (get: (column: string) => string) => boolean = anyRow,
): Edit =>
  inRow(isSuch, (row, editor, random) =>
    editor.set(row, column, typeof values === 'function' ? values(editor.get(row, column)) : picked(values, random)),
  )

const category =
  (...names: readonly string[]) =>
  (get: (column: string) => string) =>
    names.includes(get('ChargeCategory')) && get('ChargeClass') === ''
const isCorrectedUse = (get: (column: string) => string) =>
  get('ChargeCategory') === 'Usage' && get('ChargeClass') !== '' && get('SkuPriceId') !== ''
/** Without a price and by no rule to have one. */
const isUnpriced = (get: (column: string) => string) =>
  get('ChargeCategory') === 'Adjustment' && get('ChargeClass') === ''

/** Faults that need another row, or another value, than the first that comes. */
const byHand: Readonly<Record<string, { edit: Edit; also?: readonly string[] }>> = {
  // Costs: half of what it should be.
  'CAU-ContractedCost-PRODUCT': {
    edit: setIn('ContractedCost', (was) => `${was}${was.includes('.') ? '' : '.'}1`, category('Usage')),
  },
  'CAU-ListCost-PRODUCT': {
    edit: setIn('ListCost', (was) => `${was}${was.includes('.') ? '' : '.'}1`, category('Usage')),
  },
  'CAU-ContractedCost-CREDIT': { edit: setIn('ContractedCost', ['0', '12.5'], category('Credit')) },
  'CAU-ListCost-UNPRICED-CREDIT': { edit: setIn('ListCost', ['0', '12.5'], category('Credit')) },
  'CAU-EffectiveCost-COVERING-PURCHASE': { edit: setIn('EffectiveCost', ['0.01', '-1'], category('Purchase')) },
  'CAU-EffectiveCost-USAGE': {
    edit: setIn('EffectiveCost', ['123456.01', '-1'], category('Usage', 'Tax', 'Adjustment')),
  },
  // What has to be null, or there, under a condition.
  ...Object.fromEntries(
    (
      [
        ['SkuId', 'scribe/input_tokens'],
        ['SkuPriceId', 'scribe/input_tokens/standard/step-1'],
        ['ContractedUnitPrice', '1'],
        ['ListUnitPrice', '1'],
        ['PricingQuantity', '0'],
        ['PricingCategory', 'Standard'],
      ] as const
    ).flatMap(([column, value]) => [
      [`CAU-${column}-TAX`, { edit: taxWith(column, value) }],
      [`CAU-${column}-CHARGED`, { edit: chargedWithout(column) }],
    ]),
  ),
  ...Object.fromEntries(
    (
      [
        ['ContractedUnitPrice', '1'],
        ['ListUnitPrice', '1'],
        ['PricingCategory', 'Standard'],
        ['SkuPriceDetails', '{"x_Step":"list"}'],
      ] as const
    ).map(([column, value]) => [`CAU-${column}-NULL-WITH-SkuPriceId`, { edit: setIn(column, [value], isUnpriced) }]),
  ),
  'CAU-PricingQuantity-NULL-WITH-SkuPriceId': {
    edit: inRow(isUnpriced, (row, editor) => {
      editor.set(row, 'PricingQuantity', '3')
      editor.set(row, 'PricingUnit', 'Tokens')
    }),
  },
  'CAU-ContractedUnitPrice-WITH-SkuPriceId': { edit: setIn('ContractedUnitPrice', [''], isCorrectedUse) },
  'CAU-ListUnitPrice-WITH-SkuPriceId': { edit: setIn('ListUnitPrice', [''], isCorrectedUse) },
  'CAU-SkuMeter-NULL-WITH-SkuId': { edit: setIn('SkuMeter', ['Requests'], isUnpriced) },
  'CAU-SkuPriceDetails-KEYS': {
    edit: setIn('SkuPriceDetails', ['{"Step":"list"}', '{"coreCount":4}'], category('Usage')),
  },
  'CAU-PricingUnit-NULL-WITH-PricingQuantity': { edit: setIn('PricingUnit', ['Tokens'], isUnpriced) },
  'CAU-PricingUnit-WITH-PricingQuantity': { edit: setIn('PricingUnit', [''], category('Usage', 'Purchase')) },
  'CAU-ConsumedUnit-NULL-WITH-ConsumedQuantity': { edit: setIn('ConsumedUnit', ['Tokens'], isUnpriced) },
  'CAU-ConsumedUnit-WITH-ConsumedQuantity': { edit: setIn('ConsumedUnit', [''], category('Usage')) },
  'CAU-ConsumedQuantity-NOT-USAGE': {
    edit: inRow(category('Purchase', 'Tax', 'Credit', 'Adjustment'), (row, editor) => {
      editor.set(row, 'ConsumedQuantity', '7')
      editor.set(row, 'ConsumedUnit', 'Tokens')
    }),
  },
  'CAU-ConsumedQuantity-USAGE': {
    edit: inRow(category('Usage'), (row, editor) => {
      editor.set(row, 'ConsumedQuantity', '')
      editor.set(row, 'ConsumedUnit', '')
    }),
  },
  'CAU-ConsumedQuantity-NULL-WITH-SkuPriceId': {
    edit: inRow(
      (get) => get('ChargeCategory') === 'Usage' && get('ChargeClass') !== '' && get('SkuPriceId') === '',
      (row, editor) => {
        editor.set(row, 'ConsumedQuantity', '7')
        editor.set(row, 'ConsumedUnit', 'Tokens')
      },
    ),
  },
  'CAU-ChargeFrequency-PURCHASE': { edit: setIn('ChargeFrequency', ['Usage-Based'], category('Purchase')) },
  'CAU-ServiceSubcategory-PARENT': {
    edit: setIn('ServiceSubcategory', ['Containers', 'Other (Media)', 'Data Processing']),
  },
  'CAU-ContractApplied-ELEMENTS': {
    edit: setIn('ContractApplied', [
      '{}',
      '{"Elements":[]}',
      '{"elements":[{}]}',
      '{"Elements":[1]}',
      '{"Elements":[{"ContractId":"a","ContractCommitmentId":"b"}]}',
      '{"Elements":[{"ContractCommitmentId":"b","ContractCommitmentAppliedCost":1}]}',
      '{"Elements":[{"ContractID":"a","ContractCommitmentID":"b","ContractCommitmentAppliedCost":1}]}',
      '{"Elements":[{"ContractId":"LIC-LAKESIDE","ContractCommitmentId":"LIC-LAKESIDE/minimum/standard@1","ContractCommitmentAppliedCost":"1"}]}',
      '{"Elements":[{"ContractId":"LIC-LAKESIDE","ContractCommitmentId":"LIC-LAKESIDE/minimum/standard@1","ContractCommitmentAppliedQuantity":1}]}',
      '{"Elements":[{"ContractId":"LIC-LAKESIDE","ContractCommitmentId":"LIC-LAKESIDE/minimum/standard@1","ContractCommitmentAppliedCost":1,"Balance":1}]}',
    ]),
    // Two of these name a commitment that there is not.
    also: ['X-ContractCommitmentId-KNOWN'],
  },
  'CAU-SubAccountName-NULL-WITH-SubAccountId': {
    edit: setIn('SubAccountId', [''], (get) => get('SubAccountName') !== ''),
  },
  'CAU-SubAccountName-WITH-SubAccountId': { edit: setIn('SubAccountName', [''], (get) => get('SubAccountId') !== '') },
  'CAU-RegionName-NULL-WITH-RegionId': { edit: setIn('RegionId', [''], (get) => get('RegionName') !== '') },
  'CAU-RegionName-WITH-RegionId': { edit: setIn('RegionName', [''], (get) => get('RegionId') !== '') },
  'CAU-InvoiceDetailId-NULL-WITH-InvoiceId': {
    edit: setIn('InvoiceId', [''], (get) => get('BilledCost') !== '0'),
    also: [
      'X-BillingPeriodStatus-INVOICED',
      'X-BilledCost-INVOICE',
      'X-BilledCost-INVOICE-DETAIL',
      'X-InvoiceId-CHARGED',
    ],
  },
  'CAU-InvoiceDetailId-WITH-InvoiceId': {
    edit: setIn('InvoiceDetailId', [''], (get) => get('BilledCost') !== '0'),
    also: ['X-BilledCost-INVOICE-DETAIL', 'X-InvoiceId-CHARGED'],
  },
  // Periods.
  'CAU-BillingPeriodEnd-AFTER-START': {
    edit: setIn('BillingPeriodEnd', ['2026-09-01T00:00:00Z', '2025-01-01T00:00:00Z'], isUnpriced),
  },
  'CAU-ChargePeriodEnd-AFTER-START': {
    edit: setIn('ChargePeriodEnd', (was) => was.replace('2026', '2025'), category('Usage')),
  },
  'IND-BillingPeriodEnd-AFTER-START': {
    edit: setIn('BillingPeriodEnd', ['2026-09-01T00:00:00Z', '2026-08-31T23:59:59Z']),
  },
  'BPD-BillingPeriodEnd-AFTER-START': {
    edit: setIn('BillingPeriodEnd', ['2026-09-01T00:00:00Z', '2026-08-31T23:59:59Z']),
  },
  'CCT-ContractPeriodEnd-AFTER-START': { edit: setIn('ContractPeriodEnd', ['2020-01-01T00:00:00Z']) },
  'CCT-ContractCommitmentPeriodEnd-AFTER-START': {
    edit: setIn('ContractCommitmentPeriodEnd', ['2020-01-01T00:00:00Z']),
  },
  'BPD-BillingPeriodLastUpdated-AFTER-CREATED': { edit: setIn('BillingPeriodLastUpdated', ['2026-08-31T23:59:59Z']) },
  'CCT-ContractCommitmentLastUpdated-AFTER-CREATED': {
    edit: setIn('ContractCommitmentLastUpdated', ['2026-01-31T23:59:59Z']),
  },
  'IND-InvoiceDetailLastUpdated-AFTER-CREATED': { edit: setIn('InvoiceDetailLastUpdated', ['2026-08-31T23:59:59Z']) },
  'CAU-ChargePeriodEnd-CORRECTED': {
    edit: setIn(
      'ChargePeriodEnd',
      ['2026-09-02T00:00:00Z', '2026-10-01T00:00:00Z'],
      (get) => get('ChargeClass') !== '' && get('ChargeCategory') !== 'Tax',
    ),
  },
  'CAU-ChargeClass-OTHER-PERIOD': { edit: setIn('ChargeClass', [''], isCorrectedUse) },
  'CAU-ChargePeriodEnd-IN-BILLING-PERIOD': {
    edit: setIn('ChargePeriodEnd', ['2026-10-02T00:00:00Z', '2027-01-01T00:00:00Z'], category('Usage')),
  },
  'IND-InvoiceDetailGrain-KEYS': {
    edit: setIn('InvoiceDetailGrain', ['{"LineKey":"a"}', '{"SKUId":"a"}', '{"skuId":"a","x_LineKey":"b"}']),
  },
  // Commitments.
  'CCT-ContractCommitmentCost-OR-QUANTITY': { edit: setIn('ContractCommitmentCost', ['']) },
  'CCT-ContractCommitmentUnit-NULL-WITH-ContractCommitmentQuantity': {
    edit: setIn('ContractCommitmentUnit', ['Tokens', 'Hours']),
  },
  'CCT-ContractCommitmentUnit-WITH-ContractCommitmentQuantity': {
    edit: setIn('ContractCommitmentQuantity', ['5', '0.5']),
  },
  'CCT-BillingCurrency-WITH-ContractCommitmentCost': { edit: setIn('BillingCurrency', ['']) },
  'CCT-ContractCommitmentDiscountPercentage-DISCOUNT': {
    edit: setIn('ContractCommitmentBenefitCategory', ['Discount']),
  },
  'CCT-ContractCommitmentDiscountPercentage-AVAILABILITY': {
    edit: inRow(anyRow, (row, editor) => {
      editor.set(row, 'ContractCommitmentBenefitCategory', 'Availability')
      editor.set(row, 'ContractCommitmentDiscountPercentage', '0.1')
    }),
  },
  'CCT-ContractCommitmentPeriod-WITHIN-CONTRACT': {
    edit: setIn('ContractCommitmentPeriodStart', ['2020-01-01T00:00:00Z']),
  },
  'CCT-ContractCommitmentApplicability-OBJECT': {
    edit: setIn('ContractCommitmentApplicability', [
      '{}',
      '{"IsGlobalScope":true,"IsComplexScope":true}',
      '{"IsGlobalScope":true,"Inclusions":[]}',
      '{"InclusionOperator":"Xor","Inclusions":[{"Dimension":"RegionId","Operator":"In","Values":["a"]}]}',
      '{"InclusionOperator":"And","Inclusions":[{"Dimension":"RegionId","Operator":"Is","Values":["a"]}]}',
      '{"InclusionOperator":"And","Inclusions":[{"Dimension":"RegionId","Operator":"In","Values":["*","a"]}]}',
      '{"IsGlobalScope":true,"Applicability":{"Cost":1.5}}',
      '{"IsGlobalScope":true,"Scope":1}',
    ]),
  },
  // Rows together.
  'CAU-SkuPriceId-ONE-SKU': { edit: setIn('SkuId', (was) => `${was}-2`, category('Usage')) },
  'CAU-SkuMeter-ONE-PER-SKU': { edit: setIn('SkuMeter', ['Another Meter'], category('Usage')) },
  'CAU-BillingCurrency-ONE-PER-INVOICE': { edit: setLast('BillingCurrency', 'CHF') },
  'CAU-BillingAccountId-ONE-PER-INVOICE': { edit: setIn('BillingAccountId', ['somebody'], anyRow) },
  'IND-InvoiceDetailId-UNIQUE': { edit: sameDetail },
  'IND-BillingCurrency-ONE-PER-INVOICE': { edit: setLast('BillingCurrency', 'CHF') },
  'IND-InvoiceIssueDate-ONE-PER-INVOICE': { edit: setLast('InvoiceIssueDate', '2026-10-03T00:00:00Z') },
  'IND-InvoiceIssueStatus-ONE-PER-INVOICE': { edit: setLast('InvoiceIssueStatus', 'Open') },
  'IND-PaymentDueDate-ONE-PER-INVOICE': { edit: setLast('PaymentDueDate', '2026-11-03T00:00:00Z') },
  'BPD-BillingPeriodStart-UNIQUE': { edit: twice },
  'CCT-ContractCommitmentId-UNIQUE': { edit: twice },
  // Files together.
  'X-BilledCost-INVOICE': {
    edit: bothCosts(['0.01', '1000']),
    also: ['X-BilledCost-INVOICE-DETAIL'],
  },
  'X-BilledCost-INVOICE-DETAIL': {
    // Between two lines of one invoice, whose sum stays.
    edit: setIn(
      'InvoiceDetailId',
      (was) => (was === '1' ? '2' : '1'),
      (get) => category('Usage')(get) && get('BilledCost') !== '0' && get('x_LicenseId') === 'LIC-LAKESIDE',
    ),
  },
  'X-InvoiceId-KNOWN': {
    edit: inRow(
      (get) => get('BilledCost') !== '0' && get('x_LicenseId') === 'LIC-LAKESIDE' && get('ChargeCategory') === 'Usage',
      (row, editor) => editor.set(row, 'InvoiceId', 'INV-999999'),
    ),
    also: ['X-BilledCost-INVOICE', 'X-BilledCost-INVOICE-DETAIL', 'X-InvoiceId-CHARGED'],
  },
  'X-InvoiceDetailId-KNOWN': {
    edit: setIn('InvoiceDetailId', ['999', '0'], (get) => category('Usage')(get) && get('BilledCost') === '0'),
    also: ['X-InvoiceId-CHARGED'],
  },
  'X-InvoiceId-CHARGED': { edit: oneMoreLine, also: ['X-BilledCost-INVOICE'] },
  'X-BillingCurrency-INVOICE': {
    edit: (editor) => {
      for (const row of editor.table.rows)
        if (editor.get(row, 'x_LicenseId') === 'LIC-LAKESIDE') editor.set(row, 'BillingCurrency', 'CHF')
    },
  },
  'X-BillingPeriod-KNOWN': { edit: otherPeriod },
  'X-BillingPeriodStatus-INVOICED': {
    edit: inRow(
      (get) => get('BilledCost') === '0' && category('Usage')(get),
      (row, editor) => {
        editor.set(row, 'InvoiceId', '')
        editor.set(row, 'InvoiceDetailId', '')
      },
    ),
  },
  'X-ContractCommitmentId-KNOWN': {
    edit: setIn(
      'ContractApplied',
      (was) => was.replace('standard@1', 'standard@7'),
      (get) => get('ContractApplied').includes('standard@1'),
    ),
  },
}

function taxWith(column: string, value: string): Edit {
  return inRow(category('Tax'), (row, editor) => {
    editor.set(row, column, value)
    if (column === 'PricingQuantity') editor.set(row, 'PricingUnit', 'Tokens')
  })
}

function chargedWithout(column: string): Edit {
  return inRow(category('Usage'), (row, editor) => {
    editor.set(row, column, '')
    if (column === 'PricingQuantity') editor.set(row, 'PricingUnit', '')
  })
}

/** In the last row of a table: its invoice has others before it. */
function setLast(column: string, value: string): Edit {
  return inRow(
    (get) => get('x_LicenseId') === 'LIC-LAKESIDE',
    (_row, editor) => {
      const last = editor.table.rows.findLast((row) => editor.get(row, 'x_LicenseId') === 'LIC-LAKESIDE')
      if (last !== undefined) editor.set(last, column, value)
    },
  )
}

function sameDetail(editor: Editor): void {
  const last = editor.table.rows.findLast((row) => editor.get(row, 'x_LicenseId') === 'LIC-LAKESIDE')
  if (last !== undefined) editor.set(last, 'InvoiceDetailId', '1')
}

function twice(editor: Editor, random: () => number): void {
  editor.table.rows.push([...picked(editor.table.rows, random)])
}

/** A charge dearer than its invoice: all its costs alike, so that only the invoice can tell. */
function bothCosts(values: readonly string[]): Edit {
  return inRow(isUnpriced, (row, editor, random) => {
    const value = picked(values, random)
    for (const column of ['BilledCost', 'EffectiveCost', 'ContractedCost', 'ListCost']) editor.set(row, column, value)
  })
}

/** A line of an invoice that nothing is charged for. */
function oneMoreLine(editor: Editor): void {
  const line = [...(editor.table.rows[0] ?? [])]
  editor.set(line, 'InvoiceDetailId', '99')
  editor.set(line, 'BilledCost', '5')
  editor.table.rows.push(line)
}

function otherPeriod(editor: Editor): void {
  for (const row of editor.table.rows) {
    editor.set(row, 'BillingPeriodStart', '2026-09-02T00:00:00Z')
    editor.set(row, 'BillingPeriodCreated', '2026-09-02T00:00:00Z')
  }
}

/** What breaks a rule that the model makes, in the column that it is of. */
function byModel({ id, dataset, columns }: Rule): { edit: Edit; also?: readonly string[] } | undefined {
  const kind = id.slice(id.indexOf('-', 4) + 1)
  const [short, column = ''] = id.split('-')
  const facts = modelDatasets.get(dataset)?.columns.get(column)
  if (facts === undefined || (columns.length > 1 && kind !== 'PRESENT')) return undefined
  const isSuch = rowsFor(short ?? '', column, facts)
  const edit = (values: readonly string[] | ((was: string) => string)): { edit: Edit } => ({
    edit: (editor, random) => {
      editor.add(column, facts.allows_nulls ? '' : filler(facts))
      setIn(column, values, isSuch)(editor, random)
    },
  })
  switch (kind) {
    case 'PRESENT':
      return { edit: (editor) => editor.drop(column) }
    case 'NOT-NULL':
      return edit([''])
    case 'ALLOWED':
      return edit(['Something else', facts.allowed_values?.[0]?.toLowerCase() ?? 'x', `${facts.allowed_values?.[0]}s `])
    case 'VALUE':
      return edit(['N/A', 'null', 'NULL', 'Not Applicable', '-', '   ', 'none'])
    case 'SCALE':
      return edit((was) => {
        const { scale } = scaleOf(column)
        const [whole, places = ''] = (was === '' ? '0' : was).split('.')
        return `${whole}.${places.padEnd(scale + 1, '0')}`
      })
    case 'RANGE':
      return edit(facts.numeric_range === null ? ['-0.5', '-1'] : ['-0.01', '1.01', '20'])
    case 'FORMAT':
      return edit(malformed[facts.value_format] ?? [])
    default:
      return undefined
  }
}

/** A cell that is right in a column that we do not have, and that may not be null. */
const filler = ({ value_format: format }: ModelColumn): string =>
  format.startsWith('Decimal') ? '0.5' : format === 'Currency' ? 'USD' : 'Tenant'

const malformed: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(
    ['Decimal', 'Decimal (any)', 'Decimal (non-negative)'].map((format) => [
      format,
      ['1e3', '+5', '1,000', '$4', '1/2', 'NaN', '.5', '5.', '4 USD', '0x1F'],
    ]),
  ),
  'Date/Time': [
    '2026-09-01',
    '2026-09-01T00:00:00+00:00',
    '2026-09-31T00:00:00Z',
    '2026-09-01T00:00:00.000Z',
    '2026-09-01 00:00:00Z',
    '2026-09-01T25:00:00Z',
    '09/01/2026',
    '20260901T000000Z',
  ],
  Currency: ['US$', 'usd', 'ZZZ', 'EURO', 'Dollar'],
  'Key-Value': ['{"x_A":', '[1]', '"text"', '{"x_A":1,"x_A":2}', '{"x_A":{"b":1}}', '{"x_A":[1]}', 'x_A=1'],
  'JSON Object': ['{"a":', '[1]', '"text"', '{"IsGlobalScope":true,"IsGlobalScope":true}', 'a=1'],
  Unit: [
    'tokens',
    '1,000 Tokens',
    'GBs',
    'hours',
    '0 Tokens',
    'Tokens/Hour/Day',
    '1.5 Tokens',
    'Tokens - Hours',
    'Gigabytes',
  ],
  'Expected Format': ['Year', '1', '0 Years', '1.5 Years', 'One Year', '1 Decade', '12Months'],
}

/** A row in which the fault is the only one. */
function rowsFor(short: string, column: string, facts: ModelColumn): (get: (column: string) => string) => boolean {
  if (short !== 'CAU') return anyRow
  switch (column) {
    case 'ChargeClass':
      return category('Usage', 'Adjustment')
    case 'ContractedUnitPrice':
    case 'ListUnitPrice':
    case 'PricingQuantity':
    case 'PricingUnit':
    case 'PricingCategory':
    case 'SkuId':
    case 'SkuMeter':
    case 'SkuPriceId':
    case 'SkuPriceDetails':
      // Of a package that was begun before, nothing of is paid: whatever its price is, its cost is 0.
      return (get) =>
        category('Usage')(get) && (facts.value_format !== 'Decimal (non-negative)' || get('PricingQuantity') === '0')
    case 'ConsumedQuantity':
    case 'ConsumedUnit':
    case 'RegionId':
    case 'RegionName':
      return category('Usage')
    case 'SubAccountId':
    case 'SubAccountName':
      return (get) => get('SubAccountId') !== ''
    default:
      return anyRow
  }
}

/** What the header, or the width of a row, can be wrong in. */
function byHeader({ id, dataset }: Rule): { edit: Edit } | undefined {
  const custom = dataset === 'BillingPeriod' ? undefined : 'x_PlanName'
  switch (id.slice(id.indexOf('-') + 1)) {
    case 'COLUMNS-UNIQUE':
      return {
        edit: (editor, random) => {
          const at = Math.floor(random() * editor.table.header.length)
          editor.table.header.splice(at, 0, editor.table.header[at] ?? '')
          for (const row of editor.table.rows) row.splice(at, 0, row[at] ?? '')
        },
      }
    case 'COLUMNS-CUSTOM-PREFIX':
      return {
        edit: (editor, random) => {
          const name = picked(['LicenseNumber', 'X_Other', 'Note'], random)
          editor.table.header.push(name)
          for (const row of editor.table.rows) row.push('1')
        },
      }
    case 'COLUMNS-CUSTOM-LAST':
      return {
        edit: (editor) => {
          editor.table.header.unshift(custom === undefined ? 'x_Other' : 'x_Another')
          for (const row of editor.table.rows) row.unshift('1')
        },
      }
    case 'COLUMNS-ROW-WIDTH':
      return {
        edit: inRow(
          (get) => dataset !== 'CostAndUsage' || get('BilledCost') === '0',
          (row) => void row.pop(),
        ),
      }
    default:
      return undefined
  }
}

/** Faults of every rule that is checked, each rule's at least once. */
export const mutations: readonly Mutation[] = checkedRules.map((rule) => {
  const found = byHand[rule.id] ?? byHeader(rule) ?? byModel(rule)
  if (found === undefined) throw new Error(`nobody has said how to break ${rule.id}`)
  const { edit, also = [] } = found as { edit: Edit; also?: readonly string[] }
  return {
    rule: rule.id,
    also,
    dataset: fileOf[rule.dataset],
    what: rule.must,
    apply: (table, random) => edit(new Editor(table), random),
  }
})
