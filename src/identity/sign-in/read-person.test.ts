import { expect, test } from 'vitest'
import type { ProviderFacts } from './provider-facts.ts'
import { personName, readPerson } from './read-person.ts'

const facts: ProviderFacts = {
  tenantId: '00000000-0000-4000-8000-000000000001',
  tenant: 'lakeside',
  name: 'Lakeside',
  kind: 'hospital',
  issuer: 'https://login.lakeside.example',
  clientId: 'formulary',
  clientSecretEnv: undefined,
  scopes: ['openid'],
  groupsClaim: 'groups',
  roles: new Map([
    ['admins', 'tenant-admin'],
    ['readers', 'tenant-viewer'],
    ['wardens', 'tenant-admin'],
  ]),
  revision: 1,
}
const read = (claims: object) => readPerson(facts, { sub: '42', name: 'Lena Lake', groups: ['admins'], ...claims })

test('a person is who the issuer says, with each role once that a group has', () => {
  const person = { issuer: facts.issuer, subject: '42', shownAs: 'Lena Lake' }
  expect(read({ groups: ['staff', 'wardens', 'readers', 'admins'] })).toEqual({
    ok: true,
    value: { ...person, roles: ['tenant-admin', 'tenant-viewer'] },
  })
  expect(read({ groups: 'readers' })).toMatchObject({ ok: true, value: { roles: ['tenant-viewer'] } })
})

test.each([
  ['a group is written as the provider writes it', { groups: ['Admins', ' admins', 'admins '] }, 'no_role'],
  ['nobody has a role by having none', { groups: [] }, 'no_role'],
  ['nor by a name of a role', { groups: ['tenant-admin'] }, 'no_role'],
  ['nor by what every object has', { groups: ['__proto__', 'constructor', 'toString'] }, 'no_role'],
  ['a missing claim', { groups: undefined }, 'groups_missing'],
  ['a claim that is no list of names', { groups: [{ admins: true }] }, 'groups_missing'],
  ['a list without an end', { groups: Array.from({ length: 2_001 }, () => 'admins') }, 'groups_missing'],
  ['a subject that is missing', { sub: undefined }, 'subject_unfit'],
  ['one that is empty', { sub: '' }, 'subject_unfit'],
  ['one that is too long', { sub: 'x'.repeat(256) }, 'subject_unfit'],
  ['one with a line end', { sub: 'a\nb' }, 'subject_unfit'],
  ['one that ends in a space, so that it might look like another', { sub: 'a ' }, 'subject_unfit'],
])('%s: %o is refused', (_, claims, reason) => {
  expect(read(claims)).toMatchObject({ ok: false, error: { reason } })
})

test('what people read is one short line, and decides nothing', () => {
  const shown = (claims: object) => {
    const person = read(claims)
    return person.ok ? [person.value.shownAs, personName(person.value)] : []
  }
  const name = '42 at https://login.lakeside.example'
  expect(shown({ name: 'Lena\u001b[2J\u202eLake\n' })).toEqual(['Lena [2J Lake', name])
  expect(shown({ name: 'x'.repeat(500) })[0]).toHaveLength(100)
  expect(shown({ name: ' ', preferred_username: 'lena' })).toEqual(['lena', name])
  expect(shown({ name: undefined })).toEqual(['42', name])
  expect(shown({ name: 'Ada Moreno', email: 'ada@owner.example' })[1]).toBe(name)
})
