import { picos, type Picos } from '../kernel/index.ts'
import type { RatedLine, Share } from './rate-period.ts'

/** What the new rating of a closed period makes of one of its lines. */
export interface LineCorrection {
  readonly key: string
  /** The line as it is rated now; where it has gone, as it was. */
  readonly line: RatedLine
  readonly quantity: bigint
  readonly exact: Picos
  readonly amount: Picos
  readonly shares: readonly Share[]
}

/**
 * What arrived late changes what a closed period costs: the period is rated again, with all that is known of it now, and
 * the differences are its corrections. So they are right for steps, packages and commitments as well, where a call has no
 * price of its own. `charged` is what was invoiced for it until now, earlier corrections included.
 */
export function correctPeriod(charged: readonly RatedLine[], now: readonly RatedLine[]): readonly LineCorrection[] {
  const before = new Map(charged.map((line) => [line.key, line]))
  const after = new Map(now.map((line) => [line.key, line]))
  return [...new Set([...before.keys(), ...after.keys()])].toSorted().flatMap((key) => {
    const [was, is] = [before.get(key), after.get(key)]
    const line = is ?? was
    if (line === undefined) return []
    const correction = {
      key,
      line,
      quantity: (is?.quantity ?? 0n) - (was?.quantity ?? 0n),
      exact: picos((is?.exact ?? 0n) - (was?.exact ?? 0n)),
      amount: picos((is?.amount ?? 0n) - (was?.amount ?? 0n)),
      shares: differences(was?.shares ?? [], is?.shares ?? []),
    }
    return correction.amount === 0n && correction.quantity === 0n ? [] : [correction]
  })
}

function differences(was: readonly Share[], is: readonly Share[]): readonly Share[] {
  const facilities = [...new Set([...was, ...is].map(({ facility }) => facility))].toSorted()
  return facilities
    .map((facility) => {
      const [before, after] = [was, is].map((shares) => shares.find((share) => share.facility === facility))
      return {
        facility,
        quantity: (after?.quantity ?? 0n) - (before?.quantity ?? 0n),
        amount: picos((after?.amount ?? 0n) - (before?.amount ?? 0n)),
      }
    })
    .filter(({ quantity, amount }) => quantity !== 0n || amount !== 0n)
}
