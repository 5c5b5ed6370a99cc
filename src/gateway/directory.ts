import type { Instant, Log, Uuid } from '../kernel/index.ts'
import { systemTransaction, type Database } from '../db/index.ts'
import { loadIdentities, type KeyFacts, type TenantIdentity } from '../identity/index.ts'
import { loadLicenses, type LicenseFacts } from '../licensing/index.ts'
import { loadCatalog, type Catalog } from '../routing/index.ts'
import { loadPriceBook, planRevisionAt, type PlanRevision, type PriceBook } from '../billing/index.ts'

/** More changed tenants than this at once, and everything is read again. */
const changedTenantsMax = 200
/** An unknown key makes this process look at the database this often at most, whoever asks. */
const lookAgainMs = 100

/**
 * What the gates need to know, in memory: tenants, keys, licenses, models, prices. Declarations are numbered in the
 * order of their commits; a refresh reads what has changed since the last number seen. A notification makes it look at
 * once, and a poll looks anyway, so that a "no" is here within a second even when a notification is lost.
 */
export class Directory {
  readonly #needs: { database: Database; log: Log; now(): Instant; monotonicMs(): number }
  #tenants = new Map<Uuid, { identity: TenantIdentity; licenses: readonly LicenseFacts[] }>()
  #keys = new Map<string, KeyFacts>()
  #catalog: Catalog = new Map()
  #prices: PriceBook = new Map()
  #seenSeq = -1n
  #refreshing: Promise<void> | undefined
  #askedAgain = false
  #lastLookMs = Number.NEGATIVE_INFINITY
  /** When the database last confirmed that nothing newer is known. */
  confirmedAtMs = Number.NEGATIVE_INFINITY

  constructor(needs: { database: Database; log: Log; now(): Instant; monotonicMs(): number }) {
    this.#needs = needs
  }

  findKey(keyId: string): KeyFacts | undefined {
    return this.#keys.get(keyId)
  }

  async findKeyAgain(keyId: string): Promise<KeyFacts | undefined> {
    const now = this.#needs.monotonicMs()
    if (now - this.#lastLookMs >= lookAgainMs) {
      this.#lastLookMs = now
      // The database may be away. The key is unknown then as before.
      await this.refresh().catch(() => {})
    } else if (this.#refreshing !== undefined) await this.#refreshing.catch(() => {})
    return this.#keys.get(keyId)
  }

  findLicenses(tenantId: Uuid): readonly LicenseFacts[] {
    return this.#tenants.get(tenantId)?.licenses ?? []
  }

  catalog(): Catalog {
    return this.#catalog
  }

  planAt(plan: string, at: Instant): PlanRevision | undefined {
    return planRevisionAt(this.#prices, plan, at)
  }

  /** The institution whose models these are. */
  get ownerName(): string {
    for (const { identity } of this.#tenants.values()) if (identity.tenant.kind === 'owner') return identity.tenant.tenant
    return 'owner'
  }

  get tenantsKnown(): number {
    return this.#tenants.size
  }

  get isLoaded(): boolean {
    return this.#seenSeq >= 0n
  }

  /** Reads what has changed; one at a time, and once more when it was asked for meanwhile. */
  refresh(): Promise<void> {
    if (this.#refreshing !== undefined) {
      this.#askedAgain = true
      return this.#refreshing
    }
    this.#refreshing = this.#refreshUntilQuiet().finally(() => {
      this.#refreshing = undefined
    })
    return this.#refreshing
  }

  async #refreshUntilQuiet(): Promise<void> {
    do {
      this.#askedAgain = false
      const askedMs = this.#needs.monotonicMs()
      await systemTransaction(this.#needs.database, 'read-directory', async (tx) => {
        const rows = await tx
          .selectFrom('directory_change')
          .select(['change_seq', 'tenant_id'])
          .where('change_seq', '>', this.#seenSeq)
          .orderBy('change_seq', 'desc')
          .limit(10_000)
          .execute()
        const newest = rows[0]?.change_seq
        if (newest === undefined && this.isLoaded) return
        const changed = new Set(rows.map((row) => row.tenant_id))
        const tenantIds = [...changed].filter((tenantId) => tenantId !== null)
        const now = this.#needs.now()
        const everything = !this.isLoaded || rows.length === 10_000 || tenantIds.length > changedTenantsMax
        if (everything || changed.has(null)) {
          const [catalog, prices] = [await loadCatalog(tx), await loadPriceBook(tx)]
          this.#catalog = catalog
          this.#prices = prices
        }
        if (everything) {
          const identities = await loadIdentities(tx, 'all', now)
          this.#replaceAll(identities, await loadLicenses(tx, 'all'))
        } else
          for (const tenantId of tenantIds) {
            const identities = await loadIdentities(tx, tenantId, now)
            this.#replace(tenantId, identities[0], await loadLicenses(tx, tenantId))
          }
        this.#seenSeq = newest ?? (this.#seenSeq < 0n ? 0n : this.#seenSeq)
      })
      this.confirmedAtMs = askedMs
    } while (this.#askedAgain)
  }

  #replaceAll(identities: readonly TenantIdentity[], licenses: readonly LicenseFacts[]): void {
    const licensesOf = Map.groupBy(licenses, (license) => license.tenantId)
    this.#tenants = new Map(
      identities.map((identity) => [
        identity.tenant.tenantId,
        { identity, licenses: licensesOf.get(identity.tenant.tenantId) ?? [] },
      ]),
    )
    this.#keys = new Map(identities.flatMap((identity) => identity.keys.map((key) => [key.keyId, key])))
  }

  #replace(tenantId: Uuid, identity: TenantIdentity | undefined, licenses: readonly LicenseFacts[]): void {
    for (const key of this.#tenants.get(tenantId)?.identity.keys ?? []) this.#keys.delete(key.keyId)
    if (identity === undefined) {
      this.#tenants.delete(tenantId)
      return
    }
    this.#tenants.set(tenantId, { identity, licenses })
    for (const key of identity.keys) this.#keys.set(key.keyId, key)
  }
}
