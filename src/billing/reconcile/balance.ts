import { assert } from '../../kernel/index.ts'
import type { FoundDifference } from './exception.ts'

/** Amounts by what they count: `input`, `output`, `USD`. One that is absent is zero. */
export type Amounts = ReadonlyMap<string, bigint>

export interface BothSides {
  readonly ours: Amounts
  readonly theirs: Amounts
}

/**
 * Adds up what agrees and what differs, and holds both together against the totals of either side, which are counted
 * without any comparison: what agrees and all differences must make up each side exactly. A comparison that has lost or
 * doubled a row does not pass as one that found nothing.
 */
export class Balance {
  readonly #agreed = new Map<string, bigint>()
  readonly #ours = new Map<string, bigint>()
  readonly #theirs = new Map<string, bigint>()

  agree(amounts: Amounts): void {
    for (const [name, amount] of amounts) add(this.#agreed, name, amount)
  }

  differ(difference: FoundDifference): void {
    const { ours, theirs, oursPicos, currency } = difference
    add(this.#ours, 'input', ours.input)
    add(this.#ours, 'output', ours.output)
    add(this.#theirs, 'input', theirs.input)
    add(this.#theirs, 'output', theirs.output)
    if (currency !== undefined) add(this.#ours, currency, oursPicos)
    if (currency !== undefined) add(this.#theirs, currency, difference.theirsPicos)
  }

  get agreed(): Amounts {
    return this.#agreed
  }

  /** What is left of the difference of two totals when all that was found is taken from it: nothing, or this is our bug. */
  requireExplained(
    totals: BothSides,
    names: { readonly ours: readonly string[]; readonly theirs: readonly string[] },
  ): void {
    for (const side of ['ours', 'theirs'] as const)
      for (const name of names[side]) {
        const found = side === 'ours' ? this.#ours : this.#theirs
        const unexplained = at(totals[side], name) - at(this.#agreed, name) - at(found, name)
        assert(unexplained === 0n, `${unexplained} ${name} of ${side} are in no difference and in no agreement`)
      }
  }
}

const at = (amounts: Amounts, name: string): bigint => amounts.get(name) ?? 0n
const add = (sums: Map<string, bigint>, name: string, amount: bigint): void => {
  sums.set(name, at(sums, name) + amount)
}

/** As figures keep them. */
export const textsOf = (amounts: Amounts): Record<string, string> =>
  Object.fromEntries([...amounts].map(([name, amount]) => [name, String(amount)]))
