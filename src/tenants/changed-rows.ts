import type { Change } from './change.ts'

/** Rows in one statement: far below the 65,535 parameters that the protocol can number. */
const ROWS_MAX = 1000

/** The changes of one kind: `changes.filter(is('model'))`. */
export const is =
  <W extends Change['what']>(what: W) =>
  (change: Change): change is Extract<Change, { what: W }> =>
    change.what === what

interface Changed<Row> {
  readonly act: Change['act']
  readonly row: Row
}

/** The rows to write, in portions of one statement; what was ended and stands in the tree again is written over. */
export const written = <Row>(changes: readonly Changed<Row>[]): readonly (readonly Row[])[] =>
  portions(changes.filter(({ act }) => act !== 'end').map(({ row }) => row))

export const ended = <Row>(changes: readonly Changed<Row>[]): readonly Row[] =>
  changes.filter(({ act }) => act === 'end').map(({ row }) => row)

export const portions = <T>(rows: readonly T[]): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(rows.length / ROWS_MAX) }, (_, index) =>
    rows.slice(index * ROWS_MAX, (index + 1) * ROWS_MAX),
  )
