import { expect, test } from 'vitest'
import { sign } from '../../../infra/stripe-simulator/simulator.ts'
import { instant } from '../../kernel/index.ts'
import { openStripeClient } from './open-stripe.ts'
import { readEvent } from './read-event.ts'

const stripe = openStripeClient({ secretKey: 'sk_test_simulated' })
const secret = 'whsec_test'
const at = 1_780_272_000
const body = JSON.stringify({
  id: 'evt_1',
  object: 'event',
  type: 'invoice.paid',
  data: { object: { id: 'in_1', object: 'invoice' } },
})
const read = (of: { signedAt?: number; body?: string; secret?: string; signedWith?: string }) =>
  readEvent(stripe, {
    body: of.body ?? body,
    signature: sign(body, of.signedWith ?? secret, of.signedAt ?? at),
    secrets: [of.secret ?? secret],
    now: instant(at * 1000),
  })

test('what Stripe signed is read', async () => {
  expect(await read({})).toEqual({ ok: true, value: { id: 'evt_1', type: 'invoice.paid', objectId: 'in_1' } })
})
test.each([-300, 300])('a signature %i seconds away is in time', async (seconds) => {
  expect(await read({ signedAt: at + seconds })).toMatchObject({ ok: true })
})
test.each([-301, 301, 86_400])('a signature %i seconds away is out of time', async (seconds) => {
  expect(await read({ signedAt: at + seconds })).toEqual({ ok: false, error: { reason: 'signature_out_of_time' } })
})
test('changed bytes, another secret and an empty secret are refused', async () => {
  const refused = { ok: false, error: { reason: 'signature_invalid' } }
  expect(await read({ body: `${body} ` })).toEqual(refused)
  expect(await read({ signedWith: 'whsec_other' })).toEqual(refused)
  expect(await read({ secret: '', signedWith: 'x' })).toEqual(refused)
})
test('a thin event is read as well, and one of several secrets is enough', async () => {
  const thin = JSON.stringify({
    id: 'evt_2',
    object: 'v2.core.event',
    type: 'v1.billing.meter.error_report_triggered',
    related_object: { id: 'mtr_1', type: 'billing.meter', url: '/v1/billing/meters/mtr_1' },
  })
  const delivery = { body: thin, signature: sign(thin, secret, at), now: instant(at * 1000) }
  expect(await readEvent(stripe, { ...delivery, secrets: ['whsec_old', secret] })).toEqual({
    ok: true,
    value: { id: 'evt_2', type: 'v1.billing.meter.error_report_triggered', objectId: 'mtr_1' },
  })
  expect(await readEvent(stripe, { ...delivery, secrets: [] })).toMatchObject({ ok: false })
})
