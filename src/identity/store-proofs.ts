import { systemStatement, type Database } from '../db/index.ts'
import type { Instant } from '../kernel/index.ts'

/** A DPoP proof by the digest of its key and its jti. */
export interface ShownProof {
  readonly digest: string
  /** From then on it is refused for its age. */
  readonly expiresAt: Instant
}

/**
 * Takes note of proofs that were shown beside a token, and says which of them nobody had seen. The primary key decides, over
 * all processes. One round trip that waits for no disk: what a crash of the server forgets are the last moments of a memory of
 * two minutes, and the process that took a proof still has its own.
 */
export async function rememberProofs(database: Database, shown: readonly ShownProof[]): Promise<ReadonlySet<string>> {
  const rows = await systemStatement<{ digest: string }>(database, 'remember-assertion', {
    name: 'remember-proofs',
    text: `with quick as (select set_config('synchronous_commit', 'off', true) as set)
      insert into assertion_jti (issuer, jti_sha256, expires_at)
      select 'dpop', decode(digest, 'hex'), expires_at
      from unnest($1::text[], $2::timestamptz[]) as shown (digest, expires_at), quick
      on conflict do nothing returning encode(jti_sha256, 'hex') as digest`,
    values: [shown.map(({ digest }) => digest), shown.map(({ expiresAt }) => new Date(expiresAt))],
  })
  return new Set(rows.map(({ digest }) => digest))
}
