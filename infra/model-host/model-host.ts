import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { decoded, modelInPath, serveMetadata, serveModels } from './catalog.ts'
import { serveControl } from './control.ts'
import { statsOf, type HostState, type HostStats, type ReceivedRequest } from './host-state.ts'
import { sendJson } from './http-answers.ts'
import { defaultKnobs, openKnobBoard, turnKnobs, type Knobs } from './knobs.ts'
import { serveModelCall } from './model-calls.ts'
import { readTarget } from './served-call.ts'
import { openUsageLog, type HostUsageRow } from './usage-log.ts'

export type { HostStats, ReceivedRequest } from './host-state.ts'
export type { Knobs, ScriptWrite } from './knobs.ts'
export type { HostUsageRow } from './usage-log.ts'

export type ModelHostOptions = {
  /** 127.0.0.1 unless told otherwise: the pages under `/_…` ask for no credential. */
  host?: string
  /** 0, the default, is any free port. */
  port?: number
  /** What the host starts with, and what a reset returns to. */
  knobs?: Partial<Knobs>
  /** A file that gets each usage row as a line of JSON. */
  usageLog?: string
  /** How many rows stay in memory. */
  usageRowsMax?: number
  /** The clock of the usage rows; pauses are the machine's own. */
  now?: () => number
}

export type ModelHost = {
  /** Without a path: `http://127.0.0.1:54321`. OpenAI's is at `/v1`, Open Inference at `/v2`. */
  url: string
  setKnobs(patch: Partial<Knobs>): void
  resetKnobs(): void
  knobs(): Knobs
  /** The rows still in memory, oldest first. */
  usage(): readonly HostUsageRow[]
  clearUsage(): void
  stats(): HostStats
  /** The last model call as it arrived. */
  last(): ReceivedRequest | null
  /** The `x-request-id` of each call in flight. */
  open(): (string | null)[]
  /** Breaks off what is in flight, closes every connection, and writes the usage log out. */
  stop(): Promise<void>
}

/** Starts a stand-in model host. It speaks real HTTP, so that what is tested against it holds for a real one. */
export async function startModelHost(options: ModelHostOptions = {}): Promise<ModelHost> {
  const initial = turnKnobs(defaultKnobs, options.knobs ?? {})
  if (!initial.ok) throw new TypeError(initial.message)
  const state: HostState = {
    knobs: openKnobBoard(initial.knobs),
    log: openUsageLog({ rowsMax: options.usageRowsMax ?? 1_000_000, path: options.usageLog ?? null }),
    open: new Set(),
    counts: { opened: 0, served: 0, clientLeft: 0, bytes: 0 },
    last: null,
    now: options.now ?? Date.now,
  }

  // A minute of keep-alive: a host that closes idle connections sooner races with the pool of whoever calls it.
  const server = createServer({ noDelay: true, keepAliveTimeout: 65_000 }, (request, response) => {
    serveRequest(state, request, response).catch((error: unknown) => reportBug(error, response))
  })
  server.on('connection', (socket) => {
    if (state.knobs.refusesConnection()) socket.destroy()
  })
  const url = await listen(server, options.host ?? '127.0.0.1', options.port ?? 0)

  return {
    url,
    setKnobs(patch) {
      const turned = state.knobs.turn(patch)
      if (!turned.ok) throw new TypeError(turned.message)
    },
    resetKnobs: () => state.knobs.reset(),
    knobs: () => state.knobs.current(),
    usage: () => state.log.page(0, Number.MAX_SAFE_INTEGER).rows,
    clearUsage: () => state.log.clear(),
    stats: () => statsOf(state),
    last: () => state.last,
    open: () => [...state.open].map((call) => call.requestId),
    async stop() {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
      for (const call of state.open) call.cut('cut')
      server.closeAllConnections()
      await closed
      state.log.close()
    },
  }
}

async function serveRequest(state: HostState, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { path: target } = readTarget(request.url)
  if (target.startsWith('/_')) return serveControl(state, request, response, new URL(target, 'http://host'))
  // A connection that was kept alive since before the knob was turned is refused here, at its next request.
  if (state.knobs.current().refuseConnections === true) return void request.socket.destroy()

  if (request.method === 'POST') {
    if (target === '/v1/chat/completions') return serveModelCall(state, request, response, 'chat')
    if (target === '/v1/embeddings') return serveModelCall(state, request, response, 'embeddings')
  }
  const { pathname } = new URL(target, 'http://host')
  if (request.method === 'POST') {
    const named = modelInPath(pathname)
    if (named?.verb === 'infer') return serveModelCall(state, request, response, 'infer', named)
    if (pathname === '/v1/chat/completions') return serveModelCall(state, request, response, 'chat')
    if (pathname === '/v1/embeddings') return serveModelCall(state, request, response, 'embeddings')
  }
  if (request.method === 'GET') {
    const model = /^\/v1\/models(?:\/(.+))?$/u.exec(pathname)
    if (model !== null) return serveModels(response, model[1] === undefined ? null : decoded(model[1]))
    if (serveMetadata(response, pathname, state.knobs.current().ready)) return
  }
  sendJson(response, 404, { error: { message: `no route ${request.method} ${pathname}`, type: 'not_found_error' } })
}

/** A bug of the stand-in: named on stderr, where no content goes, and plain to see for whoever called. */
function reportBug(error: unknown, response: ServerResponse): void {
  process.stderr.write(`model host bug: ${error instanceof Error ? error.stack : 'not an error'}\n`)
  if (response.headersSent) response.destroy()
  else sendJson(response, 500, { error: { message: 'the stand-in model host has a bug', type: 'server_error' } })
}

function listen(server: Server, host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      const address = server.address()
      if (address === null || typeof address === 'string') return reject(new TypeError('not a TCP address'))
      const name = address.family === 'IPv6' ? `[${address.address}]` : address.address
      resolve(`http://${name}:${address.port}`)
    })
  })
}
