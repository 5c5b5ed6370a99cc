import { z } from '@hono/zod-openapi'
import { assert, err, ok, type Result } from '../../kernel/index.ts'
import {
  exportFocus,
  exportJournal,
  exportUsage,
  focusDatasets,
  focusFormats,
  monthName,
  packPeriod,
  type EvidenceRefusal,
} from '../../billing/index.ts'
import { systemTransaction } from '../../db/index.ts'
import type { Role } from '../../identity/index.ts'
import { findLicenseRow, loadOwnerName } from '../../licensing/index.ts'
import { untilUnfolded } from '../../metering/index.ts'
import { BrokenDownload, defineDownload, type Doing } from '../operation.ts'
import { MonthName, Name, ownersAuditors, periodNamed } from '../parts.ts'
import { notFound, type AdminRefusal } from '../refusal.ts'
import { findTenant } from './tenants.ts'

/** Finance and auditors; of its own tenant an administrator. */
const exporters: readonly Role[] = [...ownersAuditors, 'tenant-admin']

const encoder = new TextEncoder()
const OfMonth = { month: MonthName }
const csv = 'text/csv; charset=utf-8; header=present'

/** The owner's name stands on every row, and a tenant's transaction does not see the owner. */
const sellerOf = ({ needs }: Doing): Promise<string> => systemTransaction(needs.database, 'administer', loadOwnerName)

export const exportFocusDataset = defineDownload({
  id: 'exportFocus',
  path: '/exports/focus/{dataset}',
  tag: 'exports',
  summary: 'A month as FOCUS 1.4, one of its four datasets',
  roles: exporters,
  forms: ['text/csv', 'application/jsonl'],
  params: z.strictObject({ dataset: z.enum(focusDatasets) }),
  query: z.strictObject({
    ...OfMonth,
    tenant: Name.optional(),
    license: Name.optional(),
    format: z.enum(focusFormats).default('csv'),
  }),
  async open(doing, { params: { dataset }, query: { month, tenant, license, format } }) {
    const { tx, needs, by } = doing
    if (tenant !== undefined && (await findTenant(tx, tenant)) === undefined) return err([notFound('tenant', tenant)])
    if (license !== undefined && (await findLicenseRow(tx, license)) === undefined)
      return err([notFound('license', license)])
    await untilUnfolded(needs.database)
    const seller = await sellerOf(doing)
    const wish = { dataset, format, period: periodNamed(month), tenant, license, now: by.now, seller }
    return ok({
      type: format === 'csv' ? csv : 'application/jsonl',
      name: `${dataset}-${month}.${format}`,
      async write(to) {
        const told = await exportFocus(tx, wish, (text) => to(encoder.encode(text)))
        if (!told.ok && told.error.reason === 'currencies_differ')
          throw new BrokenDownload(`${told.error.license} ${month} is priced in ${told.error.currencies.join(' and ')}`)
        if (!told.ok && told.error.reason === 'usage_differs')
          throw new BrokenDownload(`${told.error.license} ${month} is not what was frozen, line ${told.error.line}`)
      },
    })
  },
})

export const exportJournalEntries = defineDownload({
  id: 'exportJournal',
  path: '/exports/journal',
  tag: 'exports',
  summary: 'The journal of a month, a row per posting',
  roles: ownersAuditors,
  forms: ['text/csv'],
  query: z.strictObject({ ...OfMonth, tenant: Name.optional(), license: Name.optional() }),
  async open({ tx }, { query: { month, tenant, license } }) {
    if (tenant !== undefined && (await findTenant(tx, tenant)) === undefined) return err([notFound('tenant', tenant)])
    return ok({
      type: csv,
      name: `journal-${month}.csv`,
      async write(to) {
        const { sums } = await exportJournal(tx, { period: periodNamed(month), tenant, license }, (text) =>
          to(encoder.encode(text)),
        )
        assert(
          [...sums.values()].every((sum) => sum === 0n),
          `the journal of ${month} does not sum to zero`,
        )
      },
    })
  },
})

export const exportUsageRows = defineDownload({
  id: 'exportUsage',
  path: '/exports/usage/{license}',
  tag: 'exports',
  summary: 'The rows that a month counts, as its hash is of them',
  roles: exporters,
  forms: ['text/csv'],
  params: z.strictObject({ license: Name }),
  query: z.strictObject({ ...OfMonth, which: z.enum(['own', 'late']).default('own') }),
  async open({ tx, needs }, { params: { license }, query: { month, which } }) {
    if ((await findLicenseRow(tx, license)) === undefined) return err([notFound('license', license)])
    await untilUnfolded(needs.database)
    return ok({
      type: csv,
      name: `usage-${month}${which === 'late' ? '-late' : ''}.csv`,
      write: async (to) =>
        void (await exportUsage(tx, { license, period: periodNamed(month), which }, (text) =>
          to(encoder.encode(text)),
        )),
    })
  },
})

export const exportEvidence = defineDownload({
  id: 'exportEvidence',
  path: '/exports/evidence/{license}',
  tag: 'exports',
  summary: 'All that an auditor is given of a closed month, in one archive',
  roles: exporters,
  forms: ['application/x-tar'],
  params: z.strictObject({ license: Name }),
  query: z.strictObject(OfMonth),
  async open(doing, { params: { license }, query: { month } }) {
    const { startSha256 } = doing.needs.billing
    const seller = await sellerOf(doing)
    const packed = await packPeriod(doing.tx, { license, period: periodNamed(month), seller, startSha256 })
    if (!packed.ok) return refused(packed.error)
    return ok({
      type: 'application/x-tar',
      name: `evidence-${license}-${month}.tar`,
      write: (to) => packed.value.write(to),
    })
  },
})

function refused(refusal: EvidenceRefusal): Result<never, readonly AdminRefusal[]> {
  if (refusal.reason === 'license_not_found') return err([notFound('license', refusal.license)])
  const { reason } = refusal
  const month = `${monthName(refusal.period)} of ${refusal.license}`
  return err([
    {
      status: 409,
      reason,
      message:
        reason === 'period_not_closed'
          ? `${month} is not closed.`
          : `The calls of line ${refusal.line} of ${month} are not what was frozen.`,
    },
  ])
}
