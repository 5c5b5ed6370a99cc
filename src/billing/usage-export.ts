import { err, ok, type Result } from '../kernel/index.ts'

/**
 * A row of the ledger as it is exported, hashed and rated: what was used, by whom, under which conditions. Numbers are
 * digits, times are UTC with microseconds; nothing of it is content.
 */
export const usageColumns = [
  'started_at',
  'request_id',
  'attempt',
  'operation',
  'outcome',
  'license',
  'license_revision',
  'facility',
  'application',
  'audience',
  'purpose',
  'model',
  'version',
  'requests',
  'input_tokens',
  'output_tokens',
  'inferences',
  'usage_source',
  'plan',
  'plan_revision',
  'currency',
  'charge_picos',
] as const
export type UsageRecord = Readonly<Record<(typeof usageColumns)[number], string>>

/** Lines end with a line feed, the last one too: `sha256sum` of the file is the hash that the period was frozen under. */
export const usageHeader = `${usageColumns.join(',')}\n`

export const usageLine = (row: UsageRecord): string => {
  let line = ''
  for (const column of usageColumns) line += line === '' ? cell(row[column]) : `,${cell(row[column])}`
  return `${line}\n`
}

/** As RFC 4180 quotes. Names are slugs and need none of it; a row that somebody altered might. */
const cell = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)

export type ExportRefusal =
  | { reason: 'export_header_differs'; line: 1 }
  | { reason: 'export_line_unreadable'; line: number }
  | { reason: 'export_out_of_order'; line: number }

const amounts = ['requests', 'input_tokens', 'output_tokens', 'inferences', 'charge_picos'] as const

/** Reads an export back, strictly: a file that was edited is refused at its line, not rated as something else. */
export function parseUsageExport(text: string): Result<readonly UsageRecord[], ExportRefusal> {
  if (!text.startsWith(usageHeader)) return err({ reason: 'export_header_differs', line: 1 })
  const rows: UsageRecord[] = []
  let last = ''
  for (const [at, line] of text.slice(usageHeader.length).split('\n').entries()) {
    if (line === '') continue
    const cells = line.split(',')
    const row = Object.fromEntries(usageColumns.map((column, index) => [column, cells[index] ?? ''])) as UsageRecord
    const isRead = cells.length === usageColumns.length && amounts.every((column) => /^-?\d{1,38}$/.test(row[column]))
    if (!isRead || usageLine(row) !== `${line}\n`) return err({ reason: 'export_line_unreadable', line: at + 2 })
    const key = `${row.started_at} ${row.request_id} ${row.attempt.padStart(5, '0')}`
    if (key <= last) return err({ reason: 'export_out_of_order', line: at + 2 })
    last = key
    rows.push(row)
  }
  return ok(rows)
}
