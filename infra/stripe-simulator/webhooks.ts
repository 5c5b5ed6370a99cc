import { createHmac } from 'node:crypto'
import type { Account, Thing, WebhookEndpoint } from './account.ts'
import { takeFault, type Knobs } from './knobs.ts'
import { groupOf, metadataOf, requireText, type Params } from './params.ts'
import { invalid } from './problem.ts'

/** Notes that something happened, for whoever listens. */
export type Emit = (type: string, thing: object) => void

interface Delivery {
  readonly endpoint: WebhookEndpoint
  readonly event: Thing
  readonly body: string
  readonly since: number
}

/** https://docs.stripe.com/webhooks: live deliveries are tried again for up to three days. */
const retrySeconds = 3 * 86_400

export function createEndpoint(account: Account, params: Params): object {
  const endpoint: WebhookEndpoint = {
    id: account.newId('we'),
    object: 'webhook_endpoint',
    created: account.now,
    url: requireText(params, 'url'),
    enabled_events: Object.values(groupOf(params, 'enabled_events')).map(String),
    livemode: false,
    metadata: metadataOf(params),
    secret: `whsec_${account.newId('secret')}`,
    status: 'enabled',
  }
  if (endpoint.enabled_events.length === 0) throw invalid('Missing required param: enabled_events.', 'enabled_events')
  account.endpoints.set(endpoint.id, endpoint)
  return endpoint
}

/** The secret is shown once, when the endpoint is made. */
export const showEndpoint = (endpoint: WebhookEndpoint): object => without(endpoint, 'secret')

/** The header of a delivery: HMAC-SHA-256 of `t.body` (https://docs.stripe.com/webhooks#verify-manually). */
export function sign(body: string, secret: string, at: number): string {
  const v1 = createHmac('sha256', secret).update(`${at}.${body}`).digest('hex')
  return `t=${at},v1=${v1}`
}

/** Events, and their deliveries, which wait until somebody flushes them: a test says when. */
export class Webhooks {
  readonly #account: Account
  readonly #knobs: Knobs
  #waiting: Delivery[] = []

  constructor(account: Account, knobs: Knobs) {
    this.#account = account
    this.#knobs = knobs
  }

  readonly emit: Emit = (type, thing) => {
    const account = this.#account
    const isThin = type.startsWith('v1.')
    const event: Thing = isThin
      ? {
          id: account.newId('evt'),
          object: 'v2.core.event',
          created: account.now,
          type,
          livemode: false,
          metadata: {},
          context: null,
          ...Object.assign({}, structuredClone(thing)),
        }
      : {
          id: account.newId('evt'),
          object: 'event',
          api_version: '2026-10-28.endive',
          created: account.now,
          // A snapshot: what it shows may be old when it arrives.
          data: { object: structuredClone(thing) },
          livemode: false,
          metadata: {},
          pending_webhooks: 0,
          request: { id: null, idempotency_key: null },
          type,
        }
    account.events.set(event.id, event)
    for (const endpoint of account.endpoints.values())
      if (endpoint.status === 'enabled' && endpoint.enabled_events.some((name) => name === '*' || name === type))
        for (
          let copy = takeFault(this.#knobs, 'loseDeliveries') ? Infinity : 0;
          copy <= this.#knobs.duplicateDeliveries;
          copy++
        )
          this.#waiting.push({ endpoint, event, body: JSON.stringify(delivered(event)), since: account.now })
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** Delivers what waits. What is not answered with 2xx waits on. Returns the answers' statuses; 0 is no answer. */
  async flush(send: (url: string, init: RequestInit) => Promise<Response> = fetch): Promise<readonly number[]> {
    const due = this.#knobs.reorderDeliveries ? this.#waiting.toReversed() : this.#waiting
    this.#waiting = []
    const statuses: number[] = []
    for (const delivery of due) {
      const signature = sign(delivery.body, delivery.endpoint.secret, this.#account.now)
      const headers = { 'content-type': 'application/json', 'stripe-signature': signature }
      const status = await send(delivery.endpoint.url, { method: 'POST', headers, body: delivery.body }).then(
        (response) => response.status,
        () => 0,
      )
      statuses.push(status)
      const isTaken = status >= 200 && status < 300
      if (!isTaken && this.#account.now - delivery.since < retrySeconds) this.#waiting.push(delivery)
    }
    return statuses
  }
}

/** A thin event carries no data: the listener fetches it. */
function delivered(event: Thing): object {
  if (event.object !== 'v2.core.event') return event
  return without(showThinEvent(event) as Thing, 'data')
}

export const showThinEvent = (event: Thing): object => ({
  ...without(event, 'metadata'),
  created: new Date(event.created * 1000).toISOString(),
})

const without = (thing: Thing, member: string): object =>
  Object.fromEntries(Object.entries(thing).filter(([name]) => name !== member))
