import { userInfo } from 'node:os'
import type { Actor } from '../identity/index.ts'

/** Who types: the account of the operating system, as the audit entries name it. */
export function userName(): string {
  try {
    return userInfo().username
  } catch {
    // A container may run under a number that no account has.
    return `uid ${process.getuid?.() ?? 'unknown'}`
  }
}

/** Whoever has the database's credentials and a shell is the owner's own; what they do is entered under their name. */
export const operator = (): Actor => ({
  kind: 'command',
  name: userName(),
  roles: ['owner-admin'],
  tenantId: undefined,
})
