import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { Failure, requestName, type Result, type Uuid } from '../kernel/index.ts'
import { windowSeconds } from '../identity/index.ts'
import type { Sensitive } from '../privacy/index.ts'
import type { Posted } from './authenticate-request.ts'
import { describeOauth } from './describe.ts'
import { serverMetadata, smartConfiguration } from './discovery.ts'
import { grantToken } from './grant-token.ts'
import { introspectToken } from './introspect-token.ts'
import { serviceOf, type OauthNeeds, type Service } from './oauth.ts'
import { formBytesMax, isForm, readForm } from './read-form.ts'
import { toWire, type OauthRefusal } from './refusal.ts'
import { takeBackToken } from './take-back-token.ts'

/** How a request's bytes come in; the gateway's transport is one. */
export interface FormTransport {
  header(c: Context, name: string): string | undefined
  body(c: Context, bytesMax: number): Promise<Result<Sensitive<string>, unknown>>
  certificate(c: Context): string | undefined
  address(c: Context): string | undefined
}

type Answering = (
  needs: OauthNeeds,
  service: Service,
  posted: Posted,
) => Promise<Result<object | undefined, OauthRefusal>>

/** The token service beside the data plane. */
export function oauthRoutes(app: OpenAPIHono, needs: OauthNeeds, transport: FormTransport): void {
  const posts = (path: string, answer: Answering) =>
    app.post(path, (c) => answerPost(needs, transport, c, { path, answer }))
  const documents = (path: string, of: (service: Service) => object) =>
    app.get(path, (c) => {
      const service = serviceOf(needs)
      return service === undefined
        ? c.notFound()
        : c.json(of(service), 200, { 'cache-control': 'public, max-age=300', 'access-control-allow-origin': '*' })
    })
  posts('/oauth/token', grantToken)
  posts('/oauth/introspect', introspectToken)
  posts('/oauth/revoke', takeBackToken)
  documents('/.well-known/smart-configuration', smartConfiguration)
  documents('/.well-known/oauth-authorization-server', serverMetadata)
  describeOauth(app)
}

async function answerPost(
  needs: OauthNeeds,
  transport: FormTransport,
  c: Context,
  { path, answer }: { path: string; answer: Answering },
): Promise<Response> {
  const service = serviceOf(needs)
  if (service === undefined) return c.notFound()
  const requestId = needs.newRequestId()
  const outcome = await orBroken(needs, requestId, async () => {
    const posted = await readPosted(needs, transport, c, path)
    return posted.ok ? answer(needs, service, posted.value) : posted
  })
  const headers = { 'x-request-id': requestName(requestId), 'cache-control': 'no-store', pragma: 'no-cache' }
  if (outcome.ok) return outcome.value === undefined ? c.body(null, 200, headers) : c.json(outcome.value, 200, headers)
  return refused(needs, c, { path, requestId, headers }, outcome.error)
}

/** What was refused is told in few words to the client, and in all of them to the log. */
function refused(
  needs: OauthNeeds,
  c: Context,
  { path, requestId, headers }: { path: string; requestId: Uuid; headers: Record<string, string> },
  refusal: OauthRefusal,
): Response {
  const { status, error, description } = toWire(refusal)
  const because = 'because' in refusal ? refusal.because : undefined
  const reasons = because === undefined ? [refusal.reason] : typeof because === 'string' ? [because] : because
  needs.log.info('oauth.refused', { request: requestName(requestId), path, error, reasons: [...reasons] })
  return new Response(JSON.stringify({ error, error_description: description }), {
    status,
    headers: {
      ...headers,
      'content-type': 'application/json',
      ...(status === 503 ? { 'retry-after': '2' } : {}),
      ...(status === 429 ? { 'retry-after': String(windowSeconds) } : {}),
      ...(refusal.reason === 'bearer_refused'
        ? { 'www-authenticate': 'Bearer realm="formulary", error="invalid_token"' }
        : {}),
    },
  })
}

async function readPosted(
  needs: OauthNeeds,
  transport: FormTransport,
  c: Context,
  path: string,
): Promise<Result<Posted, OauthRefusal>> {
  const refuse = (reason: 'not_a_form' | 'body_refused' | 'in_the_query') => ({ ok: false, error: { reason } }) as const
  if (c.req.url.includes('?')) return refuse('in_the_query')
  if (!isForm(transport.header(c, 'content-type'))) return refuse('not_a_form')
  const body = await transport.body(c, formBytesMax)
  if (!body.ok) return refuse('body_refused')
  const form = readForm(body.value.reveal())
  if (!form.ok) return form
  const authorization = transport.header(c, 'authorization')
  const proof = transport.header(c, 'dpop')
  const certificate = transport.certificate(c)
  const address = transport.address(c)
  const shown = { authorization, proof, certificate, address }
  return { ok: true, value: { form: form.value, ...shown, path, now: needs.clock.now() } }
}

/** A broken dependency is 503, never a no; a bug is 500. */
async function orBroken<T>(
  needs: OauthNeeds,
  requestId: Uuid,
  work: () => Promise<Result<T, OauthRefusal>>,
): Promise<Result<T, OauthRefusal>> {
  try {
    return await work()
  } catch (error) {
    const request = requestName(requestId)
    if (error instanceof Failure) {
      needs.log.warn('oauth.failed', { request, dependency: error.dependency, why: error.message })
      return { ok: false, error: { reason: 'unavailable' } }
    }
    needs.log.error('oauth.bug', { request }, error)
    return { ok: false, error: { reason: 'bug' } }
  }
}
