import type { Instant, Uuid } from '../../kernel/index.ts'

/** A line of a model host's report: one attempt that it served, and what it counted. */
export interface HostUsage {
  /** In its report, counted from one. */
  readonly line: number
  /** The request id that we sent; undefined where the host says another, which is none of ours. */
  readonly requestId: Uuid | undefined
  /** When the host was done with it. */
  readonly at: Instant
  readonly attempt: number
  /** As the host calls it. */
  readonly model: string
  readonly version: string | undefined
  /** Tokens; of a predictor, its inferences. */
  readonly inputUnits: bigint
  readonly outputUnits: bigint
  /** The HTTP status that it answered; 0 when no header left. */
  readonly status: number
  /** Whose call the host takes it for, when it knows. */
  readonly tenant: string | undefined
}

/** Columns of a report, in CSV the header's names, in JSON the members. The last three may be left out. */
export const reportColumns = [
  'request_id',
  'at',
  'model',
  'input_units',
  'output_units',
  'status',
  'version',
  'attempt',
  'tenant',
] as const
export type ReportColumn = (typeof reportColumns)[number]
export const optionalColumns: ReadonlySet<ReportColumn> = new Set(['version', 'attempt', 'tenant'])

export type ReportFormat = 'csv' | 'json'
