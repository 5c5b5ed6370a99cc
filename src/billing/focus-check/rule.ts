import type { Decimal } from './decimal.ts'
import type { DatasetId } from './model.ts'

/** One MUST, by a name under which its violation is reported. */
export interface Rule {
  readonly id: string
  readonly dataset: DatasetId
  /** What it looks at; a file without one of these columns has nothing that could break it. */
  readonly columns: readonly string[]
  readonly must: string
  /** model: read from the published model. specification: from the text of a column, an attribute or a dataset. */
  readonly source: 'model' | 'specification'
}

export interface Violation {
  readonly rule: string
  readonly dataset: DatasetId
  /** Counted from one, the header not among them; undefined for what is true of a file or of several. */
  readonly row: number | undefined
  readonly column: string | undefined
  readonly found: string
}

/**
 * A row as rules read it: null where a cell is empty or its column is not there, undefined where a rule of the cell's own
 * refuses it, so that one fault is reported once.
 */
export interface RowView {
  text(column: string): string | null | undefined
  decimal(column: string): Decimal | null | undefined
  /** Milliseconds. */
  time(column: string): number | null | undefined
}

/** Says of one row what is wrong, or nothing. */
export interface RowRule extends Rule {
  wrong(row: RowView): string | undefined
}

/** Takes a violation down: the name of its rule, and where it was seen. */
export type Report = (
  rule: string,
  dataset: DatasetId,
  where: { readonly row?: number; readonly column?: string },
  found: string,
) => void
