import { sql } from 'kysely'
import { canonicalJson, type Json } from '../kernel/index.ts'
import { houseId } from '../audit/index.ts'
import type { Tx } from '../db/index.ts'
import type { Actor } from './actor.ts'

/** So long an answer is remembered. */
const rememberedHours = 24

/** What was answered to a creation. */
export interface Answer {
  readonly status: number
  readonly body: object
  readonly etag: string | undefined
}

export type Claim =
  /** Nobody has asked with this key before: do it, and say the answer to `rememberAnswer`. */
  { kind: 'new' } | { kind: 'answered'; answer: Answer } | { kind: 'other_request' }

/**
 * Takes an idempotency key for a request (draft-ietf-httpapi-idempotency-key-header). The row is written at once, so that
 * the same request sent twice at a time waits here for the answer of the first; a refusal rolls it back with everything.
 */
export async function claimRequest(tx: Tx, actor: Actor, key: string, request: Json): Promise<Claim> {
  const owner = { tenant: actor.tenantId ?? houseId, actor: actor.name }
  const text = canonicalJson(request)
  await sql`
    delete from admin_request where tenant_id = ${owner.tenant} and actor = ${owner.actor} and idempotency_key = ${key}
      and recorded_at < now() - make_interval(hours => ${rememberedHours})`.execute(tx)
  const claimed = await sql`
    insert into admin_request (tenant_id, actor, idempotency_key, request_sha256)
    values (${owner.tenant}, ${owner.actor}, ${key}, sha256(convert_to(${text}, 'UTF8')))
    on conflict do nothing returning 1`.execute(tx)
  if (claimed.rows.length === 1) return { kind: 'new' }
  const { rows } = await sql<{ same: boolean; status: number; answer: object; etag: string | null }>`
    select request_sha256 = sha256(convert_to(${text}, 'UTF8')) as same, status, answer, etag from admin_request
    where tenant_id = ${owner.tenant} and actor = ${owner.actor} and idempotency_key = ${key}`.execute(tx)
  const [row] = rows
  if (row === undefined || !row.same) return { kind: 'other_request' }
  return { kind: 'answered', answer: { status: row.status, body: row.answer, etag: row.etag ?? undefined } }
}

/** Secrets are to be taken out before. */
export async function rememberAnswer(tx: Tx, actor: Actor, key: string, { status, body, etag }: Answer): Promise<void> {
  await sql`
    update admin_request set status = ${status}, answer = ${JSON.stringify(body)}::jsonb, etag = ${etag ?? null}
    where tenant_id = ${actor.tenantId ?? houseId} and actor = ${actor.name} and idempotency_key = ${key}`.execute(tx)
}

export async function pruneAnswers(tx: Tx): Promise<void> {
  await sql`delete from admin_request where recorded_at < now() - make_interval(hours => ${rememberedHours})`.execute(
    tx,
  )
}
