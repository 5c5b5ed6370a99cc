import { formatAmount, isoOf, picos, type Instant, type Picos } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import type { Period } from './month.ts'
import { listJournal, type JournalEntry } from './store-journal.ts'

export const journalColumns = [
  'period',
  'at',
  'tenant',
  'license',
  'document',
  'kind',
  'posting',
  'account',
  'sku',
  'currency',
  'debit',
  'credit',
  'entry',
  'reverses',
  'recorded_by',
] as const

export interface JournalTold {
  readonly entries: number
  readonly postings: number
  /** By currency, debits less credits: zero, or the journal is broken. */
  readonly sums: ReadonlyMap<string, Picos>
}

/**
 * Writes the journal of a billing period as CSV (RFC 4180), a row per posting, debits and credits in columns of their own as
 * bookkeeping programs read them, before rounding to twelve places. Says what they add up to.
 */
export async function exportJournal(
  tx: Tx,
  of: { period: Period; tenant?: string | undefined; license?: string | undefined; until?: Instant | undefined },
  write: (text: string) => void | Promise<void>,
): Promise<JournalTold> {
  const sums = new Map<string, Picos>()
  let [entries, postings] = [0, 0]
  await write(`${journalColumns.join(',')}\r\n`)
  for (let after: string | undefined; ;) {
    const page = await listJournal(tx, {
      account: undefined,
      tenant: undefined,
      license: undefined,
      ...of,
      after,
      limit: pageMax,
    })
    const told = page.filter(({ at }) => of.until === undefined || at <= of.until)
    for (const entry of told)
      for (const { amount } of entry.postings)
        sums.set(entry.currency, picos((sums.get(entry.currency) ?? 0n) + amount))
    entries += told.length
    postings += told.reduce((count, entry) => count + entry.postings.length, 0)
    await write(told.map(rowsOf).join(''))
    after = page.at(-1)?.entryId
    if (page.length < pageMax) return { entries, postings, sums }
  }
}

/** Entries of one round trip. */
const pageMax = 1_000

const rowsOf = (entry: JournalEntry): string =>
  entry.postings
    .map(({ account, sku, amount }, at) =>
      [
        isoOf(entry.periodStart).slice(0, 7),
        isoOf(entry.at),
        entry.tenant,
        entry.license,
        entry.document,
        entry.kind,
        String(at + 1),
        account,
        sku ?? '',
        entry.currency,
        amount > 0n ? formatAmount(amount) : '',
        amount > 0n ? '' : formatAmount(picos(0n - amount)),
        entry.entryId,
        entry.reverses ?? '',
        entry.recordedBy,
      ]
        .map(cell)
        .join(','),
    )
    .map((row) => `${row}\r\n`)
    .join('')

/** A cell that a spreadsheet would take for a formula begins with an apostrophe: names of people are anybody's text. */
const cell = (text: string): string => {
  const safe = /^[=+@\t\r-]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
