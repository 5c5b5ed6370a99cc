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

/** What a license may name. A tree has it, and so has the database. */
export interface Referable {
  readonly plans: ReadonlyMap<string, unknown>
  readonly tenants: ReadonlyMap<string, { readonly value: Sites } | undefined>
  readonly models: ReadonlyMap<string, { readonly value: Versions } | undefined>
}
interface Sites {
  readonly facilities: readonly { readonly facility: string }[]
  readonly applications: readonly { readonly application: string }[]
}
export interface Versions {
  readonly model: string
  readonly versions: readonly {
    readonly version: string
    readonly recalled?: string | undefined
    readonly deployments: readonly { readonly region: string }[]
  }[]
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
