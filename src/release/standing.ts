import { z } from 'zod'
import type { Instant } from '../kernel/index.ts'
import type { Stage } from '../policy/index.ts'

/** Who must agree to a step: a clinician who answers for its use, and an engineer who answers for its working. */
export const signOffRoles = ['clinical', 'technical'] as const
export const SignOffRole = z.enum(signOffRoles)
export type SignOffRole = z.infer<typeof SignOffRole>

// A type alias, not an interface: only these are documents to the compiler.
export type SignOff = {
  /** The stage that the step leads to. */
  readonly to: Stage
  readonly role: SignOffRole
  readonly by: string
  readonly at: Instant
}

/** A fact about a version, in the order in which they were recorded. */
export type VersionAct =
  | { act: 'promote' | 'demote'; from: Stage; to: Stage; reason: string; by: string; at: Instant }
  | { act: 'recall'; reason: string; by: string; at: Instant }
  | ({ act: 'sign_off'; reason: string } & SignOff)

export interface Standing {
  readonly stage: Stage
  /** The first recall's instant; the last one's reason. */
  readonly recalled: { readonly at: Instant; readonly reason: string } | undefined
  /** Those made since the version last moved: a step needs its own. */
  readonly signOffs: readonly SignOff[]
  /** Those that a step has used, or a demotion has undone. */
  readonly spent: readonly SignOff[]
}

/** What a version's stage is, from where it began and what was done. A recall is for good. */
export function standingOf(firstStage: Stage, acts: readonly VersionAct[]): Standing {
  let stage = firstStage
  let recalled: Standing['recalled']
  let signOffs: SignOff[] = []
  const spent: SignOff[] = []
  for (const act of acts)
    switch (act.act) {
      case 'promote':
      case 'demote':
        stage = act.to
        spent.push(...signOffs)
        signOffs = []
        break
      case 'recall':
        recalled = { at: recalled?.at ?? act.at, reason: act.reason }
        break
      case 'sign_off':
        signOffs.push(act)
    }
  return { stage, recalled, signOffs, spent }
}

/** Signed on another day, it is another sign-off; the same one counts once. */
export const isSameSignOff = (a: SignOff, b: SignOff): boolean =>
  a.to === b.to && a.role === b.role && a.by === b.by && a.at === b.at
