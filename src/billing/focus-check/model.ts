import { z } from 'zod'
import scales from './data/focus_1_4_decimal_scale.json' with { type: 'json' }
import published from './data/focus_1_4_model.json' with { type: 'json' }
import currencies from './data/iso_4217_currencies.json' with { type: 'json' }

export const datasetIds = ['CostAndUsage', 'ContractCommitment', 'BillingPeriod', 'InvoiceDetail'] as const
export const DatasetId = z.enum(datasetIds)
export type DatasetId = z.infer<typeof DatasetId>

const Column = z.object({
  allowed_values: z.array(z.string()).nullable(),
  allows_nulls: z.boolean(),
  condition: z.string(),
  data_type: z.enum(['String', 'Decimal', 'Date/Time', 'JSON']),
  feature_level: z.enum(['Mandatory', 'Conditional', 'Recommended', 'Optional']),
  numeric_range: z.tuple([z.number(), z.number()]).nullable(),
  value_format: z.string(),
})
export type ModelColumn = z.infer<typeof Column>

const Model = z.object({
  focus_version: z.literal('1.4'),
  datasets: z.record(
    z.string(),
    z.object({ dataset_id: DatasetId, short_id: z.string(), columns: z.record(z.string(), Column) }),
  ),
  service_subcategory_parents: z.record(z.string(), z.string()),
})

const model = Model.parse(published)

export interface ModelDataset {
  readonly id: DatasetId
  /** As rules are named: CAU, CCT, BPD, IND. */
  readonly short: string
  readonly columns: ReadonlyMap<string, ModelColumn>
}

/** The four datasets as the model has them. */
export const modelDatasets: ReadonlyMap<DatasetId, ModelDataset> = new Map(
  Object.values(model.datasets).map((dataset) => [
    dataset.dataset_id,
    { id: dataset.dataset_id, short: dataset.short_id, columns: new Map(Object.entries(dataset.columns)) },
  ]),
)

/** The category that a subcategory of services belongs to. */
export const parentCategories: ReadonlyMap<string, string> = new Map(Object.entries(model.service_subcategory_parents))

export const currencyCodes: ReadonlySet<string> = new Set(currencies.codes)

const Scale = z.object({ precision: z.int(), scale: z.int() })
const columnScales = z.record(z.string(), Scale).parse(scales.columns)

/** How many digits a decimal column has at most, and how many of them behind the point. */
export const scaleOf = (column: string): z.infer<typeof Scale> => columnScales[column] ?? scales.default
