import { randomUUID } from 'node:crypto'
import { parseArgs } from 'node:util'
import { assertNever, isoOf, type Instant, type Log } from '../../kernel/index.ts'
import { systemTransaction, type Database } from '../../db/index.ts'
import {
  formatMoney,
  listStripeDocuments,
  listStripeEvents,
  loadStripeStatus,
  openStripeClient,
  pushAgain,
  pushInvoices,
  stripeSink,
  type PushRefusal,
  type StripeDocument,
} from '../../billing/index.ts'
import { nodeClock } from '../../platform/node/ports.ts'
import { operator } from '../operator.ts'
import { reportMisuse, reportRefusal, type Io } from '../report.ts'

export interface StripeIo extends Io {
  readonly now: Instant
  readonly database: Database
  readonly stripe: { readonly secretKey: string | undefined; readonly apiBase: string | undefined }
}

const documentsMax = 10_000
const eventsShown = 50

/** `formulary stripe status | push [<number>] | events`: what stands at Stripe, and what its webhook has brought. */
export async function runStripe(args: readonly string[], io: StripeIo): Promise<0 | 1 | 2> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { by: { type: 'string' } },
  })
  const [verb, number, ...more] = positionals
  if (more.length > 0 || (number !== undefined && verb !== 'push'))
    return reportMisuse(io, `\`stripe ${verb}\` does not take \`${more[0] ?? number}\``)
  switch (verb) {
    case 'status':
      return showStatus(io)
    case 'push':
      return push(io, { number, by: values.by })
    case 'events':
      return showEvents(io)
    default:
      return reportMisuse(io, 'what about Stripe? formulary stripe status|push|events')
  }
}

const documentsOf = (io: StripeIo): Promise<readonly StripeDocument[]> =>
  systemTransaction(io.database, 'sync-billing', (tx) =>
    listStripeDocuments(tx, { state: undefined, after: '', limit: documentsMax }),
  )

async function showStatus(io: StripeIo): Promise<0> {
  const status = await systemTransaction(io.database, 'sync-billing', loadStripeStatus)
  const documents = await documentsOf(io)
  const lastEventAt = status.lastEventAt === undefined ? null : isoOf(status.lastEventAt)
  if (io.json) {
    io.out(JSON.stringify({ ...status, lastEventAt, documents: documents.map(shown) }))
    return 0
  }
  const counts = (of: Readonly<Record<string, number>>) =>
    Object.entries(of)
      .map(([state, rows]) => `${rows} ${state}`)
      .join(', ')
  io.out(`Documents: ${counts(status.documents) || 'none'}. Usage: ${counts(status.usage) || 'none'}.`)
  io.out(`Last event: ${lastEventAt ?? 'none'}. Open differences: ${status.openDifferences}.`)
  for (const tenant of status.tenantsWithoutCustomer) io.out(`The customer of ${tenant} was deleted at Stripe.`)
  for (const one of documents.map(shown)) {
    io.out(
      `${one.number}  ${one.tenant}  ${one.state}  ${one.total} ${one.currency}, ${one.collected} collected${one.why}`,
    )
    for (const { line, class: of, here, there } of one.differences)
      io.out(`    ${of} at ${line}: ${here === '' ? 'nothing' : here} here, ${there === '' ? 'nothing' : there} there`)
  }
  return 0
}

const shown = (one: StripeDocument) => ({
  number: one.number,
  tenant: one.tenant,
  kind: one.kind,
  state: one.state,
  status: one.status,
  stripeId: one.stripeId ?? null,
  total: formatMoney(one.total, one.currency),
  collected: formatMoney(one.collected, one.currency),
  currency: one.currency,
  why: one.lastError === undefined ? '' : `  (${one.lastError})`,
  differences: one.differences,
})

/** Pushes what is due, or one document whatever it was to wait for. */
async function push(io: StripeIo, of: { number: string | undefined; by: string | undefined }): Promise<0 | 1> {
  const { number, by } = of
  const { secretKey, apiBase } = io.stripe
  if (secretKey === undefined)
    return reportRefusal(io, 'stripe_not_set_up', 'there is no key for Stripe: set STRIPE_SECRET_KEY')
  if (number !== undefined) {
    const actor = by === undefined ? operator() : { ...operator(), name: by }
    const asked = await systemTransaction(io.database, 'sync-billing', (tx) =>
      pushAgain(tx, { number, actor, now: io.now }),
    )
    if (!asked.ok) return reportRefusal(io, asked.error.reason, pushInWords(asked.error))
  }
  const log: Log = { info() {}, warn() {}, error() {} }
  const sink = stripeSink(openStripeClient({ secretKey, apiBase }))
  await pushInvoices({ database: io.database, sink, log, holder: randomUUID(), now: () => nodeClock.now() })
  const documents = (await documentsOf(io)).filter((one) => number === undefined || one.number === number).map(shown)
  if (io.json) io.out(JSON.stringify(documents))
  else for (const one of documents) io.out(`${one.number}  ${one.state}${one.why}`)
  const isDone = documents.every(({ state }) => state !== 'open' && state !== 'pushed' && state !== 'disagrees')
  return isDone ? 0 : 1
}

function pushInWords(refusal: PushRefusal): string {
  switch (refusal.reason) {
    case 'document_not_found':
      return `there is no invoice or credit note ${refusal.number}`
    case 'document_is_there':
      return `${refusal.number} is at Stripe, ${refusal.state}`
    default:
      return assertNever(refusal, 'pushInWords')
  }
}

async function showEvents(io: StripeIo): Promise<0> {
  const events = await systemTransaction(io.database, 'sync-billing', (tx) =>
    listStripeEvents(tx, { before: undefined, limit: eventsShown }),
  )
  if (io.json) io.out(JSON.stringify(events.map((one) => ({ ...one, receivedAt: isoOf(one.receivedAt) }))))
  else if (events.length === 0) io.out('Stripe has sent nothing.')
  else
    for (const { eventId, type, about, outcome, receivedAt } of events)
      io.out(`${isoOf(receivedAt)}  ${eventId}  ${type}  ${about ?? ''}  ${outcome}`)
  return 0
}
