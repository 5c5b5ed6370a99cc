import type { Uuid } from '../../src/kernel/index.ts'
import { appendInvoice, loadInvoices, takeNumber } from '../../src/billing/store-invoice.ts'
import { appendCreditNote } from '../../src/billing/credit-invoice.ts'
import { readDocument } from '../../src/billing/read-document.ts'
import { systemTransaction, type Database } from '../../src/db/index.ts'
import { canonicalJson, instant, picos, type Instant } from '../../src/kernel/index.ts'
import { tester } from '../support/house.ts'
import { ledgerUnits } from './ledger-units.ts'

const cent = 10_000_000_000n
const period = { start: '2026-06-01T00:00:00.000Z', end: '2026-07-01T00:00:00.000Z' }
const moneyOf = (cents: bigint): string => {
  const text = String(cents).padStart(3, '0')
  return `${text.slice(0, -2)}.${text.slice(-2)}`
}

/** Issues an invoice of what the ledger has beyond the invoices before it, a cent per token and a line per model. */
export function bill(database: Database, tenantId: Uuid, now: Instant): Promise<string> {
  return systemTransaction(database, 'bill', async (tx) => {
    const billed = new Map<string, bigint>()
    for (const { document, credits } of await loadInvoices(tx, {}))
      if (credits === undefined)
        for (const { model = '', quantity } of readDocument(document).lines)
          billed.set(model, (billed.get(model) ?? 0n) + BigInt(quantity))
    const used = new Map<string, bigint>()
    for (const [name, units] of Object.entries(await ledgerUnits(tx))) {
      const model = name.split('.')[1] ?? ''
      used.set(model, (used.get(model) ?? 0n) + BigInt(units))
    }
    const lines = [...used]
      .map(([model, units]) => ({ model, units: units - (billed.get(model) ?? 0n) }))
      .filter(({ units }) => units > 0n)
      .map(({ model, units }, at) => ({ line: at + 1, model, units, amount: picos(units * cent) }))
    const total = lines.reduce((sum, { units }) => sum + units, 0n)
    const { number, sequence } = await takeNumber(tx, 'INV')
    await appendInvoice(tx, {
      tenantId,
      series: 'INV',
      number,
      sequence,
      license: 'LIC-1',
      periodStart: instant(Date.parse(period.start)),
      closing: 1,
      issuedAt: now,
      issuedBy: 'a seed',
      currency: 'USD',
      total: picos(total * cent),
      credits: undefined,
      document: canonicalJson({
        number,
        kind: 'invoice',
        issuedAt: new Date(now).toISOString(),
        seller: 'Owner',
        buyer: { tenant: 'lakeside', name: 'Lakeside' },
        license: 'LIC-1',
        period,
        currency: 'USD',
        lines: lines.map(({ line, model, units }) => ({
          line,
          kind: 'usage',
          key: `usage/${model}`,
          description: `${model}, input tokens`,
          usagePeriod: period,
          plan: 'standard',
          planRevision: 1,
          licenseRevision: 1,
          phase: 'term',
          model,
          meter: 'input_tokens',
          quantity: String(units),
          unrounded: moneyOf(units),
          amount: moneyOf(units),
          shares: [],
        })),
        total: moneyOf(total),
      }),
      lines: lines.map(({ line, model, units, amount }) => ({
        line,
        kind: 'usage',
        key: `usage/${model}`,
        usagePeriodStart: instant(Date.parse(period.start)),
        licenseRevision: 1,
        plan: 'standard',
        planRevision: 1,
        phase: 'term',
        model,
        meter: 'input_tokens',
        quantity: units,
        amount,
        corrects: undefined,
        correctsLine: undefined,
      })),
      postings: [
        { account: 'receivable', sku: undefined, amount: picos(total * cent) },
        ...lines.map(({ model, amount }) => ({
          account: 'revenue' as const,
          sku: `${model}/input_tokens`,
          amount: picos(0n - amount),
        })),
      ],
    })
    return number
  })
}

/** Takes an invoice back, as finance does. Returns the number of the credit note. */
export async function credit(database: Database, number: string, now: Instant): Promise<string> {
  const credited = await systemTransaction(database, 'bill', (tx) =>
    appendCreditNote(tx, { number, reason: 'a seed', actor: tester, now }),
  )
  if (!credited.ok) throw new Error(`not credited: ${credited.error.reason}`)
  return credited.value.number
}
