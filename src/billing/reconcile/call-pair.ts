import type { Instant, Picos, Uuid } from '../../kernel/index.ts'
import type { HostUsage } from './host-usage.ts'

/** Where a row counts: in the month that is looked at, or beside it. */
export type LedgerBook = 'here' | 'late' | 'elsewhere'
export type HostBook = 'here' | 'elsewhere'

/** A row of the ledger, as far as it is compared. */
export interface LedgerRow {
  readonly book: LedgerBook
  readonly requestId: Uuid
  readonly tenantId: Uuid
  readonly tenant: string
  readonly startedAt: Instant
  /** With its microseconds, as its key has it. */
  readonly startedAtText: string
  readonly attempt: number
  readonly durationMs: number
  readonly operation: string
  readonly outcome: string
  readonly license: string
  readonly model: string
  readonly version: string
  readonly deployment: string
  readonly plan: string
  readonly planRevision: number
  readonly currency: string
  readonly requests: number
  readonly inputTokens: bigint
  readonly outputTokens: bigint
  readonly inferences: bigint
  readonly charge: Picos
  /** Of a correction: the attempt that it corrects. */
  readonly correctsAttempt: number | undefined
}

export interface HostRow extends HostUsage {
  readonly book: HostBook
  readonly reportId: Uuid
  readonly deployment: string
}

/** Everything that either side says of one request. */
export interface CallPair {
  /** Undefined of a call that the host served without an id of ours. */
  readonly requestId: Uuid | undefined
  readonly ledger: readonly LedgerRow[]
  readonly host: readonly HostRow[]
}

/** What one side counts. A predictor's inferences are its input. */
export interface Units {
  readonly input: bigint
  readonly output: bigint
}

export const unitsOfRow = (row: LedgerRow): Units => ({
  input: row.inputTokens + row.inferences,
  output: row.outputTokens,
})

export const unitsOfHost = ({ inputUnits, outputUnits }: HostUsage): Units => ({
  input: inputUnits,
  output: outputUnits,
})

export const sumOf = (units: readonly Units[]): Units => ({
  input: units.reduce((sum, { input }) => sum + input, 0n),
  output: units.reduce((sum, { output }) => sum + output, 0n),
})

export const areSame = (a: Units, b: Units): boolean => a.input === b.input && a.output === b.output

/** Whether a row takes back what another one says. */
export const isOpposite = (row: LedgerRow): boolean =>
  row.correctsAttempt !== undefined &&
  (row.requests < 0 || row.inputTokens < 0n || row.outputTokens < 0n || row.inferences < 0n || row.charge < 0n)

/** The rows that nothing has taken back, of one tenant's call at one instant. */
export function standingRows(rows: readonly LedgerRow[]): readonly LedgerRow[] {
  const keyOf = (row: LedgerRow, attempt: number) => `${row.tenantId} ${row.startedAtText} ${attempt}`
  const takenBack = new Set(rows.filter(isOpposite).map((row) => keyOf(row, row.correctsAttempt ?? 0)))
  return rows.filter((row) => !isOpposite(row) && !takenBack.has(keyOf(row, row.attempt)))
}
