import { Hono } from 'hono'
import { newestFirst, type Account } from './account.ts'
import {
  createCustomer,
  createPrice,
  createProduct,
  deleteCustomer,
  listPrices,
  showCustomer,
  updateCustomer,
} from './catalog.ts'
import {
  addLines,
  cancelSubscription,
  createInvoice,
  createItem,
  createSubscription,
  deleteDraft,
  finalizeInvoice,
  listInvoices,
  listLines,
  markUncollectible,
  showInvoice,
  showSubscription,
  voidInvoice,
} from './invoices.ts'
import type { Knobs } from './knobs.ts'
import { adjustEvent, createMeter, listMeters, setMeterStatus, summarize, takeEvent } from './meters.ts'
import { createCreditNote, listCreditNotes } from './credit-notes.ts'
import { pageOf } from './pages.ts'
import type { Params } from './params.ts'
import { createRefund, listPayments, listRefunds, payInvoice, showCharge } from './payments.ts'
import { Problem } from './problem.ts'
import { createEndpoint, showEndpoint, showThinEvent, type Emit } from './webhooks.ts'

type Handler = (id: string, params: Params) => object

/** Every operation that is simulated, one line each. */
export function routesOf({ account, knobs, emit }: { account: Account; knobs: Knobs; emit: Emit }) {
  const app = new Hono<{ Bindings: { params: Params } }>()
  const get = (path: string, handle: Handler) =>
    app.get(path, (c) => c.json(handle(c.req.param('id') ?? '', c.env.params)))
  const post = (path: string, handle: Handler) =>
    app.post(path, (c) => c.json(handle(c.req.param('id') ?? '', c.env.params)))

  post('/v1/customers', (_, params) => createCustomer(account, params))
  post('/v1/customers/:id', (id, params) => updateCustomer(account, id, params))
  get('/v1/customers', (_, params) => pageOf('/v1/customers', newestFirst(account.customers), params))
  get('/v1/customers/:id', (id) => showCustomer(account, id))
  app.delete('/v1/customers/:id', (c) => c.json(deleteCustomer(account, c.req.param('id'), emit)))
  post('/v1/products', (_, params) => createProduct(account, params))
  get('/v1/products', (_, params) => pageOf('/v1/products', newestFirst(account.products), params))
  get('/v1/products/:id', (id) => account.require(account.products, 'product', id))
  post('/v1/prices', (_, params) => createPrice(account, params))
  get('/v1/prices', (_, params) => listPrices(account, params))
  get('/v1/prices/:id', (id) => account.require(account.prices, 'price', id))

  post('/v1/billing/meters', (_, params) => createMeter(account, params))
  get('/v1/billing/meters', (_, params) => listMeters(account, params))
  get('/v1/billing/meters/:id', (id) => account.require(account.meters, 'billing meter', id))
  post('/v1/billing/meters/:id/deactivate', (id) => setMeterStatus(account, id, 'inactive'))
  post('/v1/billing/meters/:id/reactivate', (id) => setMeterStatus(account, id, 'active'))
  get('/v1/billing/meters/:id/event_summaries', (id, params) => summarize(account, id, params))
  post('/v1/billing/meter_events', (_, params) => takeEvent(account, params, { knobs, emit }))
  post('/v1/billing/meter_event_adjustments', (_, params) => adjustEvent(account, params))
  post('/v2/billing/meter_events', (_, params) => {
    const taken = takeEvent(account, withSeconds(params), { knobs, emit })
    return { ...taken, object: 'v2.billing.meter_event', created: new Date(account.now * 1000).toISOString() }
  })

  post('/v1/subscriptions', (_, params) => createSubscription(account, params))
  get('/v1/subscriptions/:id', (id) =>
    showSubscription(account, account.require(account.subscriptions, 'subscription', id)),
  )
  app.delete('/v1/subscriptions/:id', (c) => c.json(cancelSubscription(account, c.req.param('id'))))
  post('/v1/invoiceitems', (_, params) => createItem(account, params))
  post('/v1/invoices', (_, params) => createInvoice(account, params, emit))
  get('/v1/invoices', (_, params) => listInvoices(account, params))
  get('/v1/invoices/:id', (id) => showInvoice(account.require(account.invoices, 'invoice', id)))
  app.delete('/v1/invoices/:id', (c) => c.json(deleteDraft(account, c.req.param('id'))))
  get('/v1/invoices/:id/lines', (id, params) => listLines(account, id, params))
  post('/v1/invoices/:id/add_lines', (id, params) => addLines(account, id, params))
  post('/v1/invoices/:id/finalize', (id) => finalizeInvoice(account, id, emit))
  post('/v1/invoices/:id/void', (id) => voidInvoice(account, id, emit))
  post('/v1/invoices/:id/mark_uncollectible', (id) => markUncollectible(account, id, emit))
  post('/v1/invoices/:id/pay', (id, params) => payInvoice(account, id, params, { knobs, emit }))
  get('/v1/invoice_payments', (_, params) => listPayments(account, params))
  get('/v1/charges/:id', (id) => showCharge(account, id))
  post('/v1/refunds', (_, params) => createRefund(account, params, emit))
  get('/v1/refunds', (_, params) => listRefunds(account, params))
  get('/v1/refunds/:id', (id) => account.require(account.refunds, 'refund', id))
  post('/v1/credit_notes', (_, params) => createCreditNote(account, params, emit))
  get('/v1/credit_notes', (_, params) => listCreditNotes(account, params))
  get('/v1/credit_notes/:id', (id) => account.require(account.creditNotes, 'credit note', id))

  post('/v1/webhook_endpoints', (_, params) => createEndpoint(account, params))
  get('/v1/webhook_endpoints/:id', (id) => showEndpoint(account.require(account.endpoints, 'webhook endpoint', id)))
  get('/v1/events/:id', (id) => account.require(account.events, 'event', id))
  get('/v2/core/events/:id', (id) => showThinEvent(account.require(account.events, 'event', id)))

  app.onError((error) => {
    throw error
  })
  app.notFound((c) => {
    throw new Problem(`Unrecognized request URL (${c.req.method}: ${c.req.path}).`, {
      status: 404,
      type: 'invalid_request_error',
    })
  })
  return async (request: Request, params: Params): Promise<unknown> => {
    const { pathname } = new URL(request.url)
    const response = await app.request(pathname, { method: request.method }, { params })
    return response.json()
  }
}

/** v2 writes instants as text. */
function withSeconds(params: Params): Params {
  const { timestamp } = params
  return typeof timestamp === 'string'
    ? { ...params, timestamp: String(Math.floor(Date.parse(timestamp) / 1000)) }
    : params
}
