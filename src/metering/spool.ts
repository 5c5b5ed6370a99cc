import type { PackedBatch } from './packed-batch.ts'

/**
 * Where batches wait on this machine's own disk while the database is away. A batch that was appended survives the death
 * of the process; whoever finds the spool of a dead process replays it.
 */
export interface Spool {
  /** Resolves when the batch is on disk. @throws when it cannot be, and then nothing of it is there. */
  append(batch: PackedBatch): Promise<void>
  /** What was appended, from the beginning, up to the last whole batch. */
  read(): AsyncIterable<PackedBatch>
  /** Forgets everything, unless there are more batches than so many. True when it is empty. */
  clear(batches: number): Promise<boolean>
}
