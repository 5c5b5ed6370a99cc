import { Failure, type Instant, type Uuid } from '../kernel/index.ts'
import { systemTransaction, tenantTransaction, type Database } from '../db/index.ts'
import { listKeys, type KeySummary } from '../identity/index.ts'
import { loadOwnerName } from '../licensing/index.ts'
import { reportUsage, type UsageTotal } from '../metering/index.ts'
import {
  listInvoices,
  listPeriodsOf,
  monthOf,
  previewInvoice,
  readDocument,
  type InvoiceDocument,
  type InvoiceRow,
  type Period,
} from '../billing/index.ts'
import { findTenant } from './store.ts'

const invoicesOnPage = 24
/** An organization has one license at a time; one that has had more shows these. */
const licensesMax = 10

export interface OrganizationFacts {
  readonly now: Instant
  readonly owner: string
  readonly tenant: string
  readonly name: string
  readonly period: Period
  readonly keys: readonly KeySummary[]
  readonly usage: readonly UsageTotal[]
  /** By license, what this month would be invoiced at; undefined when that took longer than a page may wait. */
  readonly expected: readonly InvoiceDocument[] | undefined
  readonly invoices: readonly InvoiceRow[]
}

/**
 * What an organization's administrator wants to know: their keys, what was used this month, what it will cost, and what was
 * invoiced. All of it is read in transactions of that tenant, which see nothing of others, whoever looks. Undefined when
 * there is no such organization. @throws Failure
 */
export async function loadOrganization(
  database: Database,
  { of, now }: { of: { readonly tenant: string } | { readonly tenantId: Uuid }; now: Instant },
): Promise<OrganizationFacts | undefined> {
  const found = await systemTransaction(database, 'administer', async (tx) => {
    const row = await findTenant(tx, of)
    return row === undefined ? undefined : { ...row, owner: await loadOwnerName(tx) }
  })
  if (found === undefined) return undefined
  const { tenantId, tenant, name, owner } = found
  const period = monthOf(now)
  const own = await tenantTransaction(database, tenantId, async (tx) => ({
    keys: await listKeys(tx, tenant),
    usage: await reportUsage(tx, { from: period.start, to: period.end, tenant }),
    invoices: await listInvoices(tx, {
      tenant,
      license: undefined,
      period: undefined,
      after: undefined,
      limit: invoicesOnPage,
    }),
    licenses: await listPeriodsOf(tx, { period, tenant, state: undefined, after: '', limit: licensesMax }),
  }))
  const expected = await tenantTransaction(database, tenantId, async (tx) => {
    const documents: InvoiceDocument[] = []
    for (const { license } of own.licenses) {
      const previewed = await previewInvoice(tx, { license, period, now, seller: owner })
      if (previewed.ok) documents.push(readDocument(previewed.value.text))
    }
    return documents
  }).catch((error: unknown) => {
    if (error instanceof Failure) return undefined
    throw error
  })
  return { now, owner, tenant, name, period, keys: own.keys, usage: own.usage, expected, invoices: own.invoices }
}
