import { afterAll, beforeAll, expect, test } from 'vitest'
import { openSignInHouse, people, type SignInHouse } from '../support/sign-in.ts'

let world: SignInHouse
beforeAll(async () => {
  world = await openSignInHouse()
})
afterAll(() => world?.stop())

test('the owner’s people sign in at the owner’s provider', async () => {
  const { browser, page } = await world.signIn(people.chief)
  expect([page.status, page.url.pathname]).toEqual([200, '/'])
  expect(page.text).toContain('Ada Moreno, owner-admin')
  const tenants = await browser.ask(`${world.admin.url}/admin/v1/tenants`)
  expect(tenants.status).toBe(200)
})
