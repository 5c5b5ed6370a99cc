import { randomUUID } from 'node:crypto'
import { nodeLog } from '../../src/platform/node/log.ts'
import { serveAdmin } from '../../src/platform/node/serve-admin.ts'
import type { OpenedSession } from './session.ts'
import { mintAdminToken, testPepper, type House } from './house.ts'

export const testOwnerToken = 'fml_owner_a-token-of-the-tests-and-of-nothing-else'

/** An element of a list, whichever it is. */
interface Listed {
  readonly tenant: string
  readonly name: string
  readonly token_id: string
  readonly entry: string
  readonly action: string
  readonly session_id: string
  readonly shown_as: string
  readonly agent: { readonly kind: string; readonly name: string }
  readonly scopes: readonly string[] | null
  readonly used_at: string | null
}

/** What tests look into. A member that an answer does not have is undefined, and what is expected of it fails. */
export interface Body {
  readonly reason: string
  readonly session_id: string
  readonly csrf_token: string
  readonly shown_as: string
  readonly roles: readonly string[]
  readonly kind: string
  readonly ended: number
  readonly errors: readonly { readonly reason: string; readonly message: string; readonly pointer?: string }[]
  readonly data: readonly Listed[]
  readonly next: string
  readonly key: string
  readonly key_id: string
  readonly token: string
  readonly token_id: string
  readonly change_request: string
  readonly revision: number
  readonly grant: { readonly rates: { readonly concurrency: number } }
  readonly state: object
  readonly acts: readonly { readonly act: string }[]
  readonly revisions: readonly object[]
  readonly sign_offs: readonly object[]
  readonly recalled: object
  readonly widening: readonly object[]
  readonly plan_digest: string
  readonly text: string
  readonly is_same: boolean
  readonly reasons: readonly { readonly reason: string }[]
  readonly decision: { readonly reasons: readonly { readonly reason: string }[] }
}

export interface Told {
  readonly status: number
  readonly headers: Headers
  readonly body: Body
}

export interface Wish {
  /** Undefined: none is sent. */
  readonly token?: string | undefined
  /** Of a browser: its cookie, and the token of its session for what changes something. */
  readonly session?: OpenedSession | undefined
  readonly body?: unknown
  readonly ifMatch?: string | undefined
  /** A new one each time, when it is left out. */
  readonly idempotencyKey?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
}

export interface Admin {
  readonly url: string
  /** `POST /licenses/LIC-1/suspend`, below /admin/v1. */
  ask(what: string, wish: Wish): Promise<Told>
  /** A new admin token. */
  token(wish: Parameters<typeof mintAdminToken>[1]): Promise<string>
  stop(): Promise<void>
}

/** The control plane of a house, over a socket of its own. */
export async function openAdmin(
  house: Pick<House, 'databases' | 'database' | 'url'>,
  options: { isProduction?: boolean; adminUrl?: string; environment?: NodeJS.ProcessEnv } = {},
): Promise<Admin> {
  const served = await serveAdmin({
    host: '127.0.0.1',
    port: 0,
    databaseUrl: house.databases.appUrl,
    databaseRole: undefined,
    ownerToken: testOwnerToken,
    keyPepper: testPepper,
    gatewayUrl: house.url,
    isProduction: options.isProduction ?? false,
    adminUrl: options.adminUrl,
    environment: options.environment ?? {},
    log: nodeLog('silent'),
    isReady: () => true,
  })
  const url = `http://127.0.0.1:${served.port}`
  return {
    url,
    async ask(what, { token, session, body, ifMatch, idempotencyKey = randomUUID(), headers = {} }) {
      const [method = '', path = ''] = what.split(' ')
      const response = await fetch(`${url}/admin/v1${path}`, {
        method,
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(session === undefined ? {} : { cookie: session.cookie, 'x-csrf-token': session.csrfToken }),
          ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
          ...(method === 'POST' ? { 'content-type': 'application/json', 'idempotency-key': idempotencyKey } : {}),
          ...headers,
        },
        ...(method === 'POST' ? { body: typeof body === 'string' ? body : JSON.stringify(body ?? {}) } : {}),
      })
      const text = await response.text()
      const isJson = response.headers.get('content-type')?.split(';')[0]?.endsWith('json') === true
      return {
        status: response.status,
        headers: response.headers,
        body: (isJson ? JSON.parse(text) : { text }) as Body,
      }
    },
    token: (wish) => mintAdminToken(house.database, wish),
    stop: () => served.stop(),
  }
}
