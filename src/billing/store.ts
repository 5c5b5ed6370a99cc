import { instantOf } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import { PlanTerms, Prices, type PlanRevision, type PriceBook } from './prices.ts'

export async function loadPriceBook(tx: Tx): Promise<PriceBook> {
  const rows = await tx.selectFrom('plan_revision').selectAll().orderBy('plan').orderBy('revision').execute()
  return Map.groupBy(
    rows.map((row): PlanRevision => ({
      plan: row.plan,
      revision: row.revision,
      currency: row.currency,
      prices: Prices.parse(row.prices),
      terms: PlanTerms.parse(row.terms),
      effectiveAt: instantOf(row.effective_at),
    })),
    (revision) => revision.plan,
  )
}
