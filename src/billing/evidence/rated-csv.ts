import type { InvoiceDocument } from '../read-document.ts'

const columns = [
  'line',
  'key',
  'kind',
  'plan',
  'plan_revision',
  'license_revision',
  'phase',
  'model',
  'meter',
  'quantity',
  'unrounded',
  'amount',
  'currency',
  'corrects',
  'corrects_line',
] as const

/** What the rating made of the month, line by line, before rounding and after. */
export function ratedCsv({ lines, currency }: InvoiceDocument): string {
  const rows = lines.map((line) => [
    String(line.line),
    line.key,
    line.kind,
    line.plan ?? '',
    String(line.planRevision ?? ''),
    String(line.licenseRevision ?? ''),
    line.phase ?? '',
    line.model ?? '',
    line.meter ?? '',
    line.quantity,
    line.unrounded,
    line.amount,
    currency,
    line.corrects?.document ?? '',
    String(line.corrects?.line ?? ''),
  ])
  return [columns, ...rows].map((cells) => `${cells.map(cell).join(',')}\r\n`).join('')
}

const cell = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
