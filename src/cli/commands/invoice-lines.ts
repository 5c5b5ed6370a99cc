import type { InvoiceDocument } from '../../billing/index.ts'

/** The lines of an invoice and its total, in columns. */
export const linesInColumns = ({ lines, currency, total }: InvoiceDocument): readonly string[] => [
  ...lines.map(
    ({ line, description, quantity, amount }) =>
      `${String(line).padStart(3)}  ${description.padEnd(60)} ${quantity.padStart(16)} ${amount.padStart(16)}`,
  ),
  `${''.padStart(65)} ${currency.padStart(16)} ${total.padStart(16)}`,
]
