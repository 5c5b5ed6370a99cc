import { sql } from 'kysely'
import { z } from 'zod'
import { instantOf, picos, type Instant, type Picos, type Uuid } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import { accounts, type Posting } from './book-invoice.ts'
import { phases, type Phase } from './charge-units.ts'
import { lineKinds, type InvoiceLine, type LineKind } from './invoice.ts'
import { UsageMeter } from './prices.ts'

export type Series = 'INV' | 'CRN'

/** The next number of a series. Others who want one wait until this transaction ends; when it fails, the number is free. */
export async function takeNumber(tx: Tx, series: Series): Promise<{ number: string; sequence: bigint }> {
  const { last } = await tx
    .updateTable('invoice_series')
    .set((eb) => ({ last: eb('last', '+', 1n) }))
    .where('series', '=', series)
    .returning('last')
    .executeTakeFirstOrThrow()
  return { number: `${series}-${String(last).padStart(6, '0')}`, sequence: last }
}

/** A line as its table has it. */
export interface KeptLine {
  readonly line: number
  readonly kind: LineKind
  readonly key: string
  readonly usagePeriodStart: Instant
  readonly licenseRevision: number | undefined
  readonly plan: string | undefined
  readonly planRevision: number | undefined
  readonly phase: Phase | undefined
  readonly model: string | undefined
  readonly meter: UsageMeter | undefined
  readonly quantity: bigint
  readonly amount: Picos
  readonly corrects: string | undefined
  readonly correctsLine: number | undefined
}

export const keptLine = (line: InvoiceLine): KeptLine => ({
  line: line.line,
  kind: line.kind,
  key: line.key,
  usagePeriodStart: line.usagePeriod.start,
  licenseRevision: line.rated?.licenseRevision,
  plan: line.rated?.plan,
  planRevision: line.rated?.planRevision,
  phase: line.rated?.phase,
  model: line.rated?.model,
  meter: line.rated?.meter,
  quantity: line.quantity,
  amount: line.amount,
  corrects: line.corrects?.document,
  correctsLine: line.corrects?.line,
})

export interface NewInvoice {
  readonly tenantId: Uuid
  readonly series: Series
  readonly number: string
  readonly sequence: bigint
  readonly license: string
  readonly periodStart: Instant
  readonly closing: number
  readonly issuedAt: Instant
  readonly issuedBy: string
  readonly currency: string
  readonly total: Picos
  readonly credits: { readonly number: string; readonly entryId: Uuid } | undefined
  readonly document: string
  readonly lines: readonly KeptLine[]
  readonly postings: readonly Posting[]
}

/** Lines that go in one statement. */
const portionMax = 500

/** An invoice or a credit note, its lines and its journal entry. */
export async function appendInvoice(tx: Tx, invoice: NewInvoice): Promise<void> {
  const { entry_id: entryId } = await tx
    .insertInto('journal_entry')
    .values({
      tenant_id: invoice.tenantId,
      recorded_by: invoice.issuedBy,
      at: new Date(invoice.issuedAt),
      kind: invoice.credits === undefined ? 'invoice' : 'credit_note',
      license: invoice.license,
      period_start: new Date(invoice.periodStart),
      document: invoice.number,
      postings: invoice.postings.length,
      reverses: invoice.credits?.entryId ?? null,
    })
    .returning('entry_id')
    .executeTakeFirstOrThrow()
  await tx
    .insertInto('posting')
    .values(
      invoice.postings.map(({ account, sku, amount }, at) => ({
        tenant_id: invoice.tenantId,
        entry_id: entryId,
        posting: at + 1,
        account,
        sku: sku ?? null,
        currency: invoice.currency,
        amount_picos: amount,
      })),
    )
    .execute()
  await tx
    .insertInto('invoice')
    .values({
      tenant_id: invoice.tenantId,
      number: invoice.number,
      series: invoice.series,
      sequence: invoice.sequence,
      license: invoice.license,
      period_start: new Date(invoice.periodStart),
      closing: invoice.closing,
      issued_at: new Date(invoice.issuedAt),
      currency: invoice.currency,
      total_picos: invoice.total,
      credits: invoice.credits?.number ?? null,
      entry_id: entryId,
      document: invoice.document,
      document_sha256: sql<Buffer>`sha256(convert_to(${invoice.document}, 'UTF8'))`,
    })
    .execute()
  for (let from = 0; from < invoice.lines.length; from += portionMax)
    await tx
      .insertInto('invoice_line')
      .values(
        invoice.lines.slice(from, from + portionMax).map((line) => ({
          tenant_id: invoice.tenantId,
          number: invoice.number,
          line: line.line,
          kind: line.kind,
          line_key: line.key,
          usage_period_start: new Date(line.usagePeriodStart),
          license_revision: line.licenseRevision ?? null,
          plan: line.plan ?? null,
          plan_revision: line.planRevision ?? null,
          phase: line.phase ?? null,
          model: line.model ?? null,
          meter: line.meter ?? null,
          quantity: line.quantity,
          amount_picos: line.amount,
          corrects: line.corrects ?? null,
          corrects_line: line.correctsLine ?? null,
        })),
      )
      .execute()
}

export interface KeptInvoice {
  readonly tenantId: Uuid
  readonly tenant: string
  readonly number: string
  readonly license: string
  readonly periodStart: Instant
  readonly closing: number
  readonly issuedAt: Instant
  readonly currency: string
  readonly total: Picos
  readonly credits: string | undefined
  /** The credit note that took it back. */
  readonly creditedBy: string | undefined
  readonly entryId: Uuid
  readonly document: string
}

/** Invoices a page holds at most. */
export const invoicesMax = 1000

/** Invoices and credit notes, the latest first: those of one tenant or license, or one of them by its number. */
export async function loadInvoices(
  tx: Tx,
  of: { tenant?: string | undefined; license?: string | undefined; number?: string | undefined },
): Promise<readonly KeptInvoice[]> {
  const rows = await tx
    .selectFrom('invoice as i')
    .innerJoin('tenant as t', 't.tenant_id', 'i.tenant_id')
    .leftJoin('invoice as c', (join) =>
      join.onRef('c.tenant_id', '=', 'i.tenant_id').onRef('c.credits', '=', 'i.number'),
    )
    .selectAll('i')
    .select(['t.tenant', 'c.number as credited_by'])
    .$if(of.tenant !== undefined, (query) => query.where('t.tenant', '=', of.tenant ?? ''))
    .$if(of.license !== undefined, (query) => query.where('i.license', '=', of.license ?? ''))
    .$if(of.number !== undefined, (query) => query.where('i.number', '=', of.number ?? ''))
    .orderBy('i.issued_at', 'desc')
    .orderBy('i.number', 'desc')
    .limit(invoicesMax)
    .execute()
  return rows.map((row) => ({
    tenantId: row.tenant_id,
    tenant: row.tenant,
    number: row.number,
    license: row.license,
    periodStart: instantOf(row.period_start),
    closing: row.closing,
    issuedAt: instantOf(row.issued_at),
    currency: row.currency,
    total: picos(BigInt(row.total_picos)),
    credits: row.credits ?? undefined,
    creditedBy: row.credited_by ?? undefined,
    entryId: row.entry_id,
    document: row.document,
  }))
}

/** Where the lines of a document stand, by their keys. */
export async function loadLineNumbers(
  tx: Tx,
  of: { tenantId: Uuid; number: string },
): Promise<ReadonlyMap<string, number>> {
  const rows = await tx
    .selectFrom('invoice_line')
    .select(['line', 'line_key'])
    .where('tenant_id', '=', of.tenantId)
    .where('number', '=', of.number)
    .execute()
  return new Map(rows.map(({ line, line_key }) => [line_key, line]))
}

export async function loadPlanDigests(
  tx: Tx,
  plans: readonly { plan: string; revision: number }[],
): Promise<readonly { plan: string; revision: number; sha256: string }[]> {
  if (plans.length === 0) return []
  const rows = await tx
    .selectFrom('plan_revision')
    .select(['plan', 'revision', sql<string>`encode(document_sha256, 'hex')`.as('sha256')])
    .where(
      'plan',
      'in',
      plans.map(({ plan }) => plan),
    )
    .orderBy('plan')
    .orderBy('revision')
    .execute()
  return rows.filter((row) => plans.some(({ plan, revision }) => plan === row.plan && revision === row.revision))
}

export async function loadTenantName(tx: Tx, tenantId: Uuid): Promise<string> {
  const { name } = await tx
    .selectFrom('tenant')
    .select('name')
    .where('tenant_id', '=', tenantId)
    .executeTakeFirstOrThrow()
  return name
}

const Kind = z.enum(lineKinds)
const KeptPhase = z.enum(phases)
const KeptAccount = z.enum(accounts)

export async function loadLines(tx: Tx, of: { tenantId: Uuid; number: string }): Promise<readonly KeptLine[]> {
  const rows = await tx
    .selectFrom('invoice_line')
    .selectAll()
    .where('tenant_id', '=', of.tenantId)
    .where('number', '=', of.number)
    .orderBy('line')
    .execute()
  return rows.map((row) => ({
    line: row.line,
    kind: Kind.parse(row.kind),
    key: row.line_key,
    usagePeriodStart: instantOf(row.usage_period_start),
    licenseRevision: row.license_revision ?? undefined,
    plan: row.plan ?? undefined,
    planRevision: row.plan_revision ?? undefined,
    phase: row.phase === null ? undefined : KeptPhase.parse(row.phase),
    model: row.model ?? undefined,
    meter: row.meter === null ? undefined : UsageMeter.parse(row.meter),
    quantity: BigInt(row.quantity),
    amount: picos(BigInt(row.amount_picos)),
    corrects: row.corrects ?? undefined,
    correctsLine: row.corrects_line ?? undefined,
  }))
}

/** The journal entry of a document, posting by posting. */
export async function loadPostings(tx: Tx, of: { tenantId: Uuid; entryId: Uuid }): Promise<readonly Posting[]> {
  const rows = await tx
    .selectFrom('posting')
    .selectAll()
    .where('tenant_id', '=', of.tenantId)
    .where('entry_id', '=', of.entryId)
    .orderBy('posting')
    .execute()
  return rows.map((row) => ({
    account: KeptAccount.parse(row.account),
    sku: row.sku ?? undefined,
    amount: picos(BigInt(row.amount_picos)),
  }))
}
