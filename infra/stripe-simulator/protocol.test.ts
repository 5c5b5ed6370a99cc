import Stripe from 'stripe'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { day, openSimulated, type Simulated } from './sdk-client.ts'

// Sources: [errors] docs.stripe.com/api/errors · [keys] …/api/idempotent_requests · [pages] …/api/pagination · [limits]
// …/rate-limits · [sdk] stripe-node 23.1.0, as it behaves

let at: Simulated
beforeEach(async () => {
  at = await openSimulated()
})
afterEach(() => at.simulator.stop())

test('[errors] an unknown object is a 404 with its code', async () => {
  await expect(at.stripe.customers.retrieve('cus_none')).rejects.toMatchObject({
    statusCode: 404,
    code: 'resource_missing',
    type: 'StripeInvalidRequestError',
  })
})
test('[errors] a wrong key is a 401', async () => {
  const { host, port } = at.simulator
  const stranger = new Stripe('nonsense', { host, port, protocol: 'http', maxNetworkRetries: 0 })
  await expect(stranger.customers.list()).rejects.toMatchObject({ type: 'StripeAuthenticationError' })
})
test('[errors] an unknown address is a 404', async () => {
  await expect(at.stripe.rawRequest('GET', '/v1/nothing')).rejects.toThrow('Unrecognized request URL')
})
test('[errors] a missing parameter is named', async () => {
  await expect(at.stripe.rawRequest('POST', '/v1/products', {})).rejects.toMatchObject({ param: 'name' })
})
test('[sdk] a 404 without an error is taken for success', async () => {
  at.simulator.knobs.foreign404 = 1
  const taken = await at.stripe.customers.retrieve(at.customer)
  expect(taken).toMatchObject({ message: 'Not Found' })
  expect(taken.lastResponse.statusCode).toBe(404)
})
test('[limits] too many calls are a 429', async () => {
  at.simulator.knobs.tooMany = 1
  await expect(at.stripe.customers.list()).rejects.toMatchObject({ type: 'StripeRateLimitError' })
})
test('[keys] the same key and parameters do it once', async () => {
  const twice = [1, 2].map(() => at.stripe.customers.create({ name: 'x' }, { idempotencyKey: 'k' }))
  const [first, second] = await Promise.all(twice)
  expect(second?.id).toBe(first?.id)
})
test('[keys] the same key with other parameters is an idempotency error', async () => {
  await at.stripe.customers.create({ name: 'x' }, { idempotencyKey: 'k' })
  const other = at.stripe.customers.create({ name: 'y' }, { idempotencyKey: 'k' })
  await expect(other).rejects.toMatchObject({ type: 'StripeIdempotencyError' })
})
test('[keys] a day later the key is forgotten', async () => {
  const first = await at.stripe.customers.create({ name: 'x' }, { idempotencyKey: 'k' })
  at.simulator.advance(day)
  const second = await at.stripe.customers.create({ name: 'x' }, { idempotencyKey: 'k' })
  expect(second.id).not.toBe(first.id)
})
test('[keys] a call that was refused for its parameters did not use the key', async () => {
  const options = { idempotencyKey: 'k' }
  await expect(at.stripe.products.create({ name: '' }, options)).rejects.toThrow('name')
  await expect(at.stripe.products.create({ name: 'x' }, options)).resolves.toMatchObject({ name: 'x' })
})
test('[errors] a 500 may have been done: the key finds it', async () => {
  at.simulator.knobs.failAfterCommit = 1
  const make = () => at.stripe.customers.create({ name: 'x' }, { idempotencyKey: 'k' })
  await expect(make()).rejects.toMatchObject({ type: 'StripeAPIError', statusCode: 500 })
  const before = at.simulator.account.customers.size
  await make()
  expect(at.simulator.account.customers.size).toBe(before)
})
test('[sdk] a closed connection is tried again once without retries, under the same key', async () => {
  at.simulator.knobs.closeAfterCommit = 1
  const [before, calls] = [at.simulator.account.customers.size, at.simulator.calls()]
  await at.stripe.customers.create({ name: 'x' }, { idempotencyKey: 'k' })
  expect(at.simulator.calls() - calls).toBe(2)
  expect(at.simulator.account.customers.size - before).toBe(1)
})
test('[sdk] a connection that closes twice is a connection error', async () => {
  at.simulator.knobs.closeBefore = 2
  await expect(at.stripe.customers.list()).rejects.toMatchObject({ type: 'StripeConnectionError' })
})
test('[pages] a list has ten, newest first, and goes on after the last', async () => {
  for (let made = 0; made < 24; made++) await at.stripe.customers.create({ name: String(made) })
  const first = await at.stripe.customers.list()
  expect(first.data.map((one) => one.name)).toEqual(Array.from({ length: 10 }, (_, place) => String(23 - place)))
  expect(first.has_more).toBe(true)
  const all = await at.stripe.customers.list({ limit: 7 }).autoPagingToArray({ limit: 100 })
  expect(all).toHaveLength(25)
})
test('[pages] a page has at most a hundred', async () => {
  await expect(at.stripe.customers.list({ limit: 101 })).rejects.toThrow('between 1 and 100')
})
