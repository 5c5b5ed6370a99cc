import type { Instant } from '../kernel/index.ts'
import type { IssuedNotice, PinHolder, Standing } from '../release/index.ts'
import type { LicenseRow, PlanRow, PolicyRow, Rows } from './rows.ts'

/** What the database holds now, in the words of the tree. */
export interface Current {
  readonly model: readonly Kept<'model'>[]
  readonly version: readonly Kept<'version'>[]
  readonly deployment: readonly Kept<'deployment'>[]
  readonly tenant: readonly Kept<'tenant'>[]
  readonly facility: readonly Kept<'facility'>[]
  readonly application: readonly Kept<'application'>[]
  readonly client: readonly Kept<'client'>[]
  readonly sign_in: readonly Kept<'sign_in'>[]
  /** The highest revision of each. */
  readonly plan: readonly { readonly row: PlanRow; readonly revision: number }[]
  /** The highest revision of each. */
  readonly policy: readonly { readonly row: PolicyRow; readonly revision: number }[]
  /** The highest revision of each. */
  readonly license: readonly {
    readonly row: LicenseRow
    readonly revision: number
    /** Revoked, terminated or transferred. */
    readonly overSince: Instant | undefined
  }[]
  /** What a promotion depends on beside the file. */
  readonly release: {
    /** By `model@version`. */
    readonly standings: ReadonlyMap<string, Standing>
    readonly pins: readonly PinHolder[]
    readonly notices: readonly IssuedNotice[]
  }
}

/** Rows are never deleted: what left the tree is ended (a tenant's) or withdrawn (the catalog's). */
export interface Kept<What extends keyof Rows> {
  readonly row: Rows[What][number]
  readonly ended: boolean
}

export interface FieldChange {
  readonly field: string
  readonly from: string | undefined
  readonly to: string | undefined
}

/** `return`: what was ended stands in the tree again. */
export interface RowChange<What extends keyof Rows> {
  readonly what: What
  readonly act: 'add' | 'change' | 'return' | 'end'
  readonly name: string
  readonly fields: readonly FieldChange[]
  readonly row: Rows[What][number]
}
/** A new revision of what is never edited. */
export type RevisedKind = 'plan' | 'license' | 'policy'
export interface RevisionChange<What extends RevisedKind> {
  readonly what: What
  readonly act: 'add' | 'change'
  readonly name: string
  readonly fields: readonly FieldChange[]
  readonly row: Rows[What][number]
  readonly revision: number
}
export type EndableKind = Exclude<keyof Rows, RevisedKind>
export type Change =
  | { [What in EndableKind]: RowChange<What> }[EndableKind]
  | RevisionChange<'plan'>
  | RevisionChange<'license'>
  | RevisionChange<'policy'>

export interface Plan {
  /** In the order in which they are done. Empty: the database says what the tree says. */
  readonly changes: readonly Change[]
  /** Nothing to do, but something to know: a recall that the tree does not mention, a pin that nobody can reach. */
  readonly notes: readonly string[]
  /** Licenses that would allow more than now, and what: two people have to stand behind them. */
  readonly widening: readonly { readonly license: string; readonly widens: readonly string[] }[]
}
