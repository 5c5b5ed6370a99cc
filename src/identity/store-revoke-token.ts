import { sql } from 'kysely'
import type { Instant } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'

/** Of one client at a time: every process keeps them. They are gone after minutes. */
const revokedMax = 1_000

/**
 * Marks a token as taken back; doing it twice changes nothing. Every process knows of it within a second. False when too
 * many of the application's are marked already.
 */
export async function revokeToken(
  tx: Tx,
  token: { tenantId: string; application: string; jti: string; expiresAt: Instant },
): Promise<boolean> {
  const { tenantId, application, jti, expiresAt } = token
  const { rows } = await sql<{ marked: boolean }>`
    with live as (select count(*) as count from revoked_token
      where tenant_id = ${tenantId} and application = ${application} and expires_at > now()),
    written as (insert into revoked_token (tenant_id, jti, application, expires_at)
      select ${tenantId}::uuid, ${jti}::uuid, ${application}, ${new Date(expiresAt)}::timestamptz from live
      where count < ${revokedMax} on conflict do nothing returning 1)
    select count < ${revokedMax} as marked from live left join written on true`.execute(tx)
  return rows[0]?.marked === true
}
