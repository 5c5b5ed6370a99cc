import type { Instant, Result } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import type { Deciders, LicenseGrant } from '../licensing/index.ts'

/** What is wrong in what was sent, and what to write instead. Lines count from one. */
export interface DeclarationProblem {
  readonly file: string
  readonly line: number
  readonly column: number
  /** Such as `entitlements[0].pin`. */
  readonly path: string
  readonly message: string
  readonly advice: string
}

/** What a tree would change or has changed. */
export interface PlannedChanges {
  readonly changes: readonly object[]
  readonly notes: readonly string[]
  readonly widening: readonly { readonly license: string; readonly widens: readonly string[] }[]
  /** As a diff for people. */
  readonly text: string
}

/** A file of the tree `tenants/`. */
export interface DeclaredFile {
  readonly path: string
  readonly text: string
}

/** The reader of `tenants/`, which stands beside the control plane: what it refuses, nothing else lets in. */
export interface Declaring {
  /** A grant in the form of `license.yaml`, held to what the database has. */
  readGrant(
    tx: Tx,
    tenant: string,
    text: string,
    now: Instant,
  ): Promise<Result<LicenseGrant, readonly DeclarationProblem[]>>
  plan(
    tx: Tx,
    files: readonly DeclaredFile[],
    now: Instant,
  ): Promise<Result<PlannedChanges, readonly DeclarationProblem[]>>
  apply(
    tx: Tx,
    files: readonly DeclaredFile[],
    by: Deciders,
  ): Promise<Result<PlannedChanges, readonly DeclarationProblem[]>>
}
