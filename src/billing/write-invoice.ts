import { invoiceCsv } from './invoice-csv.ts'
import { invoicePage } from './invoice-page.ts'
import { readDocument } from './read-document.ts'

export const invoiceForms = ['json', 'csv', 'html'] as const
export type InvoiceForm = (typeof invoiceForms)[number]

export const formTypes: Readonly<Record<InvoiceForm, string>> = {
  json: 'application/json',
  csv: 'text/csv; charset=utf-8; header=present',
  html: 'text/html; charset=utf-8',
}

/** An invoice as it is handed out. As JSON it is the kept text itself (RFC 8785), byte for byte. */
export interface WrittenInvoice {
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
}

/** `text`: the document as it is kept. */
export async function writeInvoice(text: string, form: InvoiceForm): Promise<WrittenInvoice> {
  const document = readDocument(text)
  return {
    headers: {
      'content-type': formTypes[form],
      'content-disposition': `inline; filename="${document.number}.${form}"`,
      'x-content-type-options': 'nosniff',
      // The page brings its style with it, and needs nothing else.
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    },
    text: form === 'json' ? text : await (form === 'csv' ? invoiceCsv(document) : invoicePage(document)),
  }
}
