import { assertNever, picos, type Picos } from '../kernel/index.ts'
import type { InvoiceLine } from './invoice.ts'

export const accounts = ['receivable', 'revenue', 'credit', 'commitment', 'tax', 'rounding', 'bank'] as const
export type Account = (typeof accounts)[number]

/** One side of a journal entry: a debit is above zero, a credit below. */
export interface Posting {
  readonly account: Account
  /** What was sold; of revenue only. */
  readonly sku: string | undefined
  readonly amount: Picos
}

/**
 * An invoice as one entry of the journal: what the tenant owes against what it owes it for. Revenue is booked as it was
 * before rounding, and what rounding made of it on an account of its own, so that both can be followed. They add up to zero.
 */
export function bookInvoice(lines: readonly InvoiceLine[]): readonly Posting[] {
  const sums = new Map<string, Posting>()
  const post = (account: Account, sku: string | undefined, amount: bigint) => {
    const key = `${accounts.indexOf(account)}/${sku ?? ''}`
    sums.set(key, { account, sku, amount: picos((sums.get(key)?.amount ?? 0n) + amount) })
  }
  post('receivable', undefined, 0n)
  post('rounding', undefined, 0n)
  for (const line of lines) {
    post('receivable', undefined, line.amount)
    post('rounding', undefined, line.exact - line.amount)
    const { account, sku } = accountOf(line)
    post(account, sku, 0n - line.exact)
  }
  return [...sums].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, posting]) => posting)
}

/** The opposite of an entry: what a credit note books. */
export const opposite = (postings: readonly Posting[]): readonly Posting[] =>
  postings.map((posting) => ({ ...posting, amount: picos(0n - posting.amount) }))

function accountOf({ kind, rated }: InvoiceLine): { account: Account; sku: string | undefined } {
  switch (kind) {
    case 'usage':
    case 'facility':
    case 'commitment':
    case 'correction':
      return rated?.kind === 'commitment'
        ? { account: 'commitment', sku: undefined }
        : { account: 'revenue', sku: rated?.model === undefined ? 'facility' : `${rated.model}/${rated.meter}` }
    case 'credit_bought':
    case 'credit_used':
      return { account: 'credit', sku: undefined }
    case 'tax':
      return { account: 'tax', sku: undefined }
    default:
      return assertNever(kind, 'accountOf')
  }
}
