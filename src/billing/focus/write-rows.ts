import { canonicalJson } from '../../kernel/index.ts'
import { columnsOf, type Dataset, type Row } from './columns.ts'

export const focusFormats = ['csv', 'jsonl'] as const
export type FocusFormat = (typeof focusFormats)[number]

/** What stands before the rows: of CSV the names of the columns. */
export const focusHead = (dataset: Dataset, format: FocusFormat): string =>
  format === 'csv' ? `${columnsOf[dataset].join(',')}\r\n` : ''

/**
 * A row as CSV (RFC 4180), in which null is an empty cell, or as a line of JSON with every column, decimals as text: a JSON
 * number is a float to most who read it. Nothing is put before a cell against spreadsheets: these files are for programs,
 * and whatever is compared with an invoice must be as it stands there.
 */
export function focusLine(dataset: Dataset, format: FocusFormat, row: Row): string {
  const columns = columnsOf[dataset]
  return format === 'csv'
    ? `${columns.map((column) => cell(row[column] ?? '')).join(',')}\r\n`
    : `${canonicalJson(Object.fromEntries(columns.map((column) => [column, row[column] ?? null])))}\n`
}

const cell = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
