import { z } from 'zod'
import { instant, picos, type Instant, type Json, type Picos } from '../kernel/index.ts'
import { phases } from './charge-units.ts'
import type { PeriodUse, PlanDays, UsageQuantity } from './rate-period.ts'
import type { RevisionConditions } from './sum-usage.ts'

/** The rows of an earlier month that a closing counted as late. */
export interface LateUse {
  readonly periodStart: Instant
  readonly usage: readonly UsageQuantity[]
}

/** All that a closing's invoice was made from, so that it can be made again from it and nothing else. */
export interface Basis {
  readonly use: PeriodUse
  readonly conditions: readonly RevisionConditions[]
  readonly late: readonly LateUse[]
  readonly credit: {
    readonly balance: Picos
    readonly bought: Picos
    /** The term that credit was bought for; undefined where none was. */
    readonly boughtFor: Instant | undefined
  }
}

const Whole = z.string().regex(/^-?\d{1,38}$/)
const Count = Whole.transform((text) => BigInt(text))
const Money = Whole.transform((text) => picos(BigInt(text)))
const At = z.int().transform((ms) => instant(ms))

const Quantity = z.strictObject({
  licenseRevision: z.int(),
  plan: z.string(),
  planRevision: z.int(),
  phase: z.enum(phases),
  facility: z.string(),
  model: z.string(),
  units: z.strictObject({ input_tokens: Count, output_tokens: Count, requests: Count, inferences: Count }),
  listed: Money,
})
const Days = z.strictObject({ plan: z.string(), planRevision: z.int(), days: z.int() })

export const Basis = z.strictObject({
  use: z.strictObject({
    currency: z.string(),
    daysInPeriod: z.int(),
    usage: z.array(Quantity),
    termDays: z.array(Days),
    facilityDays: z.array(Days.extend({ facility: z.string() })),
  }),
  conditions: z.array(z.strictObject({ revision: z.int(), termEnd: At, evaluation: z.boolean() })),
  late: z.array(z.strictObject({ periodStart: At, usage: z.array(Quantity) })),
  credit: z.strictObject({ balance: Money, bought: Money, boughtFor: At.optional() }),
})

export const parseBasis = (value: unknown): Basis => {
  const { credit, ...rest } = Basis.parse(value)
  return { ...rest, credit: { ...credit, boughtFor: credit.boughtFor } }
}

/** As it is kept: whole numbers as text, times as milliseconds. */
export const basisDocument = ({ use, conditions, late, credit }: Basis): Json => ({
  use: {
    currency: use.currency,
    daysInPeriod: use.daysInPeriod,
    usage: use.usage.map(quantityDocument),
    termDays: use.termDays.map(daysDocument),
    facilityDays: use.facilityDays.map((some) => ({ ...daysDocument(some), facility: some.facility })),
  },
  conditions: conditions.map(({ revision, termEnd, evaluation }) => ({ revision, termEnd, evaluation })),
  late: late.map(({ periodStart, usage }) => ({ periodStart, usage: usage.map(quantityDocument) })),
  credit: { balance: String(credit.balance), bought: String(credit.bought), boughtFor: credit.boughtFor },
})

const daysDocument = ({ plan, planRevision, days }: PlanDays) => ({ plan, planRevision, days })

const quantityDocument = ({ units, listed, ...facts }: UsageQuantity) => ({
  ...facts,
  units: {
    input_tokens: String(units.input_tokens),
    output_tokens: String(units.output_tokens),
    requests: String(units.requests),
    inferences: String(units.inferences),
  },
  listed: String(listed),
})
