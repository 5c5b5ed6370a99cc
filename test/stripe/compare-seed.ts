import { isDeepStrictEqual } from 'node:util'
import type { Lane } from './lane.ts'
import type { Outcome } from './outcome.ts'
import { runSeed, type Ran } from './run-seed.ts'

export interface Compared extends Omit<Ran, 'outcome'> {
  /** What is not as it must be, a word each. */
  readonly different: readonly string[]
  readonly told: string
}

/** Seeds that share a world, each with faults of its own: the run without faults is made once for them. */
export const seedsPerWorld = 8

/** The run without faults of a world. */
export async function runCalm(lane: Lane, world: number): Promise<Outcome> {
  await lane.empty()
  return (await runSeed(lane.database, { world, faults: undefined })).outcome
}

/** Runs a world with the faults of a seed, and holds it against the run without faults and against the ledger. */
export async function compareSeed(
  lane: Lane,
  { world, seed, calm }: { world: number; seed: number; calm: Outcome },
): Promise<Compared> {
  await lane.empty()
  const { outcome: rough, ...counts } = await runSeed(lane.database, { world, faults: seed })
  const used = Object.values(rough.ledger).reduce((total, units) => total + Number(units), 0)
  const invoiced = Object.entries(rough.invoices).reduce(
    (sum, [name, cents]) => sum + (name.startsWith('INV') ? cents : 0),
    0,
  )
  const credited = Object.entries(rough.invoices).reduce(
    (sum, [name, cents]) => sum + (name.startsWith('CRN') ? cents : 0),
    0,
  )
  const { journal } = rough
  const isSo: Readonly<Record<string, boolean>> = {
    'as without faults': isDeepStrictEqual(rough, calm),
    'units are the ledger’s': isDeepStrictEqual(rough.units, rough.ledger),
    'invoices are the ledger’s': invoiced === used,
    'the bank has what was collected': Number(journal['bank'] ?? 0) === rough.collected,
    'the journal sums to zero': Object.values(journal).reduce((sum, cents) => sum + Number(cents), 0) === 0,
    'revenue is what is invoiced': isCreditThere(rough.documents)
      ? Number(journal['revenue']) === -(invoiced + credited)
      : true,
    'nothing differs': rough.openDifferences === 0,
    'two of each, never more': rough.products <= 2 && rough.prices === rough.products,
  }
  const different = Object.keys(isSo).filter((name) => isSo[name] !== true)
  return { ...counts, different, told: JSON.stringify({ world, seed, different, calm, rough }) }
}

/** A credit note of an invoice that is void stands in our books only. */
const isCreditThere = (documents: readonly string[]): boolean =>
  !documents.some((text) => text.startsWith('CRN') && text.includes(' void'))
