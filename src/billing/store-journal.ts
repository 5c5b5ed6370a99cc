import { sql } from 'kysely'
import { z } from 'zod'
import { instantOf, picos, type Instant, type Picos } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import { accounts, type Account, type Posting } from './book-invoice.ts'
import type { Period } from './month.ts'

export const AccountName = z.enum(accounts)
export const EntryKind = z.enum(['invoice', 'credit_note', 'payment', 'payment_reversal'])

/** What of the journal is asked for: of the months that documents are of, not of the days on which they were booked. */
export interface JournalAsked {
  readonly period: Period | undefined
  readonly account: Account | undefined
  readonly tenant: string | undefined
  readonly license: string | undefined
}

export interface JournalEntry {
  readonly entryId: string
  readonly recordedAt: Instant
  readonly recordedBy: string
  readonly at: Instant
  readonly kind: z.infer<typeof EntryKind>
  readonly tenant: string
  readonly license: string
  readonly periodStart: Instant
  readonly document: string
  readonly reverses: string | undefined
  readonly currency: string
  /** All of the entry, whichever account was asked for: they add up to zero. */
  readonly postings: readonly Posting[]
}

const among = ({ period, account, tenant, license }: JournalAsked) => sql`
  (${period === undefined}::boolean or j.period_start = ${new Date(period?.start ?? 0)})
  and (${tenant ?? null}::text is null or t.tenant = ${tenant ?? null})
  and (${license ?? null}::text is null or j.license = ${license ?? null})
  and (${account ?? null}::text is null or exists (select from posting q
    where q.tenant_id = j.tenant_id and q.entry_id = j.entry_id and q.account = ${account ?? null}))`

const Written = z.array(z.object({ account: AccountName, sku: z.string().nullable(), amount: z.string() }))

/** Entries in the order in which they were made: their ids rise with time. `after`: an id. */
export async function listJournal(
  tx: Tx,
  asked: JournalAsked & { readonly after: string | undefined; readonly limit: number },
): Promise<readonly JournalEntry[]> {
  const { rows } = await sql<{
    entry_id: string
    recorded_at: Date
    recorded_by: string
    at: Date
    kind: string
    tenant: string
    license: string
    period_start: Date
    document: string
    reverses: string | null
    currency: string
    postings: unknown
  }>`
    select j.entry_id, j.recorded_at, j.recorded_by, j.at, j.kind, t.tenant, j.license, j.period_start, j.document,
      j.reverses, p.currency, p.postings
    from journal_entry j join tenant t using (tenant_id)
    cross join lateral (
      select min(q.currency) as currency, json_agg(json_build_object('account', q.account, 'sku', q.sku,
        'amount', q.amount_picos::text) order by q.posting) as postings
      from posting q where q.tenant_id = j.tenant_id and q.entry_id = j.entry_id) p
    where ${among(asked)} and (${asked.after ?? null}::uuid is null or j.entry_id > ${asked.after ?? null}::uuid)
    order by j.entry_id limit ${asked.limit}`.execute(tx)
  return rows.map((row) => ({
    entryId: row.entry_id,
    recordedAt: instantOf(row.recorded_at),
    recordedBy: row.recorded_by,
    at: instantOf(row.at),
    kind: EntryKind.parse(row.kind),
    tenant: row.tenant,
    license: row.license,
    periodStart: instantOf(row.period_start),
    document: row.document,
    reverses: row.reverses ?? undefined,
    currency: row.currency,
    postings: Written.parse(row.postings).map(({ account, sku, amount }) => ({
      account,
      sku: sku ?? undefined,
      amount: picos(BigInt(amount)),
    })),
  }))
}

export interface JournalSum {
  readonly account: Account
  readonly sku: string | undefined
  readonly currency: string
  readonly debits: Picos
  readonly credits: Picos
}

/** What each account came to. Over all accounts, debits and credits of a currency are the same. */
export async function sumJournal(tx: Tx, asked: JournalAsked): Promise<readonly JournalSum[]> {
  const { rows } = await sql<{
    account: string
    sku: string | null
    currency: string
    debits: string
    credits: string
  }>`
    select q.account, q.sku, q.currency, coalesce(sum(q.amount_picos) filter (where q.amount_picos > 0), 0) as debits,
      coalesce(-sum(q.amount_picos) filter (where q.amount_picos < 0), 0) as credits
    from journal_entry j join tenant t using (tenant_id)
    join posting q on q.tenant_id = j.tenant_id and q.entry_id = j.entry_id
    where ${among(asked)} and (${asked.account ?? null}::text is null or q.account = ${asked.account ?? null})
    group by 1, 2, 3 order by 3, 1, 2`.execute(tx)
  return rows.map((row) => ({
    account: AccountName.parse(row.account),
    sku: row.sku ?? undefined,
    currency: row.currency,
    debits: picos(BigInt(row.debits)),
    credits: picos(BigInt(row.credits)),
  }))
}
