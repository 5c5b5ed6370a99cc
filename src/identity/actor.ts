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
  /** One name, one human or machine: two people are two names. A person's is `<subject> at <issuer>`. */
  readonly name: string
  /** What people call a signed-in person. Nothing is decided by it: two may be called the same. */
  readonly shownAs?: string
  readonly roles: readonly Role[]
  /** The tenant whose own administrator this is; undefined: the owner's people, who see every tenant. */
  readonly tenantId: Uuid | undefined
  /**
   * Who made the token, who made the token that it was made with, and so on: each of them can act under this name. Whoever
   * runs the machines (the command line, the bootstrap token) is not among them.
   */
  readonly makers?: readonly string[]
  /** Of a token that is narrower than its roles: ids of operations, or `read`. Undefined: all that its roles may. */
  readonly scopes?: readonly string[] | undefined
}

/** As an audit entry names them. */
export const agentOf = ({ kind, name, roles: held }: Actor): Agent => ({ kind, name, roles: held })

/** Everybody who can act under an actor's name. */
export const handsOf = ({ name, makers = [] }: Pick<Actor, 'name' | 'makers'>): readonly string[] =>
  [name, ...makers].map((one) => one.toLowerCase())

/** Whether nobody could be both of them, be it with a token that they have made. */
export const areApart = (first: Pick<Actor, 'name' | 'makers'>, second: Pick<Actor, 'name' | 'makers'>): boolean => {
  const hands = new Set(handsOf(first))
  return !handsOf(second).some((hand) => hands.has(hand))
}

/** Whether two actors are two people. A job of ours never stands in for the second. */
export const areTwoPeople = (first: Actor, second: Actor | undefined): second is Actor =>
  second !== undefined && second.kind !== 'system' && areApart(first, second)
