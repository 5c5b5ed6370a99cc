import type { Uuid } from '../../kernel/index.ts'
import type { Role } from '../actor.ts'
import type { TenantKind } from '../words.ts'

/** The identity provider of a tenant's own people, as declared. */
export interface ProviderFacts {
  readonly tenantId: Uuid
  readonly tenant: string
  /** As people call the organization. */
  readonly name: string
  /** Of the owner: its people get the owner's roles, and nobody else's people do. */
  readonly kind: TenantKind
  readonly issuer: string
  readonly clientId: string
  /** The environment variable that holds our secret there; undefined: a public client, with PKCE alone. */
  readonly clientSecretEnv: string | undefined
  readonly scopes: readonly string[]
  readonly groupsClaim: string
  /** Which role a group has here. */
  readonly roles: ReadonlyMap<string, Role>
  /** Counts its changes: a session that began under an older one is over. */
  readonly revision: number
}
