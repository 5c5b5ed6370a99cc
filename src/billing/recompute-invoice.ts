import {
  canonicalJson,
  err,
  instant,
  ok,
  parseAmount,
  picos,
  type Json,
  type Picos,
  type Result,
  type StartSha256,
} from '../kernel/index.ts'
import { formatMoney } from './currency.ts'
import type { PlanRevision } from './prices.ts'
import { ratePeriod } from './rate-period.ts'
import type { InvoiceDocument } from './read-document.ts'
import { settleCredit } from './settle-credit.ts'
import { UsageSum } from './sum-usage.ts'
import { parseUsageExport, type ExportRefusal } from './usage-export.ts'

export type RecomputeRefusal =
  | ExportRefusal
  | { reason: 'plan_missing'; plan: string; revision: number }
  | { reason: 'credit_note_not_recomputed'; number: string }

/** A line of the invoice beside what the tenant's own export makes of it. */
export interface RecomputedLine {
  readonly line: number | undefined
  readonly key: string
  readonly invoiced: string | undefined
  /** Undefined for what an export of the month cannot show: corrections of other months and taxes. */
  readonly recomputed: string | undefined
  readonly verdict: 'same' | 'differs' | 'not_recomputed'
}

export interface Recomputed {
  readonly lines: readonly RecomputedLine[]
  /** Whether the export is, byte for byte, what the month was frozen under. */
  readonly isFrozenExport: boolean
  readonly agrees: boolean
}

/** A plan as its file says it, with the SHA-256 of its document. */
export interface PlanFacts {
  readonly document: { readonly [key: string]: Json | undefined }
  readonly plan: Omit<PlanRevision, 'revision' | 'effectiveAt'>
}

/**
 * An invoice worked out again from the tenant's export and the plans that it was shown, with nothing of ours in between. A
 * plan revision is known by its digest on the invoice. Days and the credit's balance are taken from the invoice, where they
 * stand to be read; units, prices and rounding are not.
 */
export function recomputeInvoice(
  facts: { invoice: InvoiceDocument; exported: string; plans: readonly PlanFacts[] },
  startSha256: StartSha256,
): Result<Recomputed, RecomputeRefusal> {
  const { invoice, exported } = facts
  const { proof, currency } = invoice
  if (proof === undefined) return err({ reason: 'credit_note_not_recomputed', number: invoice.number })
  const rows = parseUsageExport(exported)
  if (!rows.ok) return rows
  const plans: PlanRevision[] = []
  for (const { plan, revision, sha256 } of proof.plans) {
    const found = facts.plans.find(({ document }) => digestOf(canonicalJson(document), startSha256) === sha256)
    if (found === undefined) return err({ reason: 'plan_missing', plan, revision })
    plans.push({ ...found.plan, revision, effectiveAt: instant(0) })
  }
  const sum = new UsageSum(proof.conditions.map((one) => ({ ...one, termEnd: instant(Date.parse(one.termEnd)) })))
  for (const row of rows.value) sum.add(row)
  const { daysInPeriod, termDays, facilityDays } = proof
  const use = { currency, daysInPeriod, usage: sum.quantities(), termDays, facilityDays }
  const unpriced = use.usage.find(
    ({ plan, planRevision }) => !plans.some((one) => one.plan === plan && one.revision === planRevision),
  )
  if (unpriced !== undefined)
    return err({ reason: 'plan_missing', plan: unpriced.plan, revision: unpriced.planRevision })
  const rated = ratePeriod(use, plans)
  const amounts = new Map(rated.map(({ key, amount }) => [key, amount]))
  const others = invoice.lines.filter(({ kind }) => kind === 'correction')
  const charged = [...amounts.values(), ...others.map(({ amount }) => signed(amount))]
  const credit = settleCredit({
    charged: picos(charged.reduce<bigint>((total, amount) => total + amount, 0n)),
    balance: signed(proof.credit.before),
    bought: signed(proof.credit.bought),
  })
  if (credit.bought !== 0n) amounts.set('credit/bought', credit.bought)
  if (credit.used !== 0n) amounts.set('credit/used', picos(0n - credit.used))
  const shown = invoice.lines.map(({ line, key, kind, amount }): RecomputedLine => {
    if (kind === 'correction' || kind === 'tax')
      return { line, key, invoiced: amount, recomputed: undefined, verdict: 'not_recomputed' }
    const again = amounts.get(key)
    const recomputed = again === undefined ? undefined : formatMoney(again, currency)
    return { line, key, invoiced: amount, recomputed, verdict: recomputed === amount ? 'same' : 'differs' }
  })
  const invoicedKeys = new Set(invoice.lines.map(({ key }) => key))
  const missing = [...amounts].filter(([key]) => !invoicedKeys.has(key))
  const lines = [
    ...shown,
    ...missing.map(([key, amount]): RecomputedLine => ({
      line: undefined,
      key,
      invoiced: undefined,
      recomputed: formatMoney(amount, currency),
      verdict: 'differs',
    })),
  ]
  const total = invoice.lines.reduce((all, { amount }) => all + signed(amount), 0n)
  return ok({
    lines,
    isFrozenExport: digestOf(exported, startSha256) === proof.usageSha256,
    agrees: lines.every(({ verdict }) => verdict !== 'differs') && total === signed(invoice.total),
  })
}

function digestOf(text: string, startSha256: StartSha256): string {
  const digest = startSha256()
  digest.update(text)
  return digest.hex()
}

const signed = (decimal: string): Picos =>
  decimal.startsWith('-') ? picos(0n - (parseAmount(decimal.slice(1)) ?? 0n)) : (parseAmount(decimal) ?? picos(0n))
