import { seeded } from '../support/seeded.ts'

/** 2026-06-01T00:00:00Z, in seconds. */
const june = 1_780_272_000
export const worldBegins = june + 12 * 86_400
export const hour = 3600
export const day = 86_400

export interface Use {
  readonly model: string
  readonly at: number
  readonly tokens: number
}

/** What somebody does at Stripe, or what becomes of a payment there. */
export type Act = 'pay' | 'fail' | 'give_up' | 'void' | 'refund'

/** A piece of time in which things happen, in this order: use, an invoice, what is done with it, and time passes. */
export interface Step {
  readonly uses: readonly Use[]
  /** Bills what the ledger has beyond the invoices before. */
  readonly bill?: string
  /** Takes an invoice back whole. */
  readonly credit?: string
  readonly act?: { readonly act: Act; readonly invoice: string }
  readonly advance: number
  /** Stripe and we are well, also in the rough world: a report is in its last day. */
  readonly isQuiet?: boolean
}

const [first, second] = ['INV-000001', 'INV-000002']

/** What becomes of the first invoice, a day after it was issued and later. */
const fates: readonly (readonly Pick<Step, 'act' | 'credit'>[])[] = [
  [{ act: { act: 'pay', invoice: first } }],
  [{ act: { act: 'fail', invoice: first } }, { act: { act: 'pay', invoice: first } }],
  [{ act: { act: 'give_up', invoice: first } }, { act: { act: 'pay', invoice: first } }],
  [{ act: { act: 'void', invoice: first } }],
  [{ act: { act: 'void', invoice: first } }, { credit: first }],
  [{ act: { act: 'pay', invoice: first } }, { act: { act: 'refund', invoice: first } }],
  [{ credit: first }],
  [{ act: { act: 'pay', invoice: first } }, { credit: first }],
]

/** What happens in the world of a seed, the same with faults and without. */
export function planOf(seed: number): readonly Step[] {
  const random = seeded(seed)
  const below = (n: number) => Math.floor(random() * n)
  const steps: Step[] = []
  let now = worldBegins
  const use = (ageMin: number, ageMax: number): Use => ({
    model: ['scribe', 'ecg'][below(2)] ?? '',
    at: Math.floor((now - ageMin - below(ageMax - ageMin)) / hour) * hour,
    tokens: 1 + below(1000),
  })
  const step = (uses: readonly Use[], more: Omit<Step, 'uses'>) => {
    steps.push({ uses, ...more })
    now += more.advance
  }
  for (let count = 3 + below(4); count > 0; count--)
    step(
      Array.from({ length: 1 + below(4) }, () => use(hour, 10 * day)),
      { advance: [600, 5 * hour, day + hour, 2 * day][below(4)] ?? 0 },
    )
  step([], { bill: first, advance: 3 * day })
  for (const fate of fates[below(fates.length)] ?? []) step([], { ...fate, advance: day })
  // After the invoice is final: late events, up to the last day on which Stripe takes them.
  step([use(33 * day, 34 * day), use(day, 20 * day)], { advance: hour })
  // What Stripe took and did not count is seen as lost after an hour, written again, and sent: there is no later day for it.
  for (const advance of [2 * hour, 600, 600]) step([], { advance, isQuiet: true })
  step([use(hour, 2 * day)], { bill: second, advance: day })
  if (below(2) === 0) step([], { act: { act: 'pay', invoice: second }, advance: hour })
  return steps
}
