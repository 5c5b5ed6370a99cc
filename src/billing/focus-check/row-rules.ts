import { applicabilityProblem } from './applicability-object.ts'
import { isEqual, isZero, multiply, show, type Decimal } from './decimal.ts'
import { isPlainObject, parseObject } from './json-cell.ts'
import { parentCategories } from './model.ts'
import type { RowRule, RowView } from './rule.ts'

type Said = Omit<RowRule, 'dataset' | 'source'>
const inCostAndUsage = (rules: readonly Said[]): readonly RowRule[] =>
  rules.map((rule) => ({ ...rule, dataset: 'CostAndUsage', source: 'specification' }))
const inCommitments = (rules: readonly Said[]): readonly RowRule[] =>
  rules.map((rule) => ({ ...rule, dataset: 'ContractCommitment', source: 'specification' }))

const isUsageOrPurchase = (row: RowView): boolean => ['Usage', 'Purchase'].includes(row.text('ChargeCategory') ?? '')
const isCorrection = (row: RowView): boolean => row.text('ChargeClass') === 'Correction'
const isTax = (row: RowView): boolean => row.text('ChargeCategory') === 'Tax'

function costs(): readonly RowRule[] {
  const product = (cost: string, price: string): Said => ({
    id: `CAU-${cost}-PRODUCT`,
    columns: [cost, price, 'PricingQuantity'],
    must: `${cost} MUST equal ${price} × PricingQuantity where both are there.`,
    wrong: (row) => {
      const [is, unit, quantity] = [row.decimal(cost), row.decimal(price), row.decimal('PricingQuantity')]
      if (is == null || unit == null || quantity == null) return undefined
      const wanted = multiply(unit, quantity)
      return isEqual(is, wanted) ? undefined : `${show(is)} is not ${show(wanted)}`
    },
  })
  const asBilled = (cost: string, price: string, when: string, isSo: (row: RowView) => boolean): Said => ({
    id: `CAU-${cost}-${when}`,
    columns: [cost, 'BilledCost', 'ChargeCategory', price],
    must: `${cost} MUST equal BilledCost of a charge of category Credit${when === 'CREDIT' ? '' : ` without ${price}`}.`,
    wrong: (row) => {
      const [is, billed] = [row.decimal(cost), row.decimal('BilledCost')]
      if (is == null || billed == null || !isSo(row) || isEqual(is, billed)) return undefined
      return `${show(is)} is not ${show(billed)}`
    },
  })
  const isCredit = (row: RowView) => row.text('ChargeCategory') === 'Credit'
  return inCostAndUsage([
    product('ContractedCost', 'ContractedUnitPrice'),
    product('ListCost', 'ListUnitPrice'),
    asBilled('ContractedCost', 'ContractedUnitPrice', 'CREDIT', isCredit),
    asBilled(
      'ListCost',
      'ListUnitPrice',
      'UNPRICED-CREDIT',
      (row) => isCredit(row) && row.text('ListUnitPrice') === null,
    ),
    {
      id: 'CAU-EffectiveCost-COVERING-PURCHASE',
      columns: ['EffectiveCost', 'BilledCost', 'ChargeCategory'],
      must: 'EffectiveCost of a Purchase MUST be 0 where it pays for other charges, else equal BilledCost.',
      wrong: (row) => {
        const [effective, billed] = [row.decimal('EffectiveCost'), row.decimal('BilledCost')]
        if (effective == null || billed == null || row.text('ChargeCategory') !== 'Purchase') return undefined
        return isZero(effective) || isEqual(effective, billed)
          ? undefined
          : `${show(effective)} is neither 0 nor ${show(billed)}`
      },
    },
    {
      id: 'CAU-EffectiveCost-USAGE',
      columns: ['EffectiveCost', 'BilledCost', 'ChargeCategory'],
      must: 'EffectiveCost MUST match BilledCost where a charge neither pays for others nor is paid by them: of Usage, Tax and Adjustment.',
      wrong: (row) => {
        const [effective, billed] = [row.decimal('EffectiveCost'), row.decimal('BilledCost')]
        if (
          effective == null ||
          billed == null ||
          !['Usage', 'Tax', 'Adjustment'].includes(row.text('ChargeCategory') ?? '')
        )
          return undefined
        return isEqual(effective, billed) ? undefined : `${show(effective)} is not ${show(billed)}`
      },
    },
  ])
}

/** Says of a column that it must be null, or must not, under a condition. */
const nullity = (
  id: string,
  columns: readonly [column: string, ...others: string[]],
  must: string,
  applies: (row: RowView) => boolean,
  wanted: 'null' | 'there',
): Said => ({
  id,
  columns,
  must,
  wrong: (row) => {
    const cell = row.text(columns[0])
    if (cell === undefined || !applies(row) || (cell === null) === (wanted === 'null')) return undefined
    return cell === null ? 'is null' : `${cell} stands where null has to`
  },
})

/** Both are there, or neither is. */
const together = (prefix: string, column: string, other: string): readonly Said[] => [
  nullity(
    `${prefix}-${column}-NULL-WITH-${other}`,
    [column, other],
    `${column} MUST be null when ${other} is null.`,
    (row) => row.text(other) === null,
    'null',
  ),
  nullity(
    `${prefix}-${column}-WITH-${other}`,
    [column, other],
    `${column} MUST NOT be null when ${other} is not null.`,
    (row) => row.text(other) != null,
    'there',
  ),
]

function prices(): readonly RowRule[] {
  const ofPrice = (column: string): readonly Said[] => [
    nullity(
      `CAU-${column}-TAX`,
      [column, 'ChargeCategory'],
      `${column} MUST be null when ChargeCategory is Tax.`,
      isTax,
      'null',
    ),
    nullity(
      `CAU-${column}-CHARGED`,
      [column, 'ChargeCategory', 'ChargeClass'],
      `${column} MUST NOT be null when ChargeCategory is Usage or Purchase and ChargeClass is not Correction.`,
      (row) => isUsageOrPurchase(row) && !isCorrection(row),
      'there',
    ),
  ]
  const withoutSkuPrice = (column: string) =>
    nullity(
      `CAU-${column}-NULL-WITH-SkuPriceId`,
      [column, 'SkuPriceId', 'ChargeCategory'],
      `${column} MUST be null when SkuPriceId is null.`,
      // Of a charge that has to have a SkuPriceId, its absence is the fault, and not what stands beside it.
      (row) => row.text('SkuPriceId') === null && !(isUsageOrPurchase(row) && !isCorrection(row)) && !isTax(row),
      'null',
    )
  const withSkuPrice = (column: string) =>
    nullity(
      `CAU-${column}-WITH-SkuPriceId`,
      [column, 'SkuPriceId', 'ChargeCategory', 'ChargeClass'],
      `${column} MUST NOT be null when SkuPriceId is not null.`,
      (row) => row.text('SkuPriceId') != null && !(isUsageOrPurchase(row) && !isCorrection(row)) && !isTax(row),
      'there',
    )
  return inCostAndUsage([
    ...['SkuId', 'SkuPriceId', 'ContractedUnitPrice', 'ListUnitPrice', 'PricingQuantity', 'PricingCategory'].flatMap(
      ofPrice,
    ),
    ...['ContractedUnitPrice', 'ListUnitPrice', 'PricingQuantity', 'PricingCategory', 'SkuPriceDetails'].map(
      withoutSkuPrice,
    ),
    ...['ContractedUnitPrice', 'ListUnitPrice'].map(withSkuPrice),
    nullity(
      'CAU-SkuMeter-NULL-WITH-SkuId',
      ['SkuMeter', 'SkuId', 'ChargeCategory', 'ChargeClass'],
      'SkuMeter MUST be null when SkuId is null.',
      (row) => row.text('SkuId') === null && !(isUsageOrPurchase(row) && !isCorrection(row)),
      'null',
    ),
    {
      id: 'CAU-SkuPriceDetails-KEYS',
      columns: ['SkuPriceDetails'],
      must: 'Keys of SkuPriceDetails MUST begin with x_ unless FOCUS defines them.',
      wrong: (row) => foreignKey(row.text('SkuPriceDetails'), skuProperties),
    },
  ])
}

const skuProperties: ReadonlySet<string> = new Set(
  [
    'CoreCount',
    'DiskMaxIops',
    'DiskSpace',
    'DiskType',
    'GpuCount',
    'InstanceType',
    'InstanceSeries',
    'MemorySize',
  ].concat([
    'NetworkMaxIops',
    'NetworkMaxThroughput',
    'OperatingSystem',
    'Redundancy',
    'StorageClass',
    'TokenCacheAction',
  ]),
)

function foreignKey(cell: string | null | undefined, known: ReadonlySet<string>): string | undefined {
  const object = cell == null ? undefined : parseObject(cell)
  const foreign = Object.keys(object ?? {}).find((key) => !key.startsWith('x_') && !known.has(key))
  return foreign === undefined ? undefined : `${foreign} is no property of FOCUS`
}

function quantities(): readonly RowRule[] {
  const isMetered = (row: RowView) => row.text('ChargeCategory') === 'Usage'
  return inCostAndUsage([
    ...together('CAU', 'PricingUnit', 'PricingQuantity'),
    ...together('CAU', 'ConsumedUnit', 'ConsumedQuantity'),
    nullity(
      'CAU-ConsumedQuantity-NOT-USAGE',
      ['ConsumedQuantity', 'ChargeCategory'],
      'ConsumedQuantity MUST be null when ChargeCategory is not Usage.',
      (row) => row.text('ChargeCategory') != null && !isMetered(row),
      'null',
    ),
    nullity(
      'CAU-ConsumedQuantity-USAGE',
      ['ConsumedQuantity', 'ChargeCategory', 'ChargeClass'],
      'ConsumedQuantity MUST NOT be null when ChargeCategory is Usage and ChargeClass is not Correction.',
      (row) => isMetered(row) && !isCorrection(row),
      'there',
    ),
    nullity(
      'CAU-ConsumedQuantity-NULL-WITH-SkuPriceId',
      ['ConsumedQuantity', 'SkuPriceId', 'ChargeCategory', 'ChargeClass'],
      'ConsumedQuantity MUST be null when SkuPriceId is null.',
      (row) => row.text('SkuPriceId') === null && isMetered(row) && isCorrection(row),
      'null',
    ),
  ])
}

function charges(): readonly RowRule[] {
  return inCostAndUsage([
    {
      id: 'CAU-ChargeFrequency-PURCHASE',
      columns: ['ChargeFrequency', 'ChargeCategory'],
      must: 'ChargeFrequency MUST NOT be Usage-Based when ChargeCategory is Purchase.',
      wrong: (row) =>
        row.text('ChargeFrequency') === 'Usage-Based' && row.text('ChargeCategory') === 'Purchase'
          ? 'is Usage-Based of a Purchase'
          : undefined,
    },
    {
      id: 'CAU-ServiceSubcategory-PARENT',
      columns: ['ServiceSubcategory', 'ServiceCategory'],
      must: 'ServiceSubcategory MUST have ServiceCategory as its parent.',
      wrong: (row) => {
        const parent = parentCategories.get(row.text('ServiceSubcategory') ?? '')
        const category = row.text('ServiceCategory')
        return parent === undefined || category == null || parent === category
          ? undefined
          : `belongs to ${parent}, not to ${category}`
      },
    },
    {
      id: 'CAU-ContractApplied-ELEMENTS',
      columns: ['ContractApplied'],
      must:
        'ContractApplied MUST have a list Elements of objects with ContractId, ContractCommitmentId, and either an applied cost or an applied quantity with its unit; ' +
        'other keys MUST begin with x_.',
      wrong: (row) => {
        const cell = row.text('ContractApplied')
        const object = cell == null ? undefined : parseObject(cell)
        return object === undefined ? undefined : elementsProblem(object)
      },
    },
  ])
}

const elementKeys: ReadonlySet<string> = new Set([
  'ContractId',
  'ContractCommitmentId',
  'ContractCommitmentAppliedCost',
  'ContractCommitmentAppliedQuantity',
  'ContractCommitmentAppliedUnit',
])

function elementsProblem(object: Record<string, unknown>): string | undefined {
  const other = Object.keys(object).find((key) => key !== 'Elements' && !key.startsWith('x_'))
  if (other !== undefined) return `has ${other} beside Elements`
  const { Elements: elements } = object
  if (!Array.isArray(elements) || elements.length === 0) return 'has no list Elements'
  for (const element of elements as readonly unknown[]) {
    if (!isPlainObject(element)) return 'has an element that is no object'
    const foreign = Object.keys(element).find((key) => !elementKeys.has(key) && !key.startsWith('x_'))
    if (foreign !== undefined) return `has ${foreign} in an element`
    const { ContractId: contract, ContractCommitmentId: commitment } = element
    if (typeof contract !== 'string' || typeof commitment !== 'string') return 'has an element that names no commitment'
    const [cost, quantity, unit] = [
      element['ContractCommitmentAppliedCost'] ?? null,
      element['ContractCommitmentAppliedQuantity'] ?? null,
      element['ContractCommitmentAppliedUnit'] ?? null,
    ]
    if ((cost === null) === (quantity === null)) return 'has an element that applies not one of cost and quantity'
    if ([cost, quantity].some((value) => value !== null && typeof value !== 'number'))
      return 'applies what is no number'
    if ((quantity === null) !== (unit === null)) return 'has a quantity without its unit, or a unit without one'
  }
  return undefined
}

function names(): readonly RowRule[] {
  return inCostAndUsage([
    ...together('CAU', 'SubAccountName', 'SubAccountId').slice(0, 1),
    ...together('CAU', 'SubAccountName', 'SubAccountId').slice(1),
    ...together('CAU', 'RegionName', 'RegionId'),
    ...together('CAU', 'InvoiceDetailId', 'InvoiceId'),
  ])
}

function periods(): readonly RowRule[] {
  const forward = (dataset: RowRule['dataset'], short: string, start: string, end: string): RowRule => ({
    id: `${short}-${end}-AFTER-START`,
    dataset,
    source: 'specification',
    columns: [start, end],
    must: `${end}, which is exclusive, MUST come after ${start}.`,
    wrong: (row) => {
      const [from, to] = [row.time(start), row.time(end)]
      return from == null || to == null || to > from
        ? undefined
        : `${row.text(end)} does not come after ${row.text(start)}`
    },
  })
  const notBefore = (dataset: RowRule['dataset'], short: string, created: string, updated: string): RowRule => ({
    id: `${short}-${updated}-AFTER-CREATED`,
    dataset,
    source: 'specification',
    columns: [created, updated],
    must: `${updated} MUST NOT come before ${created}.`,
    wrong: (row) => {
      const [from, to] = [row.time(created), row.time(updated)]
      return from == null || to == null || to >= from
        ? undefined
        : `${row.text(updated)} comes before ${row.text(created)}`
    },
  })
  return [
    forward('CostAndUsage', 'CAU', 'BillingPeriodStart', 'BillingPeriodEnd'),
    forward('CostAndUsage', 'CAU', 'ChargePeriodStart', 'ChargePeriodEnd'),
    forward('InvoiceDetail', 'IND', 'BillingPeriodStart', 'BillingPeriodEnd'),
    forward('BillingPeriod', 'BPD', 'BillingPeriodStart', 'BillingPeriodEnd'),
    forward('ContractCommitment', 'CCT', 'ContractPeriodStart', 'ContractPeriodEnd'),
    forward('ContractCommitment', 'CCT', 'ContractCommitmentPeriodStart', 'ContractCommitmentPeriodEnd'),
    notBefore('BillingPeriod', 'BPD', 'BillingPeriodCreated', 'BillingPeriodLastUpdated'),
    notBefore('ContractCommitment', 'CCT', 'ContractCommitmentCreated', 'ContractCommitmentLastUpdated'),
    notBefore('InvoiceDetail', 'IND', 'InvoiceDetailCreated', 'InvoiceDetailLastUpdated'),
    ...inCostAndUsage([
      {
        id: 'CAU-ChargePeriodEnd-CORRECTED',
        columns: ['ChargePeriodEnd', 'ChargeClass', 'BillingPeriodStart'],
        must: 'A Correction MUST keep the charge period of what it corrects, in a billing period after it.',
        wrong: (row) => {
          const [end, billed] = [row.time('ChargePeriodEnd'), row.time('BillingPeriodStart')]
          if (end == null || billed == null || !isCorrection(row) || end <= billed) return undefined
          return `${row.text('ChargePeriodEnd')} is not before the billing period`
        },
      },
      {
        id: 'CAU-ChargeClass-OTHER-PERIOD',
        columns: ['ChargeClass', 'ChargePeriodStart', 'BillingPeriodStart', 'ChargeCategory'],
        must: 'ChargeClass MUST be Correction where Usage of an earlier, closed billing period is charged.',
        wrong: (row) => {
          const [start, billed] = [row.time('ChargePeriodStart'), row.time('BillingPeriodStart')]
          if (start == null || billed == null || row.text('ChargeCategory') !== 'Usage') return undefined
          return row.text('ChargeClass') === null && start < billed
            ? `is null of use at ${row.text('ChargePeriodStart')}, before the billing period`
            : undefined
        },
      },
      {
        id: 'CAU-ChargePeriodEnd-IN-BILLING-PERIOD',
        columns: ['ChargePeriodEnd', 'BillingPeriodEnd', 'ChargeCategory'],
        must: 'Usage MUST NOT be charged in a billing period that ends before it.',
        wrong: (row) => {
          const [end, billed] = [row.time('ChargePeriodEnd'), row.time('BillingPeriodEnd')]
          if (end == null || billed == null || row.text('ChargeCategory') !== 'Usage' || end <= billed) return undefined
          return `${row.text('ChargePeriodEnd')} is after the billing period`
        },
      },
    ]),
    {
      id: 'IND-InvoiceDetailGrain-KEYS',
      dataset: 'InvoiceDetail',
      source: 'specification',
      columns: ['InvoiceDetailGrain'],
      must: 'Keys of InvoiceDetailGrain MUST begin with x_ unless FOCUS defines them.',
      wrong: (row) => foreignKey(row.text('InvoiceDetailGrain'), grainProperties),
    },
  ]
}

const grainProperties: ReadonlySet<string> = new Set(
  ['ContractId', 'RegionId', 'ResourceId', 'ResourceType', 'ServiceName', 'SkuId', 'SkuMeter', 'SkuPriceId'].concat(
    'SubAccountId',
  ),
)

function commitments(): readonly RowRule[] {
  const number = (row: RowView, column: string): Decimal | null | undefined => row.decimal(column)
  return inCommitments([
    {
      id: 'CCT-ContractCommitmentCost-OR-QUANTITY',
      columns: ['ContractCommitmentCost', 'ContractCommitmentQuantity'],
      must: 'One of ContractCommitmentCost and ContractCommitmentQuantity MUST NOT be null.',
      wrong: (row) =>
        number(row, 'ContractCommitmentCost') === null && number(row, 'ContractCommitmentQuantity') === null
          ? 'neither is there'
          : undefined,
    },
    ...together('CCT', 'ContractCommitmentUnit', 'ContractCommitmentQuantity'),
    nullity(
      'CCT-BillingCurrency-WITH-ContractCommitmentCost',
      ['BillingCurrency', 'ContractCommitmentCost'],
      'BillingCurrency MUST NOT be null when ContractCommitmentCost is not null.',
      (row) => row.text('ContractCommitmentCost') != null,
      'there',
    ),
    nullity(
      'CCT-ContractCommitmentDiscountPercentage-DISCOUNT',
      ['ContractCommitmentDiscountPercentage', 'ContractCommitmentBenefitCategory'],
      'ContractCommitmentDiscountPercentage MUST NOT be null when the benefit is a Discount.',
      (row) => row.text('ContractCommitmentBenefitCategory') === 'Discount',
      'there',
    ),
    nullity(
      'CCT-ContractCommitmentDiscountPercentage-AVAILABILITY',
      ['ContractCommitmentDiscountPercentage', 'ContractCommitmentBenefitCategory'],
      'ContractCommitmentDiscountPercentage MUST be null when the benefit is Availability.',
      (row) => row.text('ContractCommitmentBenefitCategory') === 'Availability',
      'null',
    ),
    {
      id: 'CCT-ContractCommitmentPeriod-WITHIN-CONTRACT',
      columns: [
        'ContractCommitmentPeriodStart',
        'ContractCommitmentPeriodEnd',
        'ContractPeriodStart',
        'ContractPeriodEnd',
      ],
      must: 'A commitment MUST lie within its contract.',
      wrong: (row) => {
        const [from, to, start, end] = [
          row.time('ContractCommitmentPeriodStart'),
          row.time('ContractCommitmentPeriodEnd'),
          row.time('ContractPeriodStart'),
          row.time('ContractPeriodEnd'),
        ]
        if (from == null || to == null || start == null || end == null || from >= to || start >= end) return undefined
        return from >= start && to <= end ? undefined : 'reaches beyond the contract'
      },
    },
    {
      id: 'CCT-ContractCommitmentApplicability-OBJECT',
      columns: ['ContractCommitmentApplicability'],
      must: 'ContractCommitmentApplicability MUST be as its schema says: a scope, or inclusions with their operator.',
      wrong: (row) => {
        const cell = row.text('ContractCommitmentApplicability')
        const object = cell == null ? undefined : parseObject(cell)
        return object === undefined ? undefined : applicabilityProblem(object)
      },
    },
  ])
}

// It stands last: it is made when this file is loaded, of what stands above.

/**
 * What the specification says of the cells of one row together, in its columns' requirements. The model has none of it.
 * Each is silent where a cell is malformed: that is another rule's.
 */
export const rowRules: readonly RowRule[] = [
  ...costs(),
  ...prices(),
  ...quantities(),
  ...charges(),
  ...names(),
  ...periods(),
  ...commitments(),
]
