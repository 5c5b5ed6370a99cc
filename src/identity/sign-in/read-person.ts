import { z } from 'zod'
import { err, ok, type Result } from '../../kernel/index.ts'
import { roles as allRoles, type Role } from '../actor.ts'
import type { ProviderFacts } from './provider-facts.ts'

/** Somebody whom a provider vouches for. */
export interface Person {
  readonly issuer: string
  readonly subject: string
  /** For people to read. It changes, and two may have the same: nothing is decided by it. */
  readonly shownAs: string
  readonly roles: readonly Role[]
}

/** Whoever has no role, and may have had one. */
export type Nobody = Omit<Person, 'roles'>

export type PersonRefusal =
  /** Not what OpenID Connect Core 1.0, section 2 allows: 255 characters of ASCII at most. */
  | { readonly reason: 'subject_unfit' }
  /** The claim is not there, or it is no list of names. */
  | { readonly reason: 'groups_missing'; readonly claim: string; readonly person: Nobody }
  | { readonly reason: 'no_role'; readonly person: Nobody }

/** Who they are in records: stable, and the same person's at every tenant that trusts the issuer. */
export const personName = ({ issuer, subject }: Pick<Person, 'issuer' | 'subject'>): string => `${subject} at ${issuer}`

const shownCharactersMax = 100
const groupsMax = 2_000
const Subject = z.string().regex(/^[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?$/)
/** Some providers write one group as a text. */
const Groups = z.union([z.array(z.string()).max(groupsMax), z.string().transform((one) => [one])])

/** From verified claims to a person with the roles that their groups have here. Of groups nothing is kept. */
export function readPerson(
  facts: ProviderFacts,
  claims: Readonly<Record<string, unknown>>,
): Result<Person, PersonRefusal> {
  const subject = Subject.safeParse(claims['sub'])
  if (!subject.success) return err({ reason: 'subject_unfit' })
  const person = { issuer: facts.issuer, subject: subject.data, shownAs: shownName(claims) ?? subject.data }
  const groups = Groups.safeParse(claims[facts.groupsClaim])
  if (!groups.success) return err({ reason: 'groups_missing', claim: facts.groupsClaim, person })
  const held = new Set(groups.data.flatMap((group) => facts.roles.get(group) ?? []))
  if (held.size === 0) return err({ reason: 'no_role', person })
  return ok({ ...person, roles: allRoles.filter((role) => held.has(role)) })
}

/** A control character in it could repaint what an auditor reads. */
function shownName(claims: Readonly<Record<string, unknown>>): string | undefined {
  for (const claim of ['name', 'preferred_username']) {
    const value = claims[claim]
    if (typeof value !== 'string') continue
    const text = value.replaceAll(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ').trim()
    if (text !== '') return Array.from(text).slice(0, shownCharactersMax).join('')
  }
  return undefined
}
