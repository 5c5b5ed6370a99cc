import { sql } from 'kysely'
import type { Tx } from '../../src/db/index.ts'

/** The ledger's own sums by `meter hour`. */
export async function ledgerUnits(tx: Tx): Promise<Readonly<Record<string, string>>> {
  const { rows } = await sql<{ model: string; hour: Date; units: string }>`
    select model, hour, sum(input_tokens)::text as units from usage_hour group by 1, 2 order by 1, 2`.execute(tx)
  return Object.fromEntries(
    rows.map(({ model, hour, units }) => [`formulary.${model}.input_tokens ${hour.getTime() / 1000}`, units]),
  )
}
