import { sql } from 'kysely'
import { err, instantOf, ok, type Instant, type Result } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'

/** From the first start of an installation on. Whoever needs longer makes a token at the machine. */
export const bootstrapSeconds = 60

/** What the bootstrap token depends on. */
export interface InstallationFacts {
  /** Undefined: nobody has noted a start yet. */
  readonly firstStartedAt: Instant | undefined
  readonly hasOwnerAdmin: boolean
  readonly hasOwnersProvider: boolean
}

export type BootstrapRefusal = { readonly reason: 'minute_over' | 'owner_admin_exists' | 'owners_provider_exists' }

/** The first start counts, whichever process it was, and however often it started since. */
export async function noteFirstStart(tx: Tx, now: Instant): Promise<void> {
  await tx
    .insertInto('installation')
    .values({ first_started_at: new Date(now) })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

export async function loadInstallation(tx: Tx): Promise<InstallationFacts> {
  const { rows } = await sql<{ first_started_at: Date | null; has_admin: boolean; has_provider: boolean }>`
    select (select first_started_at from installation),
      exists (select from admin_token where 'owner-admin' = any(roles)) as has_admin,
      exists (select from sign_in join tenant using (tenant_id)
        where sign_in.kind = 'owner' and sign_in.ended_at is null and tenant.ended_at is null) as has_provider`.execute(
    tx,
  )
  const [row] = rows
  return {
    firstStartedAt: row?.first_started_at == null ? undefined : instantOf(row.first_started_at),
    hasOwnerAdmin: row?.has_admin ?? true,
    hasOwnersProvider: row?.has_provider ?? true,
  }
}

/**
 * Whether the bootstrap token still opens the one thing that it is for. It is a secret that a start printed: it works for the
 * first minute only, and only as long as nobody else can be asked.
 */
export function decideBootstrap(facts: InstallationFacts, now: Instant): Result<void, BootstrapRefusal> {
  if (facts.hasOwnerAdmin) return err({ reason: 'owner_admin_exists' })
  if (facts.hasOwnersProvider) return err({ reason: 'owners_provider_exists' })
  const { firstStartedAt } = facts
  if (firstStartedAt === undefined || now >= firstStartedAt + bootstrapSeconds * 1000)
    return err({ reason: 'minute_over' })
  return ok(undefined)
}
