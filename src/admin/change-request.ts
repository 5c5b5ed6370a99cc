import { z } from 'zod'
import { instantOf, isUuid, type Instant, type Json, type Uuid } from '../kernel/index.ts'
import { appendAuditEntry } from '../audit/index.ts'
import type { Tx } from '../db/index.ts'
import { agentOf, Role, type Actor } from '../identity/index.ts'

/** What somebody has asked for and a second person has to approve. */
export interface ChangeRequest {
  readonly changeId: Uuid
  readonly operation: string
  readonly params: unknown
  readonly body: unknown
  readonly objectEtag: string | undefined
  readonly widens: readonly string[]
  readonly askedBy: Actor
  readonly askedAt: Instant
  readonly state: 'open' | 'approved' | 'rejected'
  readonly decidedBy: string | undefined
  readonly decidedAt: Instant | undefined
  readonly reason: string | undefined
}

const State = z.enum(['open', 'approved', 'rejected'])
const Kind = z.enum(['person', 'token', 'bootstrap', 'command', 'declarations', 'system'])
export const changeRequestsMax = 200

/** Keeps the wish, and enters that it was asked. */
export async function askForSecond(
  tx: Tx,
  wish: {
    operation: string
    params: Json
    body: Json
    objectEtag: string | undefined
    widens: readonly string[]
    actor: Actor
    now: Instant
  },
): Promise<ChangeRequest> {
  const { actor, now } = wish
  const row = await tx
    .insertInto('change_request')
    .values({
      operation: wish.operation,
      params: JSON.stringify(wish.params),
      body: JSON.stringify(wish.body),
      object_etag: wish.objectEtag ?? null,
      widens: [...wish.widens],
      asked_by: actor.name,
      asked_kind: actor.kind,
      asked_roles: [...actor.roles],
      asked_makers: [...(actor.makers ?? [])],
      asked_at: new Date(now),
    })
    .returningAll()
    .executeTakeFirstOrThrow()
  await appendAuditEntry(tx, {
    tenantId: undefined,
    at: now,
    action: `change_request.ask`,
    agent: agentOf(actor),
    entity: { type: 'change_request', id: row.change_id },
    outcome: 'asked',
    facts: { operation: wish.operation, widens: wish.widens },
  })
  return fromRow(row)
}

export async function listChangeRequests(tx: Tx, state: ChangeRequest['state'] | undefined) {
  const rows = await tx
    .selectFrom('change_request')
    .selectAll()
    .$if(state !== undefined, (query) => query.where('state', '=', state ?? ''))
    .orderBy('asked_at', 'desc')
    .limit(changeRequestsMax)
    .execute()
  return rows.map(fromRow)
}

/** Held until the transaction ends, so that two who decide at once do so one after the other. */
export const holdChangeRequest = (tx: Tx, changeId: string): Promise<ChangeRequest | undefined> =>
  find(tx, changeId, { hold: true })

export const findChangeRequest = (tx: Tx, changeId: string): Promise<ChangeRequest | undefined> =>
  find(tx, changeId, { hold: false })

async function find(tx: Tx, changeId: string, { hold }: { hold: boolean }): Promise<ChangeRequest | undefined> {
  if (!isUuid(changeId)) return undefined
  const row = await tx
    .selectFrom('change_request')
    .selectAll()
    .where('change_id', '=', changeId)
    .$if(hold, (query) => query.forUpdate())
    .executeTakeFirst()
  return row === undefined ? undefined : fromRow(row)
}

export async function decideChangeRequest(
  tx: Tx,
  decision: { changeId: Uuid; state: 'approved' | 'rejected'; actor: Actor; reason: string; now: Instant },
): Promise<void> {
  const { changeId, state, actor, reason, now } = decision
  await tx
    .updateTable('change_request')
    .set({ state, decided_by: actor.name, decided_at: new Date(now), reason })
    .where('change_id', '=', changeId)
    .execute()
  await appendAuditEntry(tx, {
    tenantId: undefined,
    at: now,
    action: state === 'approved' ? 'change_request.approve' : 'change_request.reject',
    agent: agentOf(actor),
    entity: { type: 'change_request', id: changeId },
    outcome: 'done',
    reason,
    facts: {},
  })
}

interface Row {
  readonly change_id: string
  readonly operation: string
  readonly params: unknown
  readonly body: unknown
  readonly object_etag: string | null
  readonly widens: readonly string[]
  readonly asked_by: string
  readonly asked_kind: string
  readonly asked_roles: readonly string[]
  readonly asked_makers: readonly string[]
  readonly asked_at: Date
  readonly state: string
  readonly decided_by: string | null
  readonly decided_at: Date | null
  readonly reason: string | null
}

const fromRow = (row: Row): ChangeRequest => ({
  changeId: row.change_id,
  operation: row.operation,
  params: row.params,
  body: row.body,
  objectEtag: row.object_etag ?? undefined,
  widens: row.widens,
  askedBy: {
    kind: Kind.parse(row.asked_kind),
    name: row.asked_by,
    roles: row.asked_roles.map((role) => Role.parse(role)),
    tenantId: undefined,
    makers: row.asked_makers,
  },
  askedAt: instantOf(row.asked_at),
  state: State.parse(row.state),
  decidedBy: row.decided_by ?? undefined,
  decidedAt: row.decided_at === null ? undefined : instantOf(row.decided_at),
  reason: row.reason ?? undefined,
})
