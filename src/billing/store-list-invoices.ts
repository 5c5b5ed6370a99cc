import { sql } from 'kysely'
import { instantOf, picos, type Instant, type Picos } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import type { Period } from './month.ts'

/** An invoice or a credit note without its document. */
export interface InvoiceRow {
  readonly tenant: string
  readonly number: string
  readonly license: string
  readonly periodStart: Instant
  readonly issuedAt: Instant
  readonly currency: string
  readonly total: Picos
  /** Of a credit note: what it takes back. */
  readonly credits: string | undefined
  /** The credit note that took it back. */
  readonly creditedBy: string | undefined
}

export type InvoiceState = 'issued' | 'taken-back' | 'credit-note'

export const invoiceState = ({ credits, creditedBy }: Pick<InvoiceRow, 'credits' | 'creditedBy'>): InvoiceState =>
  credits !== undefined ? 'credit-note' : creditedBy === undefined ? 'issued' : 'taken-back'

/** Where a page of invoices ends. */
export interface InvoiceCursor {
  readonly issuedAt: Instant
  readonly number: string
}

/** Invoices and credit notes, the latest first. */
export async function listInvoices(
  tx: Tx,
  asked: {
    tenant: string | undefined
    license: string | undefined
    period: Period | undefined
    after: InvoiceCursor | undefined
    limit: number
  },
): Promise<readonly InvoiceRow[]> {
  const { tenant, license, period, after } = asked
  const rows = await tx
    .selectFrom('invoice as i')
    .innerJoin('tenant as t', 't.tenant_id', 'i.tenant_id')
    .leftJoin('invoice as c', (join) =>
      join.onRef('c.tenant_id', '=', 'i.tenant_id').onRef('c.credits', '=', 'i.number'),
    )
    .select(['i.number', 'i.license', 'i.period_start', 'i.issued_at', 'i.currency', 'i.total_picos', 'i.credits'])
    .select(['t.tenant', 'c.number as credited_by'])
    .$if(tenant !== undefined, (query) => query.where('t.tenant', '=', tenant ?? ''))
    .$if(license !== undefined, (query) => query.where('i.license', '=', license ?? ''))
    .$if(period !== undefined, (query) => query.where('i.period_start', '=', new Date(period?.start ?? 0)))
    .$if(after !== undefined, (query) =>
      query.where(sql<boolean>`(i.issued_at, i.number) < (${new Date(after?.issuedAt ?? 0)}, ${after?.number ?? ''})`),
    )
    .orderBy('i.issued_at', 'desc')
    .orderBy('i.number', 'desc')
    .limit(asked.limit)
    .execute()
  return rows.map((row) => ({
    tenant: row.tenant,
    number: row.number,
    license: row.license,
    periodStart: instantOf(row.period_start),
    issuedAt: instantOf(row.issued_at),
    currency: row.currency,
    total: picos(BigInt(row.total_picos)),
    credits: row.credits ?? undefined,
    creditedBy: row.credited_by ?? undefined,
  }))
}

export interface InvoicedSum {
  readonly currency: string
  readonly invoiced: Picos
  /** By credit notes; at zero or below. */
  readonly takenBack: Picos
}

/** What a month's invoices and credit notes come to, by currency: what is in two currencies is never added up. */
export async function sumInvoiced(tx: Tx, period: Period): Promise<readonly InvoicedSum[]> {
  const { rows } = await sql<{ currency: string; invoiced: string; taken_back: string }>`
    select currency, coalesce(sum(total_picos) filter (where credits is null), 0) as invoiced,
      coalesce(sum(total_picos) filter (where credits is not null), 0) as taken_back
    from invoice where period_start = ${new Date(period.start)} group by currency order by currency`.execute(tx)
  return rows.map((row) => ({
    currency: row.currency,
    invoiced: picos(BigInt(row.invoiced)),
    takenBack: picos(BigInt(row.taken_back)),
  }))
}
