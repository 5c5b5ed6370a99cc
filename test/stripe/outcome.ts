import { sql } from 'kysely'
import type { StripeSimulator } from '../../infra/stripe-simulator/simulator.ts'
import { systemTransaction, type Database } from '../../src/db/index.ts'
import { ledgerUnits } from './ledger-units.ts'

/** What stands in the end, at Stripe and here. */
export interface Outcome {
  /** Units at Stripe by `meter hour`. */
  readonly units: Readonly<Record<string, string>>
  /** Totals of final invoices at Stripe in cents, by our number; credit notes below zero. */
  readonly invoices: Readonly<Record<string, number>>
  /** What Stripe has collected for them and not given back. */
  readonly collected: number
  readonly ledger: Readonly<Record<string, string>>
  /** Our documents as we know them to stand there: `number state total paid`. */
  readonly documents: readonly string[]
  /** Sums of the journal's accounts, in cents. */
  readonly journal: Readonly<Record<string, string>>
  readonly openDifferences: number
  readonly products: number
  readonly prices: number
}

export async function outcomeOf(database: Database, simulator: StripeSimulator): Promise<Outcome> {
  const { account } = simulator
  return systemTransaction(database, 'maintain', async (tx) => {
    const documents = await sql<{ text: string }>`
      select concat_ws(' ', invoice, kind, state, total_there_minor, paid_minor) as text from stripe_invoice order by 1`.execute(
      tx,
    )
    const journal = await sql<{ account: string; cents: string }>`
      select account, (sum(amount_picos) / 10000000000)::bigint::text as cents from posting group by 1 order by 1`.execute(
      tx,
    )
    const open = await sql<{ n: number }>`
      select count(*)::int as n from stripe_difference where ended_at is null`.execute(tx)
    return {
      units: unitsAt(simulator),
      invoices: invoicesAt(simulator),
      collected:
        sumOf([...account.invoices.values()].map((one) => one.amount_paid)) -
        sumOf([...account.refunds.values()].map((one) => one.amount)),
      ledger: await ledgerUnits(tx),
      documents: documents.rows.map(({ text }) => text),
      journal: Object.fromEntries(journal.rows.map((row) => [row.account, row.cents])),
      openDifferences: open.rows[0]?.n ?? 0,
      products: account.products.size,
      prices: account.prices.size,
    }
  })
}

const sumOf = (amounts: readonly number[]): number => amounts.reduce((sum, amount) => sum + amount, 0)

/** What Stripe counts, event by event as a windowed meter does: each hour its newest. */
function unitsAt({ account }: StripeSimulator): Record<string, string> {
  const newest = new Map<string, string>()
  for (const event of account.usage)
    if (event.visibleAt <= account.now)
      newest.set(`${account.meters.get(event.meter)?.event_name} ${event.timestamp}`, String(event.value))
  return Object.fromEntries([...newest].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

/** A document that stands there twice counts twice. */
function invoicesAt({ account }: StripeSimulator): Record<string, number> {
  const totals: Record<string, number> = {}
  const add = (name = '', amount: number) => (totals[name] = (totals[name] ?? 0) + amount)
  for (const { metadata, status, total } of account.invoices.values())
    if (status !== 'draft') add(metadata['formulary_invoice'], total)
  for (const { metadata, ...note } of account.creditNotes.values())
    add(metadata['formulary_invoice'], -Number(note['amount']))
  return totals
}
