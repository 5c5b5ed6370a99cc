import type { InvoiceDifference } from './invoice-difference.ts'
import type { DocumentKind, InvoiceThere } from './money-sink.ts'

/** What is to stand at the service: our document in its terms. */
export interface InvoiceHere {
  readonly kind: DocumentKind
  readonly customer: string
  /** ISO 4217, upper case. */
  readonly currency: string
  readonly totalMinor: bigint
  readonly lines: readonly { readonly line: string; readonly amountMinor: bigint }[]
}

export const invoiceStates = ['open', 'pushed', 'final', 'paid', 'void', 'uncollectible', 'disagrees'] as const
export type InvoiceState = (typeof invoiceStates)[number]

/** Whether what stands there is ours: whose it is, in which money, and every line. Nothing is the same by being close. */
export function compareInvoice(here: InvoiceHere, there: InvoiceThere): readonly InvoiceDifference[] {
  const differs = (line: string, one: string, other: string): readonly InvoiceDifference[] =>
    one === other ? [] : [{ line, class: 'amount_differs', here: one, there: other }]
  const ours = new Map(here.lines.map(({ line, amountMinor }) => [line, amountMinor]))
  const theirs = new Map<string, bigint>()
  // A line that stands there twice is charged twice.
  for (const { line = 'unknown', amountMinor } of there.lines) theirs.set(line, (theirs.get(line) ?? 0n) + amountMinor)
  return [
    ...differs('customer', here.customer, there.customer),
    ...differs('currency', here.currency, there.currency),
    ...differs('total', String(here.totalMinor), String(there.totalMinor)),
    ...[...new Set([...ours.keys(), ...theirs.keys()])].flatMap((line): readonly InvoiceDifference[] => {
      const [mine, yours] = [ours.get(line), theirs.get(line)]
      if (mine === undefined) return [{ line, class: 'missing_here', here: '', there: String(yours) }]
      if (yours === undefined) return [{ line, class: 'missing_there', here: String(mine), there: '' }]
      return line === 'total' ? [] : differs(line, String(mine), String(yours))
    }),
  ]
}

/**
 * What an invoice there means here. A draft that lacks lines is not wholly there yet; anything else that differs, and any word
 * of the service that we do not know, is for a person to look at.
 */
export function stateOf(there: InvoiceThere, differences: readonly InvoiceDifference[]): InvoiceState {
  if (there.status === 'draft') {
    const isUnfinished = differences.every(({ class: of, line }) => of === 'missing_there' || line === 'total')
    if (differences.length > 0) return isUnfinished ? 'open' : 'disagrees'
    return 'pushed'
  }
  if (differences.length > 0) return 'disagrees'
  switch (there.status) {
    case 'open':
    case 'issued':
      return 'final'
    case 'paid':
    case 'void':
    case 'uncollectible':
      return there.status
    default:
      return 'disagrees'
  }
}
