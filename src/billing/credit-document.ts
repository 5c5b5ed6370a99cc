import { canonicalJson, isoOf, type Instant } from '../kernel/index.ts'
import { readDocument } from './read-document.ts'

/** The document that takes another one back: the same lines, the other way round. */
export function creditDocument(of: string, facts: { number: string; issuedAt: Instant; reason: string }): string {
  const { lines, total, number, ...head } = readDocument(of)
  return canonicalJson({
    ...head,
    number: facts.number,
    kind: 'credit_note',
    issuedAt: isoOf(facts.issuedAt),
    credits: number,
    reason: facts.reason,
    lines: lines.map((line) => ({
      ...line,
      quantity: negated(line.quantity),
      unrounded: negated(line.unrounded),
      amount: negated(line.amount),
      shares: line.shares.map((share) => ({
        ...share,
        quantity: negated(share.quantity),
        amount: negated(share.amount),
      })),
    })),
    total: negated(total),
    // What proves the lines stands on the invoice that is taken back.
    proof: undefined,
  })
}

const negated = (decimal: string): string =>
  decimal.startsWith('-') ? decimal.slice(1) : /[1-9]/.test(decimal) ? `-${decimal}` : decimal
