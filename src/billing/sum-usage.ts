import { assert, isoOf, picos, type Instant } from '../kernel/index.ts'
import type { Phase } from './charge-units.ts'
import type { UsageQuantity } from './rate-period.ts'
import type { UsageRecord } from './usage-export.ts'

/** What of a license revision decides what its calls cost. */
export interface RevisionConditions {
  readonly revision: number
  readonly termEnd: Instant
  readonly evaluation: boolean
}

interface Sum {
  readonly facts: Omit<UsageQuantity, 'units' | 'listed'>
  inputTokens: bigint
  outputTokens: bigint
  requests: bigint
  inferences: bigint
  listed: bigint
}

/** What tells one quantity from another; they stand in its order. */
export const quantityKey = (of: Omit<UsageQuantity, 'units' | 'listed'>): string =>
  `${of.licenseRevision}/${of.plan}/${of.planRevision}/${of.phase}/${of.facility}/${of.model}`

/** Adds rows of the ledger up, one at a time, by what `ratePeriod` tells apart. */
export class UsageSum {
  readonly #sums = new Map<string, Sum>()
  /** The end of the term as the rows write times; undefined for an evaluation. */
  readonly #termEnds: ReadonlyMap<string, string | undefined>

  constructor(revisions: readonly RevisionConditions[]) {
    this.#termEnds = new Map(
      revisions.map(({ revision, termEnd, evaluation }) => [
        String(revision),
        evaluation ? undefined : isoOf(termEnd).replace('Z', '000Z'),
      ]),
    )
  }

  /**
   * A call whose end nobody knows counts for nothing until it is corrected: its units are an upper bound. So does the row that
   * takes it back when it is.
   */
  add(row: UsageRecord): void {
    if (row.outcome === 'expired') return
    const phase = this.#phaseOf(row)
    const { license_revision, plan, plan_revision, facility, model } = row
    const [licenseRevision, planRevision] = [Number(license_revision), Number(plan_revision)]
    const facts = { licenseRevision, plan, planRevision, phase, facility, model }
    const key = quantityKey(facts)
    let sum = this.#sums.get(key)
    if (sum === undefined) {
      sum = { facts, inputTokens: 0n, outputTokens: 0n, requests: 0n, inferences: 0n, listed: 0n }
      this.#sums.set(key, sum)
    }
    sum.inputTokens += BigInt(row.input_tokens)
    sum.outputTokens += BigInt(row.output_tokens)
    sum.requests += BigInt(row.requests)
    sum.inferences += BigInt(row.inferences)
    sum.listed += BigInt(row.charge_picos)
  }

  /** In the order of what tells them apart. */
  quantities(): readonly UsageQuantity[] {
    return [...this.#sums]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([, sum]) => ({
        ...sum.facts,
        units: {
          input_tokens: sum.inputTokens,
          output_tokens: sum.outputTokens,
          requests: sum.requests,
          inferences: sum.inferences,
        },
        listed: picos(sum.listed),
      }))
  }

  #phaseOf({ license_revision, started_at }: UsageRecord): Phase {
    assert(
      this.#termEnds.has(license_revision),
      `a call names license revision ${license_revision}, which is not there`,
    )
    const termEnd = this.#termEnds.get(license_revision)
    if (termEnd === undefined) return 'evaluation'
    return started_at < termEnd ? 'term' : 'grace'
  }
}
