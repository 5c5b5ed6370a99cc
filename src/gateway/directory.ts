import type { Instant, Log, Uuid } from '../kernel/index.ts'
import { systemTransaction, type Database, type Tx } from '../db/index.ts'
import { loadIdentities, type ClientFacts, type KeyFacts, type TenantIdentity } from '../identity/index.ts'
import { loadLicenses, type LicenseFacts } from '../licensing/index.ts'
import { loadOwnerPolicies, loadTenantPolicies, type PoliciesInForce, type PolicyRevision } from '../policy/index.ts'
import { loadCatalog, type Catalog } from '../routing/index.ts'
import { loadPriceBook, planRevisionAt, type PlanRevision, type PriceBook } from '../billing/index.ts'

/** More changed tenants than this at once, and everything is read again. */
const changedTenantsMax = 200
/** Unknown keys make this process look at the database this often at most, whoever asks; all of them wait for one look. */
const lookAgainMs = 100

interface KnownTenant {
  readonly identity: TenantIdentity
  readonly licenses: readonly LicenseFacts[]
  readonly policies: PolicyRevision | undefined
}

/**
 * What is known of the declarations: plain values. A process has its own; on Workers it outlives the request that read
 * it, and the next request reads what has changed since, over a connection of its own.
 */
export interface Known {
  tenants: Map<Uuid, KnownTenant>
  keys: Map<string, KeyFacts>
  clients: Map<string, ClientFacts>
  catalog: Catalog
  prices: PriceBook
  /** The owner's. */
  policies: PolicyRevision | undefined
  seenSeq: bigint
  /** When somebody last looked for a key that is not known. */
  lookedAtMs: number
  /** When the database last confirmed that nothing newer is known. */
  confirmedAtMs: number
}

export const nothingKnown = (): Known => ({
  tenants: new Map(),
  keys: new Map(),
  clients: new Map(),
  catalog: new Map(),
  prices: new Map(),
  policies: undefined,
  seenSeq: -1n,
  lookedAtMs: Number.NEGATIVE_INFINITY,
  confirmedAtMs: Number.NEGATIVE_INFINITY,
})

interface Changes {
  readonly newestSeq: bigint
  /** Undefined: unchanged. */
  readonly shared: Pick<Known, 'catalog' | 'prices' | 'policies'> | undefined
  readonly tenants:
    | { readonly all: readonly KnownTenant[] }
    | { readonly some: ReadonlyMap<Uuid, KnownTenant | undefined> }
}

interface DirectoryNeeds {
  readonly database: Database
  readonly log: Log
  readonly known: Known
  /** What was confirmed longer ago is too old to decide by. Infinite where a poll keeps it fresh. */
  readonly staleAfterMs: number
  now(): Instant
  monotonicMs(): number
}

/**
 * What the gates need to know, in memory: tenants, keys, licenses, policies, models, prices. Declarations are numbered in the
 * order of their commits; a refresh reads what has changed since the last number seen. A notification makes it look at
 * once, and a poll looks anyway, so that a "no" is here within a second even when a notification is lost. Where neither
 * is, as on Workers, what is known goes stale, and the first step of a call, its key, makes it look.
 */
export class Directory {
  readonly #needs: DirectoryNeeds
  readonly #known: Known
  #refreshing: Promise<void> | undefined
  #askedAgain = false
  /** A look at the database that has not begun: whoever asks now is answered by what it finds. */
  #nextLook: Promise<void> | undefined
  /** When the last of those asked who wait for it. */
  #lastAskedMs = Number.NEGATIVE_INFINITY
  #tellConfirmed: (() => void) | undefined

  constructor(needs: DirectoryNeeds) {
    this.#needs = needs
    this.#known = needs.known
  }

  /** Undefined for a key that is not known, and for every key while what is known is stale. */
  findKey(keyId: string): KeyFacts | undefined {
    return this.#isStale() ? undefined : this.#known.keys.get(keyId)
  }

  /** What was known of a key when this process last looked, stale or not: for a call that was admitted by it. */
  lastKnownKey(keyId: string): KeyFacts | undefined {
    return this.#known.keys.get(keyId)
  }

  /** One listener, told after each look at the database: of a no it learns within a second. */
  onConfirmed(tell: () => void): void {
    this.#tellConfirmed = tell
  }

  /** Looks when what is known is stale. @throws Failure when the database is away. */
  async confirm(): Promise<void> {
    if (this.#isStale()) await this.refresh()
  }

  /** As `findKey`, by client id. */
  findClient(clientId: string): ClientFacts | undefined {
    return this.#isStale() ? undefined : this.#known.clients.get(clientId)
  }

  /** As `lastKnownKey`, by client id. */
  lastKnownClient(clientId: string): ClientFacts | undefined {
    return this.#known.clients.get(clientId)
  }

  /** @throws Failure when the database is away: nobody is refused for an outage of ours. */
  async findKeyAgain(keyId: string): Promise<KeyFacts | undefined> {
    await this.#lookAgain()
    return this.#known.keys.get(keyId)
  }

  /** As `findKeyAgain`, by client id. */
  async findClientAgain(clientId: string): Promise<ClientFacts | undefined> {
    await this.#lookAgain()
    return this.#known.clients.get(clientId)
  }

  async #lookAgain(): Promise<void> {
    if (this.#isStale()) await this.refresh()
    else {
      this.#lastAskedMs = this.#needs.monotonicMs()
      await (this.#nextLook ??= this.#lookSoon())
    }
  }

  /**
   * Looks, unless somebody else confirms meanwhile what is known: on Workers that is another request.
   * @throws Failure when the database is away: nobody can say then that a key is wrong.
   */
  async #lookSoon(): Promise<void> {
    const known = this.#known
    const isConfirmed = () => known.confirmedAtMs >= this.#lastAskedMs
    const waitMs = () => known.lookedAtMs + lookAgainMs - this.#needs.monotonicMs()
    // The promise of this look is noted before the look is over, also where there is nothing to wait for.
    await Promise.resolve()
    for (let left = waitMs(); !isConfirmed() && left > 0; left = waitMs())
      await new Promise((resolve) => setTimeout(resolve, left))
    this.#nextLook = undefined
    if (isConfirmed()) return
    known.lookedAtMs = this.#needs.monotonicMs()
    await this.refresh()
  }

  findLicenses(tenantId: Uuid): readonly LicenseFacts[] {
    return this.#known.tenants.get(tenantId)?.licenses ?? []
  }

  catalog(): Catalog {
    return this.#known.catalog
  }

  policiesFor(tenantId: Uuid): PoliciesInForce {
    return { owner: this.#known.policies, tenant: this.#known.tenants.get(tenantId)?.policies }
  }

  /** Whether the owner has policies. Without any, every call is refused. */
  get hasPolicies(): boolean {
    return this.#known.policies !== undefined
  }

  planAt(plan: string, at: Instant): PlanRevision | undefined {
    return planRevisionAt(this.#known.prices, plan, at)
  }

  /** The institution whose models these are. */
  get ownerName(): string {
    for (const { identity } of this.#known.tenants.values())
      if (identity.tenant.kind === 'owner') return identity.tenant.tenant
    return 'owner'
  }

  get tenantsKnown(): number {
    return this.#known.tenants.size
  }

  get isLoaded(): boolean {
    return this.#known.seenSeq >= 0n
  }

  #isStale(): boolean {
    return this.#needs.monotonicMs() - this.#known.confirmedAtMs > this.#needs.staleAfterMs
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
      const changes = await systemTransaction(this.#needs.database, 'read-directory', (tx) => this.#readChanges(tx))
      this.#adopt(changes, askedMs)
      this.#tellConfirmed?.()
    } while (this.#askedAgain)
  }

  async #readChanges(tx: Tx): Promise<Changes> {
    const { seenSeq } = this.#known
    const rows = await tx
      .selectFrom('directory_change')
      .select(['change_seq', 'tenant_id'])
      .where('change_seq', '>', seenSeq)
      .orderBy('change_seq', 'desc')
      .limit(10_000)
      .execute()
    const changed = new Set(rows.map((row) => row.tenant_id))
    const tenantIds = [...changed].filter((tenantId) => tenantId !== null)
    const everything = seenSeq < 0n || rows.length === 10_000 || tenantIds.length > changedTenantsMax
    return {
      newestSeq: rows[0]?.change_seq ?? (seenSeq < 0n ? 0n : seenSeq),
      shared:
        everything || changed.has(null)
          ? {
              catalog: await loadCatalog(tx),
              prices: await loadPriceBook(tx),
              policies: await loadOwnerPolicies(tx),
            }
          : undefined,
      tenants: everything ? { all: await this.#readAll(tx) } : { some: await this.#readSome(tx, tenantIds) },
    }
  }

  async #readAll(tx: Tx): Promise<readonly KnownTenant[]> {
    const identities = await loadIdentities(tx, 'all', this.#needs.now())
    const licensesOf = Map.groupBy(await loadLicenses(tx, 'all'), (license) => license.tenantId)
    const policiesOf = await loadTenantPolicies(tx, 'all')
    return identities.map((identity) => {
      const { tenantId } = identity.tenant
      return { identity, licenses: licensesOf.get(tenantId) ?? [], policies: policiesOf.get(tenantId) }
    })
  }

  async #readSome(tx: Tx, tenantIds: readonly Uuid[]): Promise<ReadonlyMap<Uuid, KnownTenant | undefined>> {
    if (tenantIds.length === 0) return new Map()
    const identities = await loadIdentities(tx, tenantIds, this.#needs.now())
    const identityOf = new Map(identities.map((identity) => [identity.tenant.tenantId, identity]))
    const licensesOf = Map.groupBy(await loadLicenses(tx, tenantIds), (license) => license.tenantId)
    const policiesOf = await loadTenantPolicies(tx, tenantIds)
    return new Map(
      tenantIds.map((tenantId): [Uuid, KnownTenant | undefined] => {
        const identity = identityOf.get(tenantId)
        if (identity === undefined) return [tenantId, undefined]
        return [tenantId, { identity, licenses: licensesOf.get(tenantId) ?? [], policies: policiesOf.get(tenantId) }]
      }),
    )
  }

  /**
   * In one turn, so that nobody sees half of it. Two requests may have read at once, and the one that read less may come
   * last: what it says is known already.
   */
  #adopt({ newestSeq, shared, tenants }: Changes, askedMs: number): void {
    const known = this.#known
    if (newestSeq >= known.seenSeq) {
      if (shared !== undefined) Object.assign(known, shared)
      if ('all' in tenants) this.#replaceAll(tenants.all)
      else for (const [tenantId, tenant] of tenants.some) this.#replace(tenantId, tenant)
      known.seenSeq = newestSeq
    }
    known.confirmedAtMs = Math.max(known.confirmedAtMs, askedMs)
  }

  #replaceAll(tenants: readonly KnownTenant[]): void {
    this.#known.tenants = new Map(tenants.map((tenant) => [tenant.identity.tenant.tenantId, tenant]))
    this.#known.keys = new Map(tenants.flatMap(({ identity }) => identity.keys.map((key) => [key.keyId, key])))
    this.#known.clients = new Map(
      tenants.flatMap(({ identity }) => identity.clients.map((client) => [client.clientId, client])),
    )
  }

  #replace(tenantId: Uuid, tenant: KnownTenant | undefined): void {
    const { tenants, keys, clients } = this.#known
    for (const key of tenants.get(tenantId)?.identity.keys ?? []) keys.delete(key.keyId)
    for (const client of tenants.get(tenantId)?.identity.clients ?? []) clients.delete(client.clientId)
    if (tenant === undefined) {
      tenants.delete(tenantId)
      return
    }
    tenants.set(tenantId, tenant)
    for (const key of tenant.identity.keys) keys.set(key.keyId, key)
    for (const client of tenant.identity.clients) clients.set(client.clientId, client)
  }
}
