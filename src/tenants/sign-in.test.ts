import { expect, test } from 'vitest'
import { readDeclarations } from './read-declarations.ts'
import { filesOf, sampleTree } from './sample-tree.ts'

/** The sample's file with `signIn` at its end; it begins on the line after. */
function problemsOf(tenant: 'clinic' | 'lakeside', signIn: string): readonly string[] {
  const file = `${tenant}/tenant.yaml`
  const read = readDeclarations(filesOf({ ...sampleTree, [file]: `${sampleTree[file]}signIn: ${signIn}\n` }))
  return read.ok ? [] : read.error.map(({ line, message, advice }) => `${line} ${message}; ${advice}`)
}

const provider = 'issuer: "https://login.example", clientId: formulary, groupsClaim: groups'
const line = { clinic: 8, lakeside: 13 }

test.each([
  ['clinic', `{ ${provider}, roles: { chiefs: owner-admin, office: licensing, money: finance, eyes: auditor } }`],
  ['lakeside', `{ ${provider}, roles: { admins: tenant-admin, "CN=Readers,OU=IT": tenant-viewer } }`],
  [
    'lakeside',
    `{ ${provider}, clientSecretEnv: LAKESIDE_SECRET, scopes: [openid, groups], roles: { a: tenant-admin } }`,
  ],
] as const)('people of %s sign in by %s', (tenant, signIn) => {
  expect(problemsOf(tenant, signIn)).toEqual([])
})

test.each([
  [
    'a role of the owner',
    'lakeside',
    `{ ${provider}, roles: { a: owner-admin } }`,
    'a role of the owner’s own people; write tenant-admin or tenant-viewer',
  ],
  [
    'a role of a hospital',
    'clinic',
    `{ ${provider}, roles: { a: tenant-admin } }`,
    'a role of a licensed organization, and this is the owner',
  ],
  ['a role that there is not', 'lakeside', `{ ${provider}, roles: { a: tenant-admim } }`, 'did you mean tenant-admin?'],
  ['no group', 'lakeside', `{ ${provider}, roles: {} }`, 'write from 1 to 100 groups'],
  ['no issuer', 'lakeside', '{ clientId: f, groupsClaim: groups, roles: { a: tenant-admin } }', 'issuer is missing'],
  [
    'an issuer with a query',
    'lakeside',
    `{ ${provider.replace('.example', '.example?a=b')}, roles: { a: tenant-admin } }`,
    'does not fit issuer',
  ],
  [
    'an issuer with a user',
    'lakeside',
    `{ ${provider.replace('login', 'me:pw@login')}, roles: { a: tenant-admin } }`,
    'issuer',
  ],
  [
    'scopes without openid',
    'lakeside',
    `{ ${provider}, scopes: [profile], roles: { a: tenant-admin } }`,
    'scopes lacks openid',
  ],
  [
    'a scope twice',
    'lakeside',
    `{ ${provider}, scopes: [openid, openid], roles: { a: tenant-admin } }`,
    '"openid" stands here twice',
  ],
  [
    'a variable of the gateway',
    'lakeside',
    `{ ${provider}, clientSecretEnv: KEY_PEPPER, roles: { a: tenant-admin } }`,
    'this one belongs to the gateway',
  ],
  [
    'a key that nobody reads',
    'lakeside',
    `{ ${provider}, clientSecret: x, roles: { a: tenant-admin } }`,
    'clientSecretEnv',
  ],
] as const)('%s is refused with its line', (_, tenant, signIn, told) => {
  const problems = problemsOf(tenant, signIn)
  expect(problems.join('\n')).toContain(told)
  expect(problems.every((problem) => problem.startsWith(`${line[tenant]} `))).toBe(true)
})

test('what may be the secret itself is not repeated', () => {
  const problems = problemsOf('lakeside', `{ ${provider}, clientSecretEnv: canary-secret, roles: { a: tenant-admin } }`)
  expect(problems).toHaveLength(1)
  expect(problems.join()).not.toContain('canary')
})
