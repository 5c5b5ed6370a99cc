import { Failure, type Instant, type Uuid } from '../kernel/index.ts'
import { systemTransaction, tenantTransaction, type Database, type Tx } from '../db/index.ts'
import { loadLicenses, type LicenseFacts } from '../licensing/index.ts'
import { loadCatalog, type Catalog } from '../routing/index.ts'
import { loadPriceBook, type PriceBook } from '../billing/index.ts'
import { periodOf } from '../quota/index.ts'
import { loadAccounts, loadTenants, sumUse, type AccountRow, type TenantRow, type UseRow } from './store.ts'

/** Organizations on one page; the rest are told by their number. */
const tenantsMax = 200

export interface OverviewFacts {
  /** Of one tenant, for its own people; otherwise of everybody. */
  readonly isOfOne: boolean
  readonly now: Instant
  readonly tenants: readonly TenantRow[]
  readonly tenantsInAll: number
  readonly licenses: readonly LicenseFacts[]
  readonly accounts: readonly AccountRow[]
  readonly catalog: Catalog
  readonly prices: PriceBook
  /** Undefined when the ledger took longer to add up than a page may wait. */
  readonly use: readonly UseRow[] | undefined
}

/** Everything on the page, read in two transactions: what is declared, and what was used. @throws Failure */
export async function loadOverview(
  database: Database,
  ofTenant: Uuid | undefined,
  now: Instant,
): Promise<OverviewFacts> {
  // In a transaction of a tenant there is nobody else to be seen, whatever the queries say.
  const within = <T>(work: (tx: Tx) => Promise<T>): Promise<T> =>
    ofTenant === undefined
      ? systemTransaction(database, 'administer', work)
      : tenantTransaction(database, ofTenant, work)
  const declared = await within(async (tx) => {
    const { tenants, all } = await loadTenants(tx, now, tenantsMax)
    const tenantIds = tenants.map(({ tenantId }) => tenantId)
    return {
      tenants,
      tenantsInAll: all,
      licenses: await loadLicenses(tx, 'all'),
      accounts: await loadAccounts(tx, tenantIds, now),
      catalog: await loadCatalog(tx),
      prices: await loadPriceBook(tx),
    }
  })
  const tenantIds = declared.tenants.map(({ tenantId }) => tenantId)
  const { start, end } = periodOf('month', { start: now, end: now }, now)
  const use = await within((tx) => sumUse(tx, tenantIds, { from: start, to: end })).catch((error: unknown) => {
    if (error instanceof Failure) return undefined
    throw error
  })
  return { now, isOfOne: ofTenant !== undefined, ...declared, use }
}
