import type { LeaseUse } from '../quota/index.ts'
import type { CommitNeeds, PackedBatch } from './batch.ts'
import type { Unfolder } from './unfolder.ts'

/** Makes a batch safe, so that no crash of ours loses it: by the database. */
export class SafeKeeping {
  readonly #needs: CommitNeeds
  readonly #unfolder: Unfolder

  constructor(needs: CommitNeeds, unfolder: Unfolder) {
    this.#needs = needs
    this.#unfolder = unfolder
  }

  /** @throws Failure when nothing could be written; the batch is to be brought again. */
  async keep(batch: PackedBatch, uses: readonly LeaseUse[]): Promise<'kept' | 'fenced'> {
    const outcome = await this.#needs.write(batch)
    if (outcome === 'fenced') return 'fenced'
    this.#unfolder.add(batch, uses)
    return 'kept'
  }

  async drained(): Promise<void> {}
}
