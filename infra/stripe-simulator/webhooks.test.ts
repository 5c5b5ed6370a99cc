import { createServer } from 'node:http'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { day, june, openSimulated, type Simulated } from './sdk-client.ts'
import { sign } from './simulator.ts'

// Sources: [hooks] docs.stripe.com/webhooks · [order] …/webhooks#event-ordering · [thin] …/event-destinations#thin-events ·
// [sdk] stripe-node 23.1.0, as it behaves

interface Received {
  readonly body: string
  readonly signature: string
}

let at: Simulated
let received: Received[]
let status: number
let secret: string
let stopListener: () => Promise<void>
beforeEach(async () => {
  at = await openSimulated()
  received = []
  status = 200
  const server = createServer((incoming, outgoing) => {
    const pieces: Buffer[] = []
    incoming.on('data', (piece: Buffer) => pieces.push(piece))
    incoming.on('end', () => {
      received.push({ body: Buffer.concat(pieces).toString(), signature: String(incoming.headers['stripe-signature']) })
      outgoing.writeHead(status).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const endpoint = await at.stripe.webhookEndpoints.create({ url: `http://127.0.0.1:${port}/`, enabled_events: ['*'] })
  secret = endpoint.secret ?? ''
  stopListener = () =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
})
afterEach(async () => {
  await stopListener()
  await at.simulator.stop()
})

const makeInvoice = () => at.stripe.invoices.create({ customer: at.customer })
const types = () => received.map(({ body }) => (JSON.parse(body) as { type: string }).type)

test('[hooks] a delivery is signed so that the SDK accepts it', async () => {
  await makeInvoice()
  expect(await at.simulator.webhooks.flush()).toEqual([200])
  const [one] = received
  const event = await at.stripe.webhooks.constructEventAsync(
    one?.body ?? '',
    one?.signature ?? '',
    secret,
    300,
    undefined,
    june * 1000,
  )
  expect(event).toMatchObject({ object: 'event', type: 'invoice.created' })
})
test('[hooks] one changed byte is not accepted', async () => {
  await makeInvoice()
  await at.simulator.webhooks.flush()
  const [one] = received
  const forged = at.stripe.webhooks.constructEventAsync(
    `${one?.body} `,
    one?.signature ?? '',
    secret,
    300,
    undefined,
    june * 1000,
  )
  await expect(forged).rejects.toMatchObject({ type: 'StripeSignatureVerificationError' })
})
test('[hooks] after 300 seconds a signature is too old', async () => {
  const judge = (age: number) =>
    at.stripe.webhooks.constructEventAsync('{}', sign('{}', secret, june), secret, 300, undefined, (june + age) * 1000)
  await expect(judge(300)).resolves.toBeDefined()
  await expect(judge(301)).rejects.toThrow('tolerance')
})
test('[sdk] a signature of the far future is accepted by the SDK', async () => {
  const future = sign('{}', secret, june + day)
  const judged = at.stripe.webhooks.constructEventAsync('{}', future, secret, 300, undefined, june * 1000)
  await expect(judged).resolves.toBeDefined()
})
test('[hooks] an endpoint shows its secret once', async () => {
  const [id] = [...at.simulator.account.endpoints.keys()]
  expect(await at.stripe.webhookEndpoints.retrieve(id ?? '')).not.toHaveProperty('secret')
})
test('[hooks] what is not answered with 2xx comes again, for three days', async () => {
  await makeInvoice()
  status = 500
  await at.simulator.webhooks.flush()
  at.simulator.advance(3 * day - 1)
  await at.simulator.webhooks.flush()
  expect(at.simulator.webhooks.waiting).toBe(1)
  at.simulator.advance(1)
  await at.simulator.webhooks.flush()
  expect([at.simulator.webhooks.waiting, received.length]).toEqual([0, 3])
})
test('[hooks] an event may be delivered more than once, under the same id', async () => {
  at.simulator.knobs.duplicateDeliveries = 1
  await makeInvoice()
  await at.simulator.webhooks.flush()
  const ids = received.map(({ body }) => (JSON.parse(body) as { id: string }).id)
  expect([ids.length, new Set(ids).size]).toEqual([2, 1])
})
test('[order] events may come in another order', async () => {
  at.simulator.knobs.reorderDeliveries = true
  const { id } = await makeInvoice()
  await at.stripe.invoices.finalizeInvoice(id)
  await at.simulator.webhooks.flush()
  expect(types()).toEqual(['invoice.paid', 'invoice.finalized', 'invoice.created'])
})
test('[order] an event shows its object as it was; the object is fetched anew', async () => {
  const { id } = await makeInvoice()
  await at.stripe.invoices.finalizeInvoice(id)
  await at.simulator.webhooks.flush()
  const { data } = JSON.parse(received[0]?.body ?? '{}') as { data: { object: { status: string } } }
  expect(data.object.status).toBe('draft')
  expect(await at.stripe.invoices.retrieve(id)).toMatchObject({ status: 'paid' })
})
test('[thin] usage of a customer that is not known is told of by a thin event, whose data is fetched', async () => {
  await at.use(1, { customer: 'cus_none', identifier: 'lost' })
  await at.simulator.webhooks.flush()
  const [one] = received
  const thin = at.stripe.parseEventNotification(
    one?.body ?? '',
    one?.signature ?? '',
    secret,
    300,
    undefined,
    june * 1000,
  )
  expect(thin).toMatchObject({ type: 'v1.billing.meter.error_report_triggered', related_object: { id: at.meter } })
  expect(thin).not.toHaveProperty('data')
  const whole = await at.stripe.v2.core.events.retrieve(thin.id)
  expect(JSON.stringify(whole)).toContain('"identifier":"lost"')
})
