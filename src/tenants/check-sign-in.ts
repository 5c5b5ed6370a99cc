import { ownerRoles } from '../identity/index.ts'
import { repeatedNames } from './check-names.ts'
import type { Declared } from './declarations.ts'
import { quoted, type Problem } from './problem.ts'
import type { TenantFile } from './schema.ts'

/** A provider vouches for its own organization's people: the owner's for the owner's, a hospital's for the hospital's. */
export function checkSignIn({ value, source }: Declared<TenantFile>): readonly Problem[] {
  const { signIn, kind } = value
  if (signIn === undefined) return []
  const isOwners = (role: string) => ownerRoles.some((one) => one === role)
  const fitting = kind === 'owner' ? ownerRoles.join(', ') : 'tenant-admin or tenant-viewer'
  return [
    ...repeatedNames(source, ['signIn', 'scopes'], 'scope', signIn.scopes),
    ...(signIn.scopes.includes('openid')
      ? []
      : [
          source.problem(['signIn', 'scopes'], {
            message: 'scopes lacks openid, without which nobody is told who signs in',
            advice: 'write scopes: [openid, profile]',
          }),
        ]),
    ...Object.entries(signIn.roles).flatMap(([group, role]) =>
      isOwners(role) === (kind === 'owner')
        ? []
        : [
            source.problem(['signIn', 'roles', group], {
              message:
                kind === 'owner'
                  ? `${quoted(role)} is a role of a licensed organization, and this is the owner`
                  : `${quoted(role)} is a role of the owner’s own people`,
              advice: `write ${fitting}`,
            }),
          ],
    ),
  ]
}
