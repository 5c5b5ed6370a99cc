import type { KeptPolicy } from '../policy/index.ts'
import type { PolicyFile } from './policy-file.ts'
import type { LicenseFile, ModelFile, PlanFile, TenantFile } from './schema.ts'
import type { Source } from './source.ts'

/** A declaration and the file that it stands in. */
export interface Declared<T> {
  readonly value: T
  readonly source: Source
}

export interface DeclaredTenant {
  readonly tenant: Declared<TenantFile>
  readonly license: Declared<LicenseFile>
  /** Its own restrictions; empty when it has none. */
  readonly policies: readonly KeptPolicy[]
}

/** Everything under tenants/, read and found to agree with itself. */
export interface Declarations {
  readonly models: readonly Declared<ModelFile>[]
  readonly plans: readonly Declared<PlanFile>[]
  readonly tenants: readonly DeclaredTenant[]
  /** The owner's, over all tenants. */
  readonly policies: readonly KeptPolicy[]
}

/**
 * What could be read of tenants/, by the names that the files' places give. Undefined: the file is there and has
 * problems of its own; what refers to it is not reported again.
 */
export interface Tree {
  readonly models: ReadonlyMap<string, Declared<ModelFile> | undefined>
  readonly plans: ReadonlyMap<string, Declared<PlanFile> | undefined>
  readonly tenants: ReadonlyMap<string, Declared<TenantFile> | undefined>
  readonly licenses: ReadonlyMap<string, Declared<LicenseFile> | undefined>
  /** The owner's files of Cedar. */
  readonly policies: readonly PolicyFile[]
  /** The file of Cedar of each tenant that has one. */
  readonly tenantPolicies: ReadonlyMap<string, PolicyFile>
}
