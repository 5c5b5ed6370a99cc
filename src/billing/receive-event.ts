import { assertNever } from '../kernel/index.ts'
import { systemTransaction, type Tx } from '../db/index.ts'
import { effectOf, isAlarm, type EventEffect } from './event-effect.ts'
import { looksMax, tell, writeSeen, type LookNeeds } from './look-at-document.ts'
import type { DocumentKind } from './money-sink.ts'
import {
  findEvent,
  findTenantOf,
  noteCustomerGone,
  noteEvent,
  rejectReport,
  type EventOutcome,
} from './store-stripe-event.ts'
import { findByStripeId, findOutboxInvoice, type OutboxInvoice } from './store-stripe-invoice.ts'
import type { StripeEvent } from './stripe/read-event.ts'

/** `busy`: others are looking at the same thing again and again; the service sends the event again. */
export type Received = EventOutcome | 'repeated' | 'busy'

/**
 * Acts on an event that was checked. Its row and all that it does are one transaction: an event that is delivered twice, also to
 * two processes at once, is acted on once, and one whose process died is acted on when it comes again. What it is about is
 * fetched before that transaction, because nobody waits for another house with a connection in hand.
 * @throws Failure when the service or the database is away: the service tries again for three days.
 */
export async function receiveEvent(needs: LookNeeds, event: StripeEvent): Promise<Received> {
  const effect = effectOf(event)
  const known = await inSystem(needs, async (tx) => {
    if ((await findEvent(tx, event.id)) !== undefined) return 'repeated'
    return 'id' in effect ? findByStripeId(tx, effect.id) : undefined
  })
  if (known === 'repeated') return known
  const received = await act(needs, event, { effect, known })
  if (isAlarm(event.type) && received !== 'repeated')
    needs.log.error('stripe.alarm', { type: event.type, about: event.objectId })
  return received
}

function act(
  needs: LookNeeds,
  event: StripeEvent,
  { effect, known }: { effect: EventEffect; known: OutboxInvoice | undefined },
): Promise<Received> {
  switch (effect.kind) {
    case 'look_at_invoice':
      return lookAt(needs, event, { kind: 'invoice', id: effect.id, known })
    case 'look_at_credit_note':
      return lookAt(needs, event, { kind: 'credit_note', id: effect.id, known })
    case 'look_at_paid':
      return lookAtPaid(needs, event, { kind: effect.by, id: effect.id })
    case 'reject_usage':
      return rejectUsage(needs, event)
    case 'look_at_customer':
      return lookAtCustomer(needs, event, effect.id)
    case 'none':
      return noteOnly(needs, event, 'ignored')
    default:
      return assertNever(effect, 'an effect of an event')
  }
}

async function lookAt(
  needs: LookNeeds,
  event: StripeEvent,
  of: { kind: DocumentKind; id: string; known: OutboxInvoice | undefined },
): Promise<Received> {
  let { known } = of
  for (let look = 0; look < looksMax; look++) {
    const there = await needs.sink.readDocument(of.kind, of.id)
    if (known === undefined) {
      // It may have been made by a process that died before it noted it: then it carries our number.
      const { customer, invoice } = there ?? {}
      if (customer === undefined || invoice === undefined) return noteOnly(needs, event, 'not_ours')
      known = await inSystem(needs, (tx) => findByNumber(tx, { customer, invoice, kind: of.kind }))
      if (known === undefined) return noteOnly(needs, event, 'not_ours')
      // What was just read is older than the row that it would be written to.
      continue
    }
    const row = known
    const now = needs.now()
    const written = await inSystem(needs, async (tx) => {
      const state = await writeSeen(tx, row, { there, now })
      return state === 'moved'
        ? state
        : { state, isFirst: await noteEvent(tx, { ...noted(event), outcome: 'done', now }) }
    })
    if (written !== 'moved') {
      if (!written.isFirst) return 'repeated'
      tell(needs.log, row, written.state)
      return 'done'
    }
    known = await inSystem(needs, (tx) => findOutboxInvoice(tx, row))
  }
  return 'busy'
}

async function findByNumber(
  tx: Tx,
  of: { customer: string; invoice: string; kind: DocumentKind },
): Promise<OutboxInvoice | undefined> {
  const tenantId = await findTenantOf(tx, of.customer)
  if (tenantId === undefined) return undefined
  const row = await findOutboxInvoice(tx, { tenantId, invoice: of.invoice })
  // One that is there already under another id is not this one.
  return row?.kind === of.kind && row.stripeInvoice === undefined ? row : undefined
}

/** Money that went back says whose charge it was, and the charge which invoices. All but the last are looked at beforehand. */
async function lookAtPaid(
  needs: LookNeeds,
  event: StripeEvent,
  by: { kind: 'charge' | 'refund'; id: string },
): Promise<Received> {
  const invoices = await needs.sink.findPaidInvoices(by)
  let received: Received = 'not_ours'
  for (const id of invoices.slice(0, -1)) {
    const row = await inSystem(needs, (tx) => findByStripeId(tx, id))
    if (row === undefined) continue
    const there = await needs.sink.readDocument('invoice', id)
    const written = await inSystem(needs, (tx) => writeSeen(tx, row, { there, now: needs.now() }))
    if (written === 'moved') return 'busy'
    received = 'done'
  }
  const last = invoices.at(-1)
  if (last === undefined) return noteOnly(needs, event, 'not_ours')
  const known = await inSystem(needs, (tx) => findByStripeId(tx, last))
  const ended = await lookAt(needs, event, { kind: 'invoice', id: last, known })
  return ended === 'not_ours' ? received : ended
}

async function rejectUsage(needs: LookNeeds, event: StripeEvent): Promise<Received> {
  const rejected = await needs.sink.readRejected(event.id)
  const now = needs.now()
  const ended = await inSystem(needs, async (tx) => {
    if (!(await noteEvent(tx, { ...noted(event), outcome: 'done', now }))) return undefined
    const ours = []
    for (const one of rejected) if (await rejectReport(tx, one, now)) ours.push(one)
    return ours
  })
  if (ended === undefined) return 'repeated'
  if (ended.length > 0)
    needs.log.error('stripe.usage_rejected', {
      reports: ended.length,
      codes: [...new Set(ended.map(({ code }) => code))],
    })
  return 'done'
}

async function lookAtCustomer(needs: LookNeeds, event: StripeEvent, customer: string): Promise<Received> {
  const isGone = await needs.sink.isCustomerGone(customer)
  const now = needs.now()
  const tenantId = await inSystem(needs, (tx) => findTenantOf(tx, customer))
  if (tenantId === undefined) return noteOnly(needs, event, 'not_ours')
  const isFirst = await inSystem(needs, async (tx) => {
    if (!(await noteEvent(tx, { ...noted(event), outcome: 'done', now }))) return false
    if (isGone) await noteCustomerGone(tx, customer, now)
    return true
  })
  if (!isFirst) return 'repeated'
  if (isGone) needs.log.error('stripe.customer_deleted', { tenantId, customer })
  return 'done'
}

async function noteOnly(needs: LookNeeds, event: StripeEvent, outcome: EventOutcome): Promise<Received> {
  const isFirst = await inSystem(needs, (tx) => noteEvent(tx, { ...noted(event), outcome, now: needs.now() }))
  return isFirst ? outcome : 'repeated'
}

const noted = ({ id, type, objectId }: StripeEvent) => ({ eventId: id, type, about: objectId })

const inSystem = <T>({ database }: Pick<LookNeeds, 'database'>, work: (tx: Tx) => Promise<T>): Promise<T> =>
  systemTransaction(database, 'sync-billing', work)
