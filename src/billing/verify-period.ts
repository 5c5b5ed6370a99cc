import { canonicalJson, err, ok, type Result, type StartSha256 } from '../kernel/index.ts'
import { systemTransaction, type Database } from '../db/index.ts'
import { findLicenseRow } from '../licensing/index.ts'
import { basisDocument } from './basis.ts'
import { freezeUsage } from './freeze-usage.ts'
import { invoiceDocument, noTax, type Tax } from './invoice.ts'
import { composeInvoice } from './issue-invoice.ts'
import type { Period } from './month.ts'
import { loadPriceBook } from './store.ts'
import { loadInvoices } from './store-invoice.ts'
import { loadStandingClosings } from './store-period.ts'
import { readFrozen } from './store-read-frozen.ts'

export interface Verified {
  readonly rows: bigint
  readonly usageSha256: string
  readonly invoice: string | undefined
  /** What is not as it was frozen, a sentence each; nothing when all is. */
  readonly differences: readonly string[]
}

export type VerifyRefusal =
  | { reason: 'license_not_found'; license: string }
  | { reason: 'period_not_closed'; license: string; period: Period }

/**
 * Makes a closed month again from the ledger: its rows' hash, its sums and its invoice, byte for byte, and says where they
 * are not what was frozen. It writes nothing.
 */
export async function verifyPeriod(
  needs: { database: Database; startSha256: StartSha256; tax?: Tax | undefined },
  { license, period }: { license: string; period: Period },
): Promise<Result<Verified, VerifyRefusal>> {
  return systemTransaction(needs.database, 'bill', async (tx): Promise<Result<Verified, VerifyRefusal>> => {
    const row = await findLicenseRow(tx, license)
    if (row === undefined) return err({ reason: 'license_not_found', license })
    const month = { tenantId: row.tenantId, license, period }
    const standing = await loadStandingClosings(tx, month)
    const closing = standing.find((one) => one.period.start === period.start)
    if (closing === undefined) return err({ reason: 'period_not_closed', license, period })
    const { basis } = closing
    const frozen = await freezeUsage((which) => readFrozen(tx, { ...month, which }), {
      conditions: basis.conditions,
      startSha256: needs.startSha256,
    })
    const again = {
      ...closing,
      ...frozen,
      basis: { ...basis, use: { ...basis.use, usage: frozen.usage }, late: frozen.late },
    }
    const book = await loadPriceBook(tx)
    const composed = await composeInvoice(tx, {
      month,
      tenant: row.tenant,
      closing: again,
      standing,
      book,
      tax: needs.tax ?? noTax,
    })
    const [kept] = closing.invoice === undefined ? [] : await loadInvoices(tx, { number: closing.invoice })
    const text =
      kept === undefined
        ? undefined
        : invoiceDocument(
            { ...composed.head, number: kept.number, kind: 'invoice' },
            composed.made.lines,
            composed.proof,
          )
    const checks: readonly (readonly [string, unknown, unknown])[] = [
      ['the number of rows', frozen.rows, closing.rows],
      ['the hash of the rows', frozen.usageSha256, closing.usageSha256],
      ['the number of late rows', frozen.lateRows, closing.lateRows],
      ['the hash of the late rows', frozen.lateSha256, closing.lateSha256],
      ['the sums', canonicalJson(basisDocument(again.basis)), canonicalJson(basisDocument(basis))],
      ['the invoice', text, kept?.document],
    ]
    return ok({
      rows: frozen.rows,
      usageSha256: frozen.usageSha256,
      invoice: closing.invoice,
      differences: checks.filter(([, is, was]) => is !== was).map(([what]) => `${what} is not what was frozen`),
    })
  })
}
