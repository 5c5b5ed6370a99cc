import { sql } from 'kysely'
import type { Instant } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'

/** Something that may be shown once. */
export interface Once {
  readonly issuer: string
  readonly jti: string
  /** From then on the text is refused for its age. */
  readonly expiresAt: Instant
}

/**
 * Takes note of what was shown, and says whose was shown before. The primary key decides: of a thousand at once, on any
 * number of processes, one is the first. Whoever comes second waits until the first has committed.
 */
export async function rememberOnce(tx: Tx, shown: readonly Once[]): Promise<readonly Once[]> {
  const rows = shown.map(
    ({ issuer, jti, expiresAt }) =>
      sql`(${issuer}::text, sha256(convert_to(${jti}::text, 'UTF8')), ${new Date(expiresAt)}::timestamptz)`,
  )
  const written = await sql<{ issuer: string }>`
    insert into assertion_jti (issuer, jti_sha256, expires_at) values ${sql.join(rows)}
    on conflict do nothing returning issuer`.execute(tx)
  const first = new Set(written.rows.map(({ issuer }) => issuer))
  return shown.filter(({ issuer }) => !first.has(issuer))
}

/** A clock that is behind must not accept what another has forgotten. */
const marginMinutes = 5

export async function pruneOnce(tx: Tx): Promise<void> {
  await sql`delete from assertion_jti where expires_at < now() - make_interval(mins => ${marginMinutes})`.execute(tx)
  await sql`delete from revoked_token where expires_at < now() - make_interval(mins => ${marginMinutes})`.execute(tx)
}
