import type { Context } from 'hono'
import { Failure, type Json } from '../kernel/index.ts'
import { systemTransaction, tenantTransaction, type Tx } from '../db/index.ts'
import { claimRequest, readScope, rememberAnswer, type Actor, type Answer } from '../identity/index.ts'
import { authenticateRequest, type Authenticated } from './authenticate-request.ts'
import { askForSecond, type ChangeRequest } from './change-request.ts'
import type { AnyOperation, ControlNeeds, Doing, Reply, Written } from './operation.ts'
import { problemOf, problemType } from './problem.ts'
import { readInput, type Input } from './read-input.ts'
import type { AdminRefusal } from './refusal.ts'
import { serveDownload } from './serve-download.ts'
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
    const who = await authenticateRequest(c, operation, needs)
    if (!who.ok) return who.error === 'stranger' ? unauthorized(c) : refuse(c, [who.error])
    const objection = objectionTo(who.value.actor, operation)
    if (objection !== undefined) return refuse(c, [objection])
    const read = await readInput(c, operation)
    if (!read.ok) return refuse(c, read.error)
    const around = { operation, needs, findOperation }
    const open = operation.open?.bind(operation)
    if (open !== undefined) {
      const { actor, session } = who.value
      const by = { actor, approvedBy: undefined, now: needs.now() }
      const told = await serveDownload(needs, {
        id: operation.id,
        tenantId: actor.tenantId,
        open: (tx) => open({ tx, needs, findOperation, by, session }, read.value),
      })
      return told.ok ? told.value : refuse(c, told.error)
    }
    return tell(c, await perform(around, who.value, read.value))
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

/** A token may be narrower than its roles; whatever it is for, it needs one of the roles too. */
function objectionTo({ roles, scopes }: Actor, operation: AnyOperation): AdminRefusal | undefined {
  if (!operation.roles.some((role) => roles.includes(role)))
    return {
      status: 403,
      reason: 'role_missing',
      message: `This takes one of the roles ${operation.roles.join(', ')}.`,
      advice: `You hold ${roles.join(', ')}.`,
    }
  const isInScope =
    scopes === undefined || scopes.includes(operation.id) || (scopes.includes(readScope) && operation.method === 'get')
  if (isInScope) return undefined
  return {
    status: 403,
    reason: 'scope_missing',
    message: `This token is not for ${operation.id}.`,
    advice: `It is for ${scopes.join(', ')}.`,
  }
}

interface Around {
  readonly operation: AnyOperation
  readonly needs: ControlNeeds
  readonly findOperation: Doing['findOperation']
}

/** What is remembered of an answer is its JSON; a page is only ever read. */
type Told = Answer & { readonly written?: Written | undefined }

async function perform(around: Around, who: Authenticated, input: Input): Promise<Told> {
  const { needs, operation } = around
  const { actor } = who
  const within = <T>(work: (tx: Tx) => Promise<T>): Promise<T> =>
    actor.tenantId === undefined
      ? systemTransaction(needs.database, 'administer', work)
      : tenantTransaction(needs.database, actor.tenantId, work)
  try {
    return await within((tx) => performOnce(around, who, input, tx))
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
        objectEtag: await etagOf(around, who, input, tx),
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

async function performOnce(around: Around, who: Authenticated, input: Input, tx: Tx): Promise<Told> {
  const { operation, needs, findOperation } = around
  const { actor, session } = who
  const again = await claimed(tx, actor, input)
  if (again !== undefined) return again
  const doing: Doing = {
    tx,
    needs,
    findOperation,
    by: { actor, approvedBy: undefined, now: needs.now() },
    session,
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

async function etagOf(around: Around, who: Authenticated, input: Input, tx: Tx): Promise<string | undefined> {
  const { operation, needs, findOperation } = around
  const { actor, session } = who
  const by = { actor, approvedBy: undefined, now: needs.now() }
  return operation.etagOf?.({ tx, needs, findOperation, by, session }, input.params)
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

/** One answer for none, a wrong, an expired and a revoked one, be it a token or a session (RFC 6750, section 3). */
function unauthorized(c: Context): Response {
  const { status, body } = problemOf([
    {
      status: 401,
      reason: 'invalid_token',
      message: 'No valid token was shown.',
      advice:
        'Sign in, or send Authorization: Bearer and an admin token, which an owner-admin makes: formulary admin-token create.',
    },
  ])
  return c.body(JSON.stringify(body), status as 401, {
    'content-type': problemType,
    'cache-control': 'no-store',
    'www-authenticate': 'Bearer realm="formulary-admin"',
  })
}
