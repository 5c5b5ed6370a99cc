import { createServer, type Server } from 'node:http'
import { getRequestListener, type HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { Account } from './account.ts'
import { Idempotency, type Answer } from './idempotency.ts'
import { defaultKnobs, takeFault, type Knobs } from './knobs.ts'
import { passTime } from './invoices.ts'
import { readForm, type Params } from './params.ts'
import { Problem } from './problem.ts'
import { routesOf } from './routes.ts'
import { Webhooks } from './webhooks.ts'

export type { Knobs } from './knobs.ts'
export { sign } from './webhooks.ts'

export interface StripeSimulator {
  readonly account: Account
  readonly webhooks: Webhooks
  readonly knobs: Knobs
  /** Calls that arrived, refused or not. */
  readonly calls: () => number
  /** Moves time forward; periods end and drafts become final on the way. */
  advance(seconds: number): void
  /** Answers a call without a socket, for the SDK's fetch client. @throws TypeError where a connection would be closed. */
  fetch(request: Request): Promise<Response>
}

/** The service itself, without a socket. The same calls at the same times get the same answers. */
export function openStripeSimulator(options: {
  readonly now: number
  readonly knobs?: Partial<Knobs>
}): StripeSimulator {
  const account = new Account(options.now)
  const knobs: Knobs = { ...defaultKnobs, ...options.knobs }
  const webhooks = new Webhooks(account, knobs)
  const kept = new Idempotency()
  const routes = routesOf({ account, knobs, emit: webhooks.emit })
  let calls = 0

  async function answer(request: Request): Promise<Answer | 'closed'> {
    calls++
    if (takeFault(knobs, 'closeBefore')) return 'closed'
    if (takeFault(knobs, 'foreign404')) return { status: 404, body: '{"message":"Not Found"}' }
    const body = await request.text()
    try {
      if (!/^Bearer sk_./u.test(request.headers.get('authorization') ?? ''))
        throw new Problem('Invalid API Key provided', { status: 401, type: 'invalid_request_error' })
      if (takeFault(knobs, 'tooMany'))
        throw new Problem('Request rate limit exceeded.', { status: 429, type: 'rate_limit_error', code: 'rate_limit' })
      const key = request.method === 'POST' ? request.headers.get('idempotency-key') : null
      const fingerprint = `${request.method} ${new URL(request.url).pathname}\n${body}`
      const before = key === null ? undefined : kept.find(key, fingerprint, account.now)
      if (before !== undefined) return before
      const done: Answer = { status: 200, body: JSON.stringify(await routes(request, readParams(request, body))) }
      if (key !== null) kept.keep(key, fingerprint, { answer: done, now: account.now })
      if (request.method === 'POST' && takeFault(knobs, 'closeAfterCommit')) return 'closed'
      if (request.method === 'POST' && takeFault(knobs, 'failAfterCommit'))
        throw new Problem('An unknown error occurred', { status: 500, type: 'api_error' })
      return done
    } catch (error) {
      if (error instanceof Problem) return refused(error)
      throw error
    }
  }

  return {
    account,
    webhooks,
    knobs,
    calls: () => calls,
    advance(seconds) {
      account.now += seconds
      passTime(account, webhooks.emit)
    },
    async fetch(request) {
      const answered = await answer(request)
      if (answered === 'closed') throw new TypeError('the connection was closed')
      const headers = { 'content-type': 'application/json', 'request-id': `req_${calls}` }
      return new Response(answered.body, { status: answered.status, headers })
    },
  }
}

/** The simulator on a socket. Give its host and port to the SDK. */
export async function startStripeSimulator(options: {
  readonly now: number
  readonly knobs?: Partial<Knobs>
  readonly port?: number
}): Promise<StripeSimulator & { readonly host: string; readonly port: number; stop(): Promise<void> }> {
  const simulator = openStripeSimulator(options)
  const listener = getRequestListener(
    async (request, env) =>
      simulator.fetch(request).catch((error: unknown) => {
        if (!(error instanceof TypeError)) throw error
        ;(env as HttpBindings).incoming.socket.destroy()
        return RESPONSE_ALREADY_SENT
      }),
    { overrideGlobalObjects: false },
  )
  const server = createServer((incoming, outgoing) => void listener(incoming, outgoing))
  const port = await listen(server, options.port ?? 0)
  return {
    ...simulator,
    host: '127.0.0.1',
    port,
    async stop() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

function readParams(request: Request, body: string): Params {
  if (request.method === 'GET') return readForm(new URL(request.url).search)
  const isJson = (request.headers.get('content-type') ?? '').startsWith('application/json')
  return isJson ? (JSON.parse(body === '' ? '{}' : body) as Params) : readForm(body)
}

function refused(problem: Problem): Answer {
  const { status, ...facts } = problem.facts
  return { status, body: JSON.stringify({ error: { ...facts, message: problem.message } }) }
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      if (address === null || typeof address === 'string') return reject(new TypeError('not a TCP address'))
      resolve(address.port)
    })
  })
}
