import type { Ability, Target } from './target.ts'

/** Something that broke in a gateway, in public, and what must hold so that it cannot break here. */
export interface Incident {
  /** The name of the test. */
  readonly holds: string
  readonly broke: string
  /** Where it can be read. */
  readonly where: string
  /** What a gateway must have for it to apply. */
  readonly needs: readonly Ability[]
  /** What the test cannot say, because there is nothing yet that could break. */
  readonly notYet?: string
  test(target: Target): Promise<void>
}
