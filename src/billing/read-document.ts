import { z } from 'zod'
import { documentKinds } from './invoice.ts'

const Decimal = z.string().regex(/^-?\d+(\.\d+)?$/)
const Span = z.strictObject({ start: z.iso.datetime(), end: z.iso.datetime() })
const Days = z.strictObject({ plan: z.string(), planRevision: z.int(), days: z.int() })

export const DocumentLine = z.strictObject({
  line: z.int(),
  kind: z.enum(['usage', 'facility', 'commitment', 'correction', 'credit_bought', 'credit_used', 'tax']),
  key: z.string(),
  description: z.string(),
  usagePeriod: Span,
  plan: z.string().optional(),
  planRevision: z.int().optional(),
  licenseRevision: z.int().optional(),
  phase: z.enum(['evaluation', 'term', 'grace']).optional(),
  model: z.string().optional(),
  meter: z.enum(['input_tokens', 'output_tokens', 'requests', 'inferences']).optional(),
  quantity: Decimal,
  unrounded: Decimal,
  amount: Decimal,
  shares: z.array(z.strictObject({ facility: z.string(), name: z.string(), quantity: Decimal, amount: Decimal })),
  corrects: z.strictObject({ document: z.string(), line: z.int().optional() }).optional(),
})
export type DocumentLine = z.infer<typeof DocumentLine>

/** An invoice or a credit note as `invoiceDocument` writes it: what is printed, sent and recomputed is read from here. */
export const InvoiceDocument = z.strictObject({
  number: z.string(),
  kind: z.enum(documentKinds),
  issuedAt: z.iso.datetime(),
  seller: z.string(),
  buyer: z.strictObject({ tenant: z.string(), name: z.string() }),
  license: z.string(),
  period: Span,
  currency: z.string(),
  credits: z.string().optional(),
  reason: z.string().optional(),
  lines: z.array(DocumentLine),
  total: Decimal,
  proof: z
    .strictObject({
      rows: Decimal,
      usageSha256: z.string(),
      lateRows: Decimal,
      lateSha256: z.string(),
      plans: z.array(z.strictObject({ plan: z.string(), revision: z.int(), sha256: z.string() })),
      daysInPeriod: z.int(),
      termDays: z.array(Days),
      facilityDays: z.array(Days.extend({ facility: z.string() })),
      conditions: z.array(z.strictObject({ revision: z.int(), termEnd: z.iso.datetime(), evaluation: z.boolean() })),
      credit: z.strictObject({ before: Decimal, bought: Decimal, used: Decimal, after: Decimal }),
    })
    .optional(),
})
export type InvoiceDocument = z.infer<typeof InvoiceDocument>

/** @throws when the text is no document of ours. */
export const readDocument = (text: string): InvoiceDocument => InvoiceDocument.parse(JSON.parse(text))
