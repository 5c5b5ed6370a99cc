import type { Instant, Proven, Uuid } from '../kernel/index.ts'
import type { Scope } from './scope.ts'
import type { Audience, Purpose, TenantKind } from './words.ts'

export interface TenantFacts {
  readonly tenantId: Uuid
  readonly tenant: string
  readonly kind: TenantKind
  readonly endedAt: Instant | undefined
}

export interface FacilityFacts {
  readonly facility: string
  readonly region: string
}

export interface ApplicationFacts {
  readonly application: string
  readonly audience: Audience
  /** In the declared order: the first is where a call belongs that names none. Ended facilities are not in it. */
  readonly facilities: readonly FacilityFacts[]
  readonly purposes: readonly Purpose[]
  readonly scopes: readonly Scope[]
  readonly endedAt: Instant | undefined
}

export interface KeyFacts {
  readonly keyId: string
  readonly tenant: TenantFacts
  readonly application: ApplicationFacts
  readonly secretHmac: Uint8Array
  readonly pepperVersion: number
  /** A subset of the application's. */
  readonly scopes: readonly Scope[]
  readonly expiresAt: Instant
  readonly revokedAt: Instant | undefined
}

/** Who a credential proved to be. */
export type Principal = Proven<
  'Principal',
  {
    readonly tenant: TenantFacts
    readonly application: ApplicationFacts
    /** The id of the key, or of the client that a token was issued to. */
    readonly keyId: string
    readonly scopes: readonly Scope[]
    /** When it showed a token: which one, and under which revision of its client. */
    readonly token?: { readonly jti: string; readonly revision: number } | undefined
  }
>
