import { parseArgs } from 'node:util'
import { z } from 'zod'
import { assertNever, isoOf, requestName, type Instant } from '../../kernel/index.ts'
import { systemTransaction, type Database } from '../../db/index.ts'
import {
  creditInvoice,
  explainLine,
  invoiceForms,
  loadInvoices,
  readDocument,
  writeInvoice,
  type CreditRefusal,
  type KeptInvoice,
} from '../../billing/index.ts'
import { operator } from '../operator.ts'
import { linesInColumns } from './invoice-lines.ts'
import { reportMisuse, reportRefusal, type Io } from '../report.ts'

export interface InvoiceIo extends Io {
  readonly now: Instant
  readonly database: Database
}

/** `formulary invoice list|show|credit`: what was issued, and how it is taken back. */
export async function runInvoice(args: readonly string[], io: InvoiceIo): Promise<0 | 1 | 2> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      tenant: { type: 'string' },
      license: { type: 'string' },
      reason: { type: 'string' },
      by: { type: 'string' },
      format: { type: 'string', default: 'text' },
      line: { type: 'string' },
    },
  })
  const [verb, number, ...more] = positionals
  if (more.length > 0) return reportMisuse(io, `\`invoice ${verb}\` does not take \`${more[0]}\``)
  if (verb === 'list') return showInvoices(io, values)
  if (verb !== 'show' && verb !== 'credit')
    return reportMisuse(io, 'what about invoices? formulary invoice list|show|credit')
  if (number === undefined) return reportMisuse(io, `which one? formulary invoice ${verb} INV-000001`)
  if (verb === 'show' && values.line !== undefined) return showCalls(io, number, values.line)
  return verb === 'show'
    ? showInvoice(io, number, values.format)
    : credit(io, { number, reason: values.reason ?? '', by: values.by })
}

async function showInvoices(io: InvoiceIo, of: { tenant?: string; license?: string }): Promise<0> {
  const invoices = await systemTransaction(io.database, 'bill', (tx) => loadInvoices(tx, of))
  if (io.json) io.out(JSON.stringify(invoices.map(shown)))
  else if (invoices.length === 0) io.out('No invoice has been issued.')
  else
    for (const one of invoices.map(shown))
      io.out(`${one.number}  ${one.month}  ${one.tenant}  ${one.license}  ${one.total} ${one.currency}${one.note}`)
  return 0
}

const shown = (invoice: KeptInvoice) => {
  const { total } = readDocument(invoice.document)
  const { number, tenant, license, currency, credits, creditedBy } = invoice
  const note =
    credits === undefined
      ? creditedBy === undefined
        ? ''
        : `  taken back by ${creditedBy}`
      : `  takes back ${credits}`
  return {
    number,
    tenant,
    license,
    month: isoOf(invoice.periodStart).slice(0, 7),
    total,
    currency,
    issuedAt: isoOf(invoice.issuedAt),
    note,
  }
}

const Format = z.enum(['text', ...invoiceForms])

async function showInvoice(io: InvoiceIo, number: string, format: string): Promise<0 | 1 | 2> {
  const { data: form } = Format.safeParse(format)
  if (form === undefined) return reportMisuse(io, `--format is one of ${Format.options.join(', ')}`)
  const [invoice] = await systemTransaction(io.database, 'bill', (tx) => loadInvoices(tx, { number }))
  if (invoice === undefined) return reportRefusal(io, 'invoice_not_found', `there is no invoice ${number}`)
  if (io.json || form !== 'text') {
    const { text } = await writeInvoice(invoice.document, form === 'text' || io.json ? 'json' : form)
    io.out(text.trimEnd())
    return 0
  }
  const document = readDocument(invoice.document)
  const { buyer, period } = document
  io.out(
    `${number} to ${buyer.name}, ${period.start.slice(0, 10)} up to ${period.end.slice(0, 10)}${shown(invoice).note}`,
  )
  for (const line of linesInColumns(document)) io.out(line)
  return 0
}

/** A line down to its calls. */
async function showCalls(io: InvoiceIo, number: string, text: string): Promise<0 | 1 | 2> {
  const line = Number(text)
  if (!/^\d{1,6}$/.test(text)) return reportMisuse(io, `which line? formulary invoice show ${number} --line 1`)
  const found = await systemTransaction(io.database, 'bill', (tx) => explainLine(tx, { number, line }))
  if (found === undefined)
    return reportRefusal(
      io,
      'no_calls',
      `${number} has no line ${line} that counts calls; facilities and credit count none`,
    )
  const { calls, quantity, first } = found
  const shownCalls = first.map((call) => ({
    request: requestName(call.requestId),
    attempt: call.attempt,
    startedAt: call.startedAt,
    facility: call.facility,
    quantity: String(call.quantity),
  }))
  if (io.json)
    io.out(JSON.stringify({ number, line, calls: String(calls), quantity: String(quantity), first: shownCalls }))
  else {
    io.out(`Line ${line} of ${number}: ${calls} calls, ${quantity} units.`)
    for (const call of shownCalls) io.out(`${call.startedAt}  ${call.request}  ${call.facility}  ${call.quantity}`)
    if (calls > first.length) io.out(`And ${calls - BigInt(first.length)} more; formulary usage export has them all.`)
  }
  return 0
}

async function credit(
  io: InvoiceIo,
  { number, reason, by }: { number: string; reason: string; by: string | undefined },
): Promise<0 | 1> {
  const actor = by === undefined ? operator() : { ...operator(), name: by }
  const credited = await systemTransaction(io.database, 'bill', (tx) =>
    creditInvoice(tx, { number, reason, actor, now: io.now }),
  )
  if (!credited.ok) return reportRefusal(io, credited.error.reason, creditInWords(credited.error))
  if (io.json) io.out(JSON.stringify({ number, creditNote: credited.value.number }))
  else io.out(`${credited.value.number} takes ${number} back.`)
  return 0
}

function creditInWords(refusal: CreditRefusal): string {
  switch (refusal.reason) {
    case 'invoice_not_found':
      return `there is no invoice ${refusal.number}`
    case 'invoice_credited':
      return `${refusal.number} was taken back by ${refusal.by}`
    case 'credit_note_credited':
      return `${refusal.number} is a credit note itself`
    case 'prepaid_credit_moved':
      return `${refusal.number} moved prepaid credit: formulary period reopen takes it back, and the credit with it`
    case 'reason_missing':
      return 'say why: --reason "…"'
    default:
      return assertNever(refusal, 'creditInWords')
  }
}
