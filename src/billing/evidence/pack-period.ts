import { canonicalJson, err, instant, isoOf, ok, type Json, type Result, type StartSha256 } from '../../kernel/index.ts'
import { loadAuditEntries, type RecordedEntry } from '../../audit/index.ts'
import type { Tx } from '../../db/index.ts'
import { findLicenseRow } from '../../licensing/index.ts'
import { exportFocus } from '../export-focus.ts'
import { exportJournal } from '../export-journal.ts'
import { exportUsage } from '../export-usage.ts'
import { datasets } from '../focus/columns.ts'
import { invoiceCsv } from '../invoice-csv.ts'
import { invoicePage } from '../invoice-page.ts'
import { monthName, type Period } from '../month.ts'
import { readDocument } from '../read-document.ts'
import { loadInvoices } from '../store-invoice.ts'
import { loadStandingClosings, type StandingClosing } from '../store-period.ts'
import { ratedCsv } from './rated-csv.ts'
import { tarEnd, tarGap, tarHead } from './tar.ts'

export type EvidenceRefusal =
  | { reason: 'license_not_found'; license: string }
  | { reason: 'period_not_closed'; license: string; period: Period }
  | { reason: 'usage_differs'; license: string; period: Period; line: number }

export interface EvidenceWish {
  readonly license: string
  readonly period: Period
  /** Of the comparison with the host's and Stripe's figures, as it was written; absent where there is none. */
  readonly reconciliation?: { readonly name: string; readonly text: string } | undefined
  /** The owner's name, where the transaction cannot see it. */
  readonly seller?: string | undefined
}

/** A file of the pack: it is written twice, once for its length and hash, and once into the archive. */
interface Part {
  readonly name: string
  readonly write: (to: (text: string) => void | Promise<void>) => Promise<void>
}

export interface PackedFile {
  readonly path: string
  readonly bytes: number
  readonly sha256: string
}

export interface Evidence {
  readonly closing: number
  readonly files: readonly PackedFile[]
  /** Of the manifest, which names all others. */
  readonly manifestSha256: string
  /** The archive, piece by piece. */
  write(to: (bytes: Uint8Array) => void | Promise<void>): Promise<void>
}

/**
 * What an auditor is given of a closed month: what was used and its hash, what came of it line by line, the invoice in its
 * forms, the journal, FOCUS, and who closed it, in one archive whose first file names all others with their SHA-256. It is
 * made of what the closing froze and of what was recorded up to then, so that it comes out the same, byte for byte, whenever
 * it is made.
 */
export async function packPeriod(
  tx: Tx,
  { startSha256, ...wish }: EvidenceWish & { startSha256: StartSha256 },
): Promise<Result<Evidence, EvidenceRefusal>> {
  const { license, period } = wish
  const row = await findLicenseRow(tx, license)
  if (row === undefined) return err({ reason: 'license_not_found', license })
  const closing = (await loadStandingClosings(tx, { ...row, license })).find((one) => one.period.start === period.start)
  if (closing === undefined) return err({ reason: 'period_not_closed', license, period })
  const parts = await partsOf(tx, { wish, tenantId: row.tenantId, closing })
  const files: PackedFile[] = []
  for (const { name, write } of parts) {
    const digest = startSha256()
    let bytes = 0
    try {
      await write((text) => {
        digest.update(text)
        bytes += encoder.encode(text).length
      })
    } catch (error) {
      if (!(error instanceof Untold)) throw error
      return err({ reason: 'usage_differs', license, period, line: error.line })
    }
    files.push({ path: name, bytes, sha256: digest.hex() })
  }
  const manifest = manifestOf(wish, { tenant: row.tenant, closing, files })
  const digest = startSha256()
  digest.update(manifest)
  return ok({
    closing: closing.closing,
    files,
    manifestSha256: digest.hex(),
    async write(to) {
      const add = async (name: string, bytes: number, write: Part['write']) => {
        await to(tarHead(name, bytes))
        await write((text) => to(encoder.encode(text)))
        await to(tarGap(bytes))
      }
      await add('manifest.json', encoder.encode(manifest).length, async (write) => {
        await write(manifest)
      })
      for (const [at, part] of parts.entries())
        await add(part.name, files[at]?.bytes ?? 0, (write) => part.write(write))
      await to(tarEnd())
    },
  })
}

const encoder = new TextEncoder()

/** A month whose days are not what its lines cost. */
class Untold extends Error {
  readonly line: number

  constructor(line: number) {
    super('a month is not what was frozen')
    this.line = line
  }
}

const manifestOf = (
  { license, period }: EvidenceWish,
  { tenant, closing, files }: { tenant: string; closing: StandingClosing; files: readonly PackedFile[] },
): string =>
  `${canonicalJson({
    pack: 'formulary-period-evidence/1',
    tenant,
    license,
    month: monthName(period),
    closing: closing.closing,
    usageSha256: closing.usageSha256,
    lateSha256: closing.lateSha256,
    invoice: closing.invoice,
    files: files.map(({ path, bytes, sha256 }) => ({ path, bytes, sha256 })),
  })}\n`

async function partsOf(
  tx: Tx,
  { wish, tenantId, closing }: { wish: EvidenceWish; tenantId: string; closing: StandingClosing },
): Promise<readonly Part[]> {
  const { license, period, reconciliation } = wish
  const [invoice] = closing.invoice === undefined ? [] : await loadInvoices(tx, { number: closing.invoice })
  const document = invoice === undefined ? undefined : readDocument(invoice.document)
  const whole = (name: string, text: string): Part => ({
    name,
    async write(to) {
      await to(text)
    },
  })
  const page = document === undefined ? '' : await invoicePage(document)
  return [
    whole('closing.json', `${canonicalJson(closingDocument(closing))}\n`),
    {
      name: 'usage.csv',
      write: async (to) => void (await exportUsage(tx, { license, period, which: 'own' }, to)),
    },
    {
      name: 'usage-late.csv',
      write: async (to) => void (await exportUsage(tx, { license, period, which: 'late' }, to)),
    },
    ...(invoice === undefined || document === undefined
      ? []
      : [
          whole('rated-lines.csv', ratedCsv(document)),
          whole('invoice.json', invoice.document),
          whole('invoice.csv', invoiceCsv(document)),
          whole('invoice.html', page),
        ]),
    {
      name: 'journal.csv',
      write: async (to) => void (await exportJournal(tx, { license, period, until: closing.closedAt }, to)),
    },
    ...datasets.map((dataset): Part => ({
      name: `focus/${dataset}.csv`,
      async write(to) {
        const told = await exportFocus(
          tx,
          { dataset, format: 'csv', license, period, now: closing.closedAt, seller: wish.seller },
          to,
        )
        if (!told.ok && told.error.reason === 'usage_differs') throw new Untold(told.error.line)
      },
    })),
    whole('audit.jsonl', (await auditEntries(tx, { license, period, tenantId, closing })).map(auditLine).join('')),
    ...(reconciliation === undefined ? [] : [whole(`reconciliation/${reconciliation.name}`, reconciliation.text)]),
  ]
}

const closingDocument = (closing: StandingClosing): Json => ({
  closing: closing.closing,
  closedAt: isoOf(closing.closedAt),
  closedBy: closing.closedBy,
  checklist: closing.checklist.map(({ item, state, found, reason }) => ({ item, state, found, reason })),
  rows: String(closing.rows),
  usageSha256: closing.usageSha256,
  lateRows: String(closing.lateRows),
  lateSha256: closing.lateSha256,
  invoice: closing.invoice,
})

const pageMax = 500

/** What was done to the month up to the closing that stands, and no later: how it was closed, reopened and closed again. */
async function auditEntries(
  tx: Tx,
  of: { license: string; period: Period; tenantId: string; closing: StandingClosing },
): Promise<readonly RecordedEntry[]> {
  const entity = { type: 'period', id: `${of.license}/${monthName(of.period)}` }
  const found: RecordedEntry[] = []
  for (let after: { recordedAt: RecordedEntry['recordedAt']; entryId: RecordedEntry['entryId'] } | undefined; ;) {
    const page = await loadAuditEntries(tx, {
      tenantId: of.tenantId,
      entity,
      action: undefined,
      from: instant(0),
      to: instant(8_640_000_000_000_000 / 1000),
      after,
      limit: pageMax,
    })
    found.push(...page)
    const last = page.at(-1)
    if (page.length < pageMax || last === undefined) break
    after = { recordedAt: last.recordedAt, entryId: last.entryId }
  }
  const end = found.findLastIndex(
    ({ action, entity: { revision } }) => action === 'period.close' && revision === String(of.closing.closing),
  )
  return found.slice(0, end + 1)
}

const auditLine = (entry: RecordedEntry): string =>
  `${canonicalJson({
    entry: entry.entryId,
    at: isoOf(entry.at),
    action: entry.action,
    agent: { kind: entry.agent.kind, name: entry.agent.name, roles: [...entry.agent.roles] },
    approvedBy: entry.approvedBy?.name,
    entity: { type: entry.entity.type, id: entry.entity.id, revision: entry.entity.revision },
    outcome: entry.outcome,
    reason: entry.reason,
    facts: entry.facts as Json,
  })}\n`
