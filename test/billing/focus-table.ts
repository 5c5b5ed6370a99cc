import { datasets, type Dataset } from '../../src/billing/focus/columns.ts'
import type { FocusTexts } from './focus-month.ts'

export interface Table {
  readonly header: string[]
  readonly rows: string[][]
}
export type Tables = Readonly<Record<Dataset, Table>>

/** The four files as cells. It reads and writes CSV by itself, so that neither the writer's nor the check's is trusted. */
export const tablesOf = (texts: FocusTexts): Tables =>
  Object.fromEntries(datasets.map((dataset) => [dataset, tableOf(texts[dataset])])) as unknown as Tables

function tableOf(text: string): Table {
  const [header = [], ...rows] = text
    .split('\r\n')
    .filter((line) => line !== '')
    .map((line) =>
      [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^",]*))/g)].map(([, quoted, plain]) =>
        quoted === undefined ? (plain ?? '') : quoted.replaceAll('""', '"'),
      ),
    )
  return { header, rows }
}

export const textOf = ({ header, rows }: Table): string =>
  [header, ...rows]
    .map(
      (cells) =>
        `${cells.map((cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(',')}\r\n`,
    )
    .join('')

/** A table that can be changed without changing the one that it was made from. */
export const copyOf = ({ header, rows }: Table): Table => ({ header: [...header], rows: rows.map((row) => [...row]) })

export class Editor {
  readonly table: Table

  constructor(table: Table) {
    this.table = table
  }

  at(column: string): number {
    const at = this.table.header.indexOf(column)
    if (at === -1) throw new Error(`there is no column ${column}`)
    return at
  }

  get(row: readonly string[], column: string): string {
    return row[this.at(column)] ?? ''
  }

  set(row: string[], column: string, value: string): void {
    row[this.at(column)] = value
  }

  /** A column where there was none, with one value in every row. */
  add(column: string, value: string): void {
    if (this.table.header.includes(column)) return
    const own = this.table.header.findIndex((one) => one.startsWith('x_'))
    const at = own === -1 ? this.table.header.length : own
    this.table.header.splice(at, 0, column)
    for (const row of this.table.rows) row.splice(at, 0, value)
  }

  drop(column: string): void {
    const at = this.at(column)
    this.table.header.splice(at, 1)
    for (const row of this.table.rows) row.splice(at, 1)
  }
}
