import type { Context } from 'hono'
import { Failure, type Json } from '../kernel/index.ts'
import { systemTransaction, tenantTransaction, type Tx } from '../db/index.ts'
import { authenticateAdmin, claimRequest, rememberAnswer, type Actor, type Answer } from '../identity/index.ts'
import { askForSecond, type ChangeRequest } from './change-request.ts'
import type { AnyOperation, ControlNeeds, Doing, Reply, Written } from './operation.ts'
import { problemOf, problemType } from './problem.ts'
import { readInput, type Input } from './read-input.ts'
import type { AdminRefusal } from './refusal.ts'
import { shownChangeRequest } from './shown.ts'

/** Rolls the transaction back. */
class Refused extends Error {
  readonly refusals: readonly AdminRefusal[]

  constructor(refusals: readonly AdminRefusal[]) {
    super('refused')
    this.refusals = refusals
  }
}

/**
 * The way of every request of the control plane: who, may they, what is asked, was it asked before, is it still about the
 * object that they saw; then the operation, in one transaction with all that it writes. What widens a license and has no
 * second person becomes a change request.
 */
export async function serveOperation(
  c: Context,
  operation: AnyOperation,
  needs: ControlNeeds,
  findOperation: Doing['findOperation'],
): Promise<Response> {
  try {
    const actor = await authenticate(c, needs)
    if (actor === undefined) return unauthorized(c)
    if (!operation.roles.some((role) => actor.roles.includes(role)))
      return refuse(c, [
        {
          status: 403,
          reason: 'role_missing',
          message: `This takes one of the roles ${operation.roles.join(', ')}.`,
          advice: `You hold ${actor.roles.join(', ')}.`,
        },
      ])
    const read = await readInput(c, operation)
    if (!read.ok) return refuse(c, read.error)
    const answer = await perform({ operation, needs, findOperation }, actor, read.value)
    return tell(c, answer)
  } catch (error) {
    if (error instanceof Refused) return refuse(c, error.refusals)
    if (!(error instanceof Failure)) throw error
    needs.log.warn('admin.failed', { operation: operation.id, dependency: error.dependency, why: error.message })
    return c.body(
      JSON.stringify({
        type: 'urn:formulary:problem:unavailable',
        title: 'The control plane cannot reach its database.',
        status: 503,
        reason: 'unavailable',
      }),
      503,
      { 'content-type': problemType, 'retry-after': '5', 'cache-control': 'no-store' },
    )
  }
}

interface Around {
  readonly operation: AnyOperation
  readonly needs: ControlNeeds
  readonly findOperation: Doing['findOperation']
}

/** What is remembered of an answer is its JSON; a page is only ever read. */
type Told = Answer & { readonly written?: Written | undefined }

async function perform(around: Around, actor: Actor, input: Input): Promise<Told> {
  const { needs, operation } = around
  const within = <T>(work: (tx: Tx) => Promise<T>): Promise<T> =>
    actor.tenantId === undefined
      ? systemTransaction(needs.database, 'administer', work)
      : tenantTransaction(needs.database, actor.tenantId, work)
  try {
    return await within((tx) => performOnce(around, actor, input, tx))
  } catch (error) {
    const asked = error instanceof Refused ? secondPersonOf(error.refusals) : undefined
    if (asked === undefined || actor.tenantId !== undefined) throw error
    return within(async (tx) => {
      const again = await claimed(tx, actor, input)
      if (again !== undefined) return again
      const change = await askForSecond(tx, {
        operation: operation.id,
        params: input.params as Json,
        body: input.body as Json,
        objectEtag: await etagOf(around, actor, input, tx),
        widens: asked,
        actor,
        now: needs.now(),
      })
      const answer = accepted(change)
      if (input.idempotencyKey !== undefined) await rememberAnswer(tx, actor, input.idempotencyKey, answer)
      return answer
    })
  }
}

async function performOnce(around: Around, actor: Actor, input: Input, tx: Tx): Promise<Told> {
  const { operation, needs, findOperation } = around
  const again = await claimed(tx, actor, input)
  if (again !== undefined) return again
  const doing: Doing = {
    tx,
    needs,
    findOperation,
    by: { actor, approvedBy: undefined, now: needs.now() },
  }
  if (input.ifMatch !== undefined && operation.etagOf !== undefined) {
    const etag = await operation.etagOf(doing, input.params)
    if (etag !== undefined && !input.ifMatch.includes(etag)) throw new Refused([changedMeanwhile(etag)])
  }
  const done = await operation.run(doing, input)
  if (!done.ok) throw new Refused(done.error)
  const { status = 200, body, etag } = done.value
  if (input.idempotencyKey !== undefined)
    await rememberAnswer(tx, actor, input.idempotencyKey, { status, body: withoutSecrets(done.value), etag })
  return { status, body, etag, written: done.value.written }
}

async function claimed(tx: Tx, actor: Actor, input: Input): Promise<Answer | undefined> {
  if (input.idempotencyKey === undefined) return undefined
  const claiming = await claimRequest(tx, actor, input.idempotencyKey, input.asked)
  if (claiming.kind === 'other_request')
    throw new Refused([
      {
        status: 422,
        reason: 'idempotency_key_reused',
        message: 'Something else was asked for under this Idempotency-Key.',
        advice: 'Take a new key for a new request; the same key is for the same request sent again.',
      },
    ])
  return claiming.kind === 'answered' ? claiming.answer : undefined
}

async function etagOf(around: Around, actor: Actor, input: Input, tx: Tx): Promise<string | undefined> {
  const { operation, needs, findOperation } = around
  const by = { actor, approvedBy: undefined, now: needs.now() }
  return operation.etagOf?.({ tx, needs, findOperation, by }, input.params)
}

/** A member that is shown once is null when the answer is told again. */
const withoutSecrets = ({ body, secrets = [] }: Reply): object => ({
  ...body,
  ...Object.fromEntries(secrets.map((name) => [name, null])),
})

const changedMeanwhile = (etag: string): AdminRefusal => ({
  status: 412,
  reason: 'changed_meanwhile',
  message: 'It is not as you saw it any more.',
  advice: `Read it again; its ETag is ${etag}.`,
})

/** What a second person would be asked about, when nothing else speaks against it. */
const secondPersonOf = (refusals: readonly AdminRefusal[]): readonly string[] | undefined =>
  refusals.every(({ reason }) => reason === 'second_person_needed')
    ? refusals.flatMap(({ widens = [] }) => widens)
    : undefined

const accepted = (change: ChangeRequest): Answer => ({
  status: 202,
  body: shownChangeRequest(change),
  etag: undefined,
})

function tell(c: Context, { status, body, etag, written }: Told): Response {
  const headers: Record<string, string> = { 'content-type': 'application/json', 'cache-control': 'no-store' }
  if (written !== undefined) return c.body(written.text, status as 200, { ...headers, ...written.headers })
  if (etag !== undefined) headers['etag'] = etag
  if (status === 202 && 'change_request' in body)
    headers['location'] = `/admin/v1/change-requests/${String(body.change_request)}`
  return c.body(JSON.stringify(body), status as 200, headers)
}

function refuse(c: Context, refusals: readonly AdminRefusal[]): Response {
  const { status, body } = problemOf(refusals)
  return c.body(JSON.stringify(body), status as 400, { 'content-type': problemType, 'cache-control': 'no-store' })
}

/** One answer for none, a wrong, an expired and a revoked one (RFC 6750, section 3). */
function unauthorized(c: Context): Response {
  const { status, body } = problemOf([
    {
      status: 401,
      reason: 'invalid_token',
      message: 'No valid token was shown.',
      advice:
        'Send Authorization: Bearer and an admin token, which an owner-admin makes: formulary admin-token create.',
    },
  ])
  return c.body(JSON.stringify(body), status as 401, {
    'content-type': problemType,
    'cache-control': 'no-store',
    'www-authenticate': 'Bearer realm="formulary-admin"',
  })
}

async function authenticate(c: Context, needs: ControlNeeds): Promise<Actor | undefined> {
  const shown = /^bearer +(\S{1,200})$/i.exec(c.req.header('authorization') ?? '')?.[1]
  if (shown === undefined) return undefined
  const key = new TextEncoder().encode(needs.ownerToken)
  if (needs.hmac.equal(needs.hmac.sha256(key, shown), needs.hmac.sha256(key, needs.ownerToken)))
    return { kind: 'bootstrap', name: 'owner-token', roles: ['owner-admin'], tenantId: undefined }
  return systemTransaction(needs.database, 'administer', (tx) => authenticateAdmin(tx, needs, shown, needs.now()))
}
