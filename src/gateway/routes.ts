import { OpenAPIHono } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { Result } from '../kernel/index.ts'
import type { WrittenInvoice } from '../billing/index.ts'
import type { Operation } from '../identity/index.ts'
import { commonHeaders, refuse, type Answer } from './answer.ts'
import { callModel } from './call.ts'
import { orBroken } from './or-broken.ts'
import { describeDataPlane, openApiInfo } from './describe.ts'
import { docsPage } from './docs-page.ts'
import type { Asking, Gateway } from './gateway.ts'
import { showModel, listModels } from './list-models.ts'
import { readChat, readEmbeddings, readInfer, type ModelRequest, type RequestRefusal } from './read-request.ts'
import { askingOf } from './read-headers.ts'
import type { Refusal } from './refusal.ts'
import { publishedKeys, showLicenseDocument, showRevocations, type SignedDocument } from './show-document.ts'
import { formAccepted, listOwnInvoices, showInvoice } from './show-invoices.ts'
import { showLicense } from './show-license.ts'
import { showPredictor } from './show-predictor.ts'
import { showUsage } from './show-usage.ts'
import { takeEvent } from './take-event.ts'
import type { Transport } from './transport.ts'
import { CallerLeft } from '../routing/index.ts'

/** The data plane: each route one line, the way to the gates below. */
export function gatewayRoutes(gateway: Gateway, transport: Transport): OpenAPIHono {
  const app = new OpenAPIHono()
  const calls = (operation: Operation, parse: (body: string) => Result<ModelRequest, RequestRefusal>, c: Context) =>
    answerCall(gateway, transport, { operation, parse }, c)
  const reads = (c: Context, read: (asking: Asking) => Promise<Result<object, readonly Refusal[]>>) =>
    answerRead(gateway, transport, c, { read, render: asJson })
  const downloads = (c: Context, read: (asking: Asking) => Promise<Result<SignedDocument, readonly Refusal[]>>) =>
    answerRead(gateway, transport, c, { read, render: asDownload })

  app.post('/v1/chat/completions', (c) => calls('chat', readChat, c))
  app.post('/v1/embeddings', (c) => calls('embeddings', readEmbeddings, c))
  app.post('/v2/models/:model/infer', (c) => calls('infer', readInfer(c.req.param('model')), c))
  app.post('/v2/models/:model/versions/:version/infer', (c) =>
    calls('infer', readInfer(`${c.req.param('model')}@${c.req.param('version')}`), c),
  )

  app.get('/v1/models', (c) =>
    reads(c, async (asking) => {
      const listed = await listModels(gateway, asking)
      return listed.ok ? { ok: true, value: { object: 'list', data: listed.value } } : listed
    }),
  )
  app.get('/v1/models/:model', (c) => reads(c, (asking) => showModel(gateway, asking, c.req.param('model'))))
  app.get('/v1/license', (c) => reads(c, (asking) => showLicense(gateway, asking)))
  app.get('/v1/license/document', (c) => downloads(c, (asking) => showLicenseDocument(gateway, asking)))
  app.get('/v1/license/revocations', (c) => downloads(c, (asking) => showRevocations(gateway, asking)))
  app.get('/.well-known/jwks.json', async (c) =>
    c.json(await publishedKeys(gateway), 200, { 'cache-control': 'public, max-age=3600' }),
  )
  app.get('/v1/invoices', (c) => {
    const [limit, after] = [c.req.query('limit'), c.req.query('after')]
    return reads(c, (asking) => listOwnInvoices(gateway, asking, { limit, after }))
  })
  app.get('/v1/invoices/:number', (c) =>
    answerRead(gateway, transport, c, {
      read: (asking) => showInvoice(gateway, asking, { number: c.req.param('number'), form: formAccepted(c) }),
      render: ({ headers, text }: WrittenInvoice) => ({ headers, body: text }),
    }),
  )
  app.get('/v1/usage', (c) => {
    const [from, to, limit, after] = ['from', 'to', 'limit', 'after'].map((name) => c.req.query(name))
    return reads(c, (asking) => showUsage(gateway, asking, { from, to, limit, after }))
  })
  for (const path of ['/v2/models/:model', '/v2/models/:model/versions/:version'] as const) {
    const nameOf = (c: Context) => {
      const version = c.req.param('version')
      return version === undefined ? (c.req.param('model') ?? '') : `${c.req.param('model')}@${version}`
    }
    app.get(path, (c) => reads(c, (asking) => showPredictor(gateway, asking, nameOf(c), 'metadata')))
    app.get(`${path}/ready`, (c) => reads(c, (asking) => showPredictor(gateway, asking, nameOf(c), 'ready')))
  }

  app.post('/webhooks/stripe', (c) => {
    const { stripe } = gateway
    if (stripe === undefined) return c.notFound()
    return answerRead(gateway, transport, c, {
      read: () =>
        takeEvent(gateway, stripe, {
          signature: transport.header(c, 'stripe-signature'),
          body: (bytesMax) => transport.body(c, bytesMax),
        }),
      render: asJson,
    })
  })

  app.get('/healthz', (c) => c.json({ status: 'alive' }))
  app.get('/readyz', (c) => {
    const why = whyNotReady(gateway)
    return why === undefined ? c.json({ status: 'ready' }) : c.json({ status: why }, 503, { 'retry-after': '2' })
  })
  app.doc31('/openapi.json', openApiInfo)
  app.get('/docs', (c) => c.html(docsPage(app.getOpenAPI31Document(openApiInfo))))
  describeDataPlane(app)

  const lastResort = (c: Context, refusal: Refusal) =>
    transport.send(c, refuse(gateway.newRequestId(), [refusal]), new CallerLeft())
  app.notFound((c) => lastResort(c, { reason: 'not_found' }))
  app.onError((error, c) => {
    gateway.log.error('edge.bug', { path: c.req.routePath }, error)
    return lastResort(c, { reason: 'bug' })
  })
  return app
}

async function answerCall(
  gateway: Gateway,
  transport: Transport,
  how: { operation: Operation; parse(body: string): Result<ModelRequest, RequestRefusal> },
  c: Context,
): Promise<Response> {
  const left = transport.callerLeft(c)
  const answer = await callModel(gateway, {
    ...askingOf(gateway, transport, c),
    ...how,
    left,
    body: () => transport.body(c, gateway.bodyBytesMax),
  })
  return transport.send(c, answer, left)
}

/** What is read for a caller, and how it is shown. */
interface Reading<Read> {
  readonly read: (asking: Asking) => Promise<Result<Read, readonly Refusal[]>>
  readonly render: (read: Read) => { readonly headers: Readonly<Record<string, string>>; readonly body: string }
}

const asJson = (read: object) => ({ headers: { 'content-type': 'application/json' }, body: JSON.stringify(read) })

/** RFC 7519, section 10.3.1. */
const asDownload = ({ fileName, text }: SignedDocument) => ({
  headers: { 'content-type': 'application/jwt', 'content-disposition': `attachment; filename="${fileName}"` },
  body: text,
})

async function answerRead<Read>(
  gateway: Gateway,
  transport: Transport,
  c: Context,
  reading: Reading<Read>,
): Promise<Response> {
  const asking = askingOf(gateway, transport, c)
  return transport.send(c, await readAnswer(gateway, asking, reading), new CallerLeft())
}

async function readAnswer<Read>(gateway: Gateway, asking: Asking, { read, render }: Reading<Read>): Promise<Answer> {
  const outcome = await orBroken(gateway, asking, () => read(asking))
  if (!outcome.ok) return refuse(asking.requestId, outcome.error)
  const { headers, body } = render(outcome.value)
  return { status: 200, headers: { ...commonHeaders(asking.requestId), ...headers }, body }
}

/** Ready means that a call could be admitted: declarations are known, leases are ours, and we are staying. */
function whyNotReady(gateway: Gateway): string | undefined {
  if (gateway.isStopping()) return 'stopping'
  if (!gateway.directory.isLoaded) return 'declarations not loaded'
  if (!gateway.directory.hasPolicies) return 'no policies declared: run formulary tenants apply'
  return gateway.lender.isFresh ? undefined : 'leases not renewed'
}
