import type { InvoiceDocument } from './read-document.ts'

const columns = [
  'number',
  'line',
  'kind',
  'from',
  'to',
  'description',
  'model',
  'meter',
  'facility',
  'quantity',
  'amount',
  'currency',
  'corrects',
]

/**
 * An invoice for a spreadsheet: one row per facility's share of a line, and one for a line that is no facility's. The
 * amounts add up to the total. RFC 4180; a cell that a spreadsheet would take for a formula begins with an apostrophe.
 */
export function invoiceCsv({ number, currency, lines }: InvoiceDocument): string {
  const rows = lines.flatMap((line) => {
    const parts = line.shares.length > 0 ? line.shares : [{ name: '', quantity: line.quantity, amount: line.amount }]
    return parts.map(({ name, quantity, amount }) => [
      number,
      String(line.line),
      line.kind,
      line.usagePeriod.start,
      line.usagePeriod.end,
      line.description,
      line.model ?? '',
      line.meter ?? '',
      name,
      quantity,
      amount,
      currency,
      line.corrects?.document ?? '',
    ])
  })
  return [columns, ...rows].map((cells) => `${cells.map(spreadsheetCell).join(',')}\r\n`).join('')
}

/** Quoted where it has to be, and never a formula. */
export const spreadsheetCell = (text: string): string => {
  const safe = /^[=+@\t\r]/.test(text) || /^-(?![\d])/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
