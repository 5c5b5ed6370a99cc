import { loadExceptions, runReconciliation, type Ran } from '../../src/billing/index.ts'
import { systemTransaction, type Database } from '../../src/db/index.ts'
import { plusDays } from '../../src/kernel/index.ts'
import { tester } from '../support/house.ts'
import type { PlantedMonth } from './planted-month.ts'

export interface Held {
  readonly ran: Ran
  /** What was planted and not found so, and what was found and not planted, a sentence each. */
  readonly findings: readonly string[]
}

/** Runs the reconciliation over a planted month, and holds what it found against what was planted. */
export async function runPlantedMonth(database: Database, planted: PlantedMonth): Promise<Held> {
  const { period, stripe, expected } = planted
  const ran = await runReconciliation({ database, stripe }, { period, actor: tester, now: plusDays(period.end, 2) })
  if (!ran.ok) throw new Error(JSON.stringify(ran.error))
  const found = await systemTransaction(database, 'bill', (tx) => loadExceptions(tx, { period, limit: 1_000_000 }))
  const bySubject = Map.groupBy(found, ({ subject }) => subject)
  const missed = [...expected].flatMap(([subject, wanted]) => {
    const exceptions = bySubject.get(subject) ?? []
    const [one] = exceptions
    if (one === undefined) return [`${subject}: ${wanted.class} was not found`]
    if (exceptions.length > 1) return [`${subject}: stands ${exceptions.length} times`]
    if (one.class !== wanted.class) return [`${subject}: ${wanted.class} was taken for ${one.class}`]
    const rows = (side: 'ledger' | 'host') => (one.facts as Record<string, unknown[] | undefined>)[side]?.length ?? 0
    return (['ledger', 'host'] as const).flatMap((side) =>
      wanted[side] === undefined || wanted[side] === rows(side)
        ? []
        : [`${subject}: ${wanted.class} has ${rows(side)} rows of the ${side}, not ${wanted[side]}`],
    )
  })
  const alarms = found
    .filter(({ subject }) => !expected.has(subject))
    .map((one) => `${one.subject}: ${one.class} was not planted: ${JSON.stringify(one.facts)}`)
  return { ran: ran.value, findings: [...missed, ...alarms] }
}
