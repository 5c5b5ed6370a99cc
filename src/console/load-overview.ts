import { Failure, type Instant, type Uuid } from '../kernel/index.ts'
import { systemTransaction, tenantTransaction, type Database, type Tx } from '../db/index.ts'
import { loadLicenses, loadOwnerName, type LicenseFacts } from '../licensing/index.ts'
import { loadCatalog, type Catalog } from '../routing/index.ts'
import { loadPriceBook, type PriceBook } from '../billing/index.ts'
import { periodOf } from '../quota/index.ts'
import type { Standing } from './standing.ts'
import {
  findTenants,
  loadAccounts,
  sumAllUse,
  sumUse,
  type AccountRow,
  type TenantCursor,
  type TenantRow,
  type UseRow,
} from './store.ts'

/** Organizations on one page. */
export const tenantsOnPage = 50

/** Which organizations somebody wants to see. */
export interface OverviewAsked {
  readonly find: string
  readonly standing: Standing | undefined
  readonly after: TenantCursor | undefined
}
export const everybody: OverviewAsked = { find: '', standing: undefined, after: undefined }

export interface OverviewFacts {
  /** Of one tenant, for its own people; otherwise of everybody. */
  readonly isOfOne: boolean
  readonly now: Instant
  readonly asked: OverviewAsked
  readonly owner: string
  readonly tenants: readonly TenantRow[]
  /** How many were found, those on other pages included. */
  readonly found: number
  readonly hasMore: boolean
  /** How many organizations there are beside the owner. */
  readonly licensees: number
  readonly licenses: readonly LicenseFacts[]
  readonly accounts: readonly AccountRow[]
  readonly catalog: Catalog
  readonly prices: PriceBook
  /** Undefined when the ledger took longer to add up than a page may wait. */
  readonly use: { readonly ofTenants: readonly UseRow[]; readonly ofAll: readonly UseSum[] } | undefined
}
export type UseSum = Pick<UseRow, 'currency' | 'calls' | 'charge'>

/**
 * Everything on the page, read in two transactions: what is declared, and what was used. Each kind of thing is one statement
 * over the organizations on this page, however many there are in all. @throws Failure
 */
export async function loadOverview(
  database: Database,
  ofTenant: Uuid | undefined,
  now: Instant,
  asked: OverviewAsked = everybody,
): Promise<OverviewFacts> {
  // In a transaction of a tenant there is nobody else to be seen, whatever the queries say.
  const within = <T>(work: (tx: Tx) => Promise<T>): Promise<T> =>
    ofTenant === undefined
      ? systemTransaction(database, 'administer', work)
      : tenantTransaction(database, ofTenant, work)
  const declared = await within(async (tx) => {
    const { tenants: read, ...counts } = await findTenants(tx, { ...asked, now, limit: tenantsOnPage + 1 })
    const tenants = read.slice(0, tenantsOnPage)
    const tenantIds = tenants.map(({ tenantId }) => tenantId)
    return {
      ...counts,
      tenants,
      hasMore: read.length > tenants.length,
      owner: await loadOwnerName(tx),
      licenses: tenantIds.length === 0 ? [] : await loadLicenses(tx, tenantIds),
      accounts: await loadAccounts(tx, tenantIds, now),
      catalog: await loadCatalog(tx),
      prices: await loadPriceBook(tx),
    }
  })
  const tenantIds = declared.tenants.map(({ tenantId }) => tenantId)
  const { start, end } = periodOf('month', { start: now, end: now }, now)
  const use = await within(async (tx) => ({
    ofTenants: await sumUse(tx, tenantIds, { from: start, to: end }),
    ofAll: await sumAllUse(tx, { from: start, to: end }),
  })).catch((error: unknown) => {
    if (error instanceof Failure) return undefined
    throw error
  })
  return { now, asked, isOfOne: ofTenant !== undefined, ...declared, use }
}
