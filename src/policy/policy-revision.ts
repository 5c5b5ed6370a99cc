import { z } from 'zod'

/** One policy as it is kept: what it is called, what it does, what a caller is told, and its text. */
export const KeptPolicy = z.strictObject({
  /** Where it was declared, relative to tenants/. */
  file: z.string(),
  id: z.string(),
  effect: z.enum(['permit', 'forbid']),
  /** For the caller; empty for a permit that says nothing. */
  reason: z.string(),
  text: z.string(),
})
export type KeptPolicy = z.infer<typeof KeptPolicy>
export const KeptPolicies = z.array(KeptPolicy)

/** What the owner's policies, or those of one tenant, were from an instant on. Never edited. */
export interface PolicyRevision {
  readonly revision: number
  readonly policies: readonly KeptPolicy[]
  /** Of the whole document: two revisions with one digest decide alike. */
  readonly digest: string
}

/** What decides about the calls of one tenant. */
export interface PoliciesInForce {
  readonly owner: PolicyRevision | undefined
  readonly tenant: PolicyRevision | undefined
}
