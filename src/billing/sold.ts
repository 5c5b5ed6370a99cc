import type { UsageMeter } from './prices.ts'

/** What a line sells, and under which revision of a plan. */
export interface Sold {
  readonly plan: string
  readonly planRevision: number
  /** None of a facility. */
  readonly model: string | undefined
  readonly meter: UsageMeter | 'facility'
}

export const skuOf = ({ model, meter }: Pick<Sold, 'model' | 'meter'>): string =>
  model === undefined ? meter : `${model}.${meter}`
export const lookupKeyOf = (sold: Sold): string => `formulary:${sold.plan}:${sold.planRevision}:${skuOf(sold)}`
