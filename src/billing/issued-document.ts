import type { InvoiceLine } from './money-sink.ts'
import type { PricedLine } from './price-shape.ts'
import type { DocumentLine, InvoiceDocument } from './read-document.ts'
import { lookupKeyOf, skuOf, type Sold } from './sold.ts'

/** "1234.50" is 123450 cents: a document has every decimal of its currency. */
const minorOf = (amount: string): bigint => BigInt(amount.replace('.', ''))

/** The lines of a document as the service gets them, by their numbers. */
export const linesToPush = ({ lines }: InvoiceDocument): readonly InvoiceLine[] =>
  lines.map((line) => {
    const sold = soldBy(line)
    return {
      line: String(line.line),
      description: line.description,
      amountMinor: minorOf(line.amount),
      sku: sold === undefined ? undefined : skuOf(sold),
    }
  })

/** What the lines of a document sell: use and facilities, its corrections as well. */
export const soldIn = ({ lines }: InvoiceDocument): readonly Sold[] => lines.flatMap((line) => soldBy(line) ?? [])

function soldBy({ kind, plan, planRevision, model, meter }: DocumentLine): Sold | undefined {
  if (plan === undefined || planRevision === undefined) return undefined
  if (model !== undefined && meter !== undefined) return { plan, planRevision, model, meter }
  return kind === 'facility' ? { plan, planRevision, model: undefined, meter: 'facility' } : undefined
}

/**
 * The lines that a price there can be held against: use in the term, whose units of the month all stand on that one line. A
 * month with two revisions counts through both, and so does the price of a correction.
 */
export function pricedLines({ lines }: InvoiceDocument): readonly PricedLine[] {
  const usage = lines.filter(({ kind }) => kind === 'usage')
  return usage.flatMap((line) => {
    const sold = soldBy(line)
    const isAlone = usage.filter(({ model, meter }) => model === line.model && meter === line.meter).length === 1
    if (sold === undefined || !isAlone || line.phase !== 'term') return []
    const [whole = '0', fraction = ''] = line.unrounded.split('.')
    return [
      {
        line: String(line.line),
        lookupKey: lookupKeyOf(sold),
        quantity: BigInt(line.quantity),
        exactPicos: BigInt(whole + fraction.padEnd(12, '0')),
        amountMinor: minorOf(line.amount),
      },
    ]
  })
}
