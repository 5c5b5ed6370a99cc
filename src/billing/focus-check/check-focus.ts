import { columnRules, presenceRules, readTime, type ColumnRule } from './column-rules.ts'
import { readDecimal } from './decimal.ts'
import { aggregateRules, crossRules, headerRules } from './file-rules.ts'
import { modelDatasets, type DatasetId, type ModelDataset } from './model.ts'
import { CellError, readCells, type Cells } from './read-cells.ts'
import { rowRules } from './row-rules.ts'
import type { Report, Rule, RowRule, RowView, Violation } from './rule.ts'
import { Together } from './together.ts'

export interface FocusFile {
  /** As violations name it, and nothing else. */
  readonly name: string
  readonly text: AsyncIterable<string> | Iterable<string>
}

export interface FocusChecked {
  readonly files: readonly { readonly name: string; readonly dataset: DatasetId; readonly rows: number }[]
  /** The first of them, file by file. */
  readonly violations: readonly Violation[]
  /** All of them. */
  readonly count: number
}

export type FocusCheckRefusal =
  | { reason: 'file_unreadable'; file: string; row: number; message: string }
  | { reason: 'dataset_unknown'; file: string }
  | { reason: 'dataset_twice'; file: string; dataset: DatasetId }

/** So many are told; the others are counted. */
export const violationsMax = 1000

/** All that is checked. */
export const checkedRules: readonly Rule[] = [
  ...headerRules,
  ...presenceRules,
  ...columnRules,
  ...rowRules,
  ...aggregateRules,
  ...crossRules,
]

/**
 * Checks files of FOCUS 1.4 against the model and the specification. It reads the files and nothing of ours: another
 * issuer's can be checked as well. A row is forgotten when it has been looked at; what stays are sums and names.
 */
export async function checkFocus(files: readonly FocusFile[]): Promise<FocusChecked | FocusCheckRefusal> {
  const violations: Violation[] = []
  let count = 0
  const report: Report = (rule, dataset, where, found) => {
    count += 1
    if (violations.length < violationsMax)
      violations.push({ rule, dataset, row: where.row, column: where.column, found: found.slice(0, 300) })
  }
  const together = new Together(report)
  const read: { name: string; dataset: DatasetId; rows: number }[] = []
  for (const { name, text } of files) {
    try {
      let file: FileCheck | undefined
      for await (const cells of readCells(text)) {
        if (file !== undefined) file.row(cells)
        else {
          const dataset = datasetOf(cells)
          if (dataset === undefined) return { reason: 'dataset_unknown', file: name }
          if (read.some((one) => one.dataset === dataset.id))
            return { reason: 'dataset_twice', file: name, dataset: dataset.id }
          file = new FileCheck(dataset, cells, { report, together })
        }
      }
      // A file of JSON lines without a row does not say what it is; it has nothing to say either.
      if (file !== undefined) read.push({ name, dataset: file.dataset, rows: file.rows })
    } catch (error) {
      if (!(error instanceof CellError)) throw error
      return { reason: 'file_unreadable', file: name, row: error.row, message: error.message }
    }
  }
  together.end()
  return { files: read, violations, count }
}

/** The dataset that most of the columns are of, and at least half of its own. */
function datasetOf(header: Cells): ModelDataset | undefined {
  const scored = [...modelDatasets.values()].map((dataset) => {
    const mandatory = [...dataset.columns].filter(([, { feature_level: level }]) => level === 'Mandatory')
    const found = mandatory.filter(([column]) => header.includes(column)).length
    return {
      dataset,
      part: found / mandatory.length,
      known: header.filter((one) => one !== null && dataset.columns.has(one)).length,
    }
  })
  const [best] = scored.filter(({ part }) => part >= 0.5).toSorted((a, b) => b.known - a.known)
  return best?.dataset
}

interface Reporting {
  readonly report: Report
  readonly together: Together
}

class FileCheck {
  readonly dataset: DatasetId
  rows = 0
  readonly #short: string
  readonly #at: ReadonlyMap<string, number>
  readonly #width: number
  readonly #cellRules: readonly (ColumnRule & { readonly at: number })[]
  readonly #rowRules: readonly RowRule[]
  readonly #to: Reporting

  constructor({ id, short, columns }: ModelDataset, header: Cells, to: Reporting) {
    this.dataset = id
    this.#short = short
    this.#to = to
    this.#width = header.length
    const names = header.map((one) => one ?? '')
    this.#at = new Map(names.map((column, at) => [column, at] as const).toReversed())
    this.#checkHeader(names, columns)
    this.#cellRules = columnRules
      .filter(({ dataset, column }) => dataset === id && this.#at.has(column))
      .map((rule) => ({ ...rule, at: this.#at.get(rule.column) ?? 0 }))
    this.#rowRules = rowRules.filter(
      (rule) => rule.dataset === id && rule.columns.every((column) => this.#at.has(column)),
    )
    to.together.begin(id, new Set(names))
  }

  #checkHeader(names: readonly string[], columns: ModelDataset['columns']): void {
    const { report } = this.#to
    const say = (kind: string, column: string, found: string) =>
      report(`${this.#short}-COLUMNS-${kind}`, this.dataset, { column }, found)
    names.forEach((column, at) => {
      if (names.indexOf(column) < at) say('UNIQUE', column, 'stands twice')
      else if (!columns.has(column) && !column.startsWith('x_'))
        say('CUSTOM-PREFIX', column, 'is no column of FOCUS and does not begin with x_')
    })
    const firstCustom = names.findIndex((column) => column.startsWith('x_'))
    const after = firstCustom === -1 ? undefined : names.find((column, at) => at > firstCustom && columns.has(column))
    if (after !== undefined) say('CUSTOM-LAST', after, `stands after ${names[firstCustom]}`)
    for (const rule of presenceRules)
      if (rule.dataset === this.dataset && !this.#at.has(rule.column))
        report(rule.id, this.dataset, { column: rule.column }, 'is not there')
  }

  row(cells: Cells): void {
    this.rows += 1
    const { report, together } = this.#to
    const row = this.rows
    if (cells.length !== this.#width) {
      report(
        `${this.#short}-COLUMNS-ROW-WIDTH`,
        this.dataset,
        { row },
        `${cells.length} cells under ${this.#width} columns`,
      )
      together.skip(this.dataset)
      return
    }
    const refused = new Set<string>()
    for (const rule of this.#cellRules) {
      const found = rule.wrong(cells[rule.at] ?? null)
      if (found === undefined) continue
      refused.add(rule.column)
      report(rule.id, this.dataset, { row, column: rule.column }, found)
    }
    const view = this.#viewOf(cells, refused)
    for (const rule of this.#rowRules) {
      const found = rule.wrong(view)
      const [column] = rule.columns
      if (found !== undefined)
        report(rule.id, this.dataset, { row, ...(column === undefined ? {} : { column }) }, found)
    }
    together.row(this.dataset, row, view)
  }

  #viewOf(cells: Cells, refused: ReadonlySet<string>): RowView {
    const text = (column: string) => (refused.has(column) ? undefined : (cells[this.#at.get(column) ?? -1] ?? null))
    return {
      text,
      decimal: (column) => parsedBy(readDecimal, text(column)),
      time: (column) => parsedBy(readTime, text(column)),
    }
  }
}

const parsedBy = <T>(read: (text: string) => T | undefined, cell: string | null | undefined): T | null | undefined =>
  cell == null ? cell : read(cell)
