import { z } from 'zod'
import type { Uuid } from '../kernel/index.ts'
import type { Agent } from '../audit/index.ts'

/** What a person or a machine may do in the control plane. The first four are the owner's, the last two one tenant's. */
export const roles = ['owner-admin', 'licensing', 'finance', 'auditor', 'tenant-admin', 'tenant-viewer'] as const
export const Role = z.enum(roles)
export type Role = z.infer<typeof Role>

export const ownerRoles = ['owner-admin', 'licensing', 'finance', 'auditor'] as const satisfies readonly Role[]

/** Who acts in the control plane, or at the command line. */
export interface Actor {
  readonly kind: 'person' | 'token' | 'bootstrap' | 'command' | 'declarations' | 'system'
  /** One name, one human or machine: two people are two names. */
  readonly name: string
  readonly roles: readonly Role[]
  /** The tenant whose own administrator this is; undefined: the owner's people, who see every tenant. */
  readonly tenantId: Uuid | undefined
}

/** As an audit entry names them. */
export const agentOf = ({ kind, name, roles: held }: Actor): Agent => ({ kind, name, roles: held })

/** Whether two actors are two people. A machine's token never stands in for the second. */
export const areTwoPeople = (first: Actor, second: Actor | undefined): second is Actor =>
  second !== undefined && second.kind !== 'system' && first.name.toLowerCase() !== second.name.toLowerCase()
