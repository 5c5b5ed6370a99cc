import { z } from 'zod'
import { isUuid, type Uuid } from '../kernel/index.ts'
import type { LeaseUse } from '../quota/index.ts'
import type { CallFacts, UsageEvent } from './usage-event.ts'

/** A row of the ledger with what it takes out of leases. Both happen or neither does. */
export interface SettledRow {
  readonly event: UsageEvent
  readonly uses: readonly LeaseUse[]
}

/** The name of a call in flight whose note is to go. */
export type EndedCall = Pick<CallFacts, 'tenantId' | 'requestId'>

/** Which batch of which lane: counts up from one in each lane of an instance. */
export interface BatchName {
  readonly instanceId: Uuid
  readonly lane: number
  readonly number: number
}

/** A batch as it is written: packed once, the same in the database and in the spool. */
export const PackedBatch = z.object({
  instanceId: z.string().refine(isUuid),
  lane: z.int(),
  number: z.int(),
  /** JSON array of usage events, each with its `uses`. */
  events: z.string(),
  /** JSON array of ended calls. */
  ended: z.string(),
})
export type PackedBatch = Readonly<z.infer<typeof PackedBatch>>

export function packBatch(
  name: BatchName,
  load: { rows: readonly SettledRow[]; ended: readonly EndedCall[] },
): PackedBatch {
  const { instanceId, lane, number } = name
  return {
    instanceId,
    lane,
    number,
    events: JSON.stringify(load.rows.map(packedRow)),
    ended: JSON.stringify(load.ended),
  }
}

const packedRow = ({ event, uses }: SettledRow) => ({
  ...event,
  charge: event.charge.toString(),
  uses: uses
    .filter(({ used }) => used > 0n)
    .map(({ pocket: { account }, used }) => ({
      budget: account.budget,
      periodStart: account.periodStart,
      used: used.toString(),
    })),
})
