import { html, raw } from 'hono/html'
import { invoiceStyle } from './invoice-style.ts'
import type { DocumentLine, InvoiceDocument } from './read-document.ts'

/**
 * An invoice or a credit note as a page to print, whole in itself: no script, no font and no address of another place.
 * Whatever stands in it is escaped by `html`, whoever wrote it.
 */
export async function invoicePage(invoice: InvoiceDocument): Promise<string> {
  const { number, kind, buyer, seller, period, currency, lines, total, issuedAt, license, credits, reason } = invoice
  const title = titles[kind]
  const page = await html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title} ${kind === 'preview' ? '' : number}</title>
        <style>
          ${raw(invoiceStyle)}
        </style>
      </head>
      <body>
        <header>
          <p>${seller}</p>
          <h1>${title}${kind === 'preview' ? '' : html`<small>${number}</small>`}</h1>
        </header>
        <dl>
          <div>
            <dt>To</dt>
            <dd>${buyer.name}</dd>
          </div>
          <div>
            <dt>License</dt>
            <dd>${license}</dd>
          </div>
          <div>
            <dt>Month (UTC)</dt>
            <dd>${monthWords(period.start)}</dd>
          </div>
          <div>
            <dt>${kind === 'preview' ? 'As of' : 'Issued'}</dt>
            <dd>${dayWords(issuedAt)}</dd>
          </div>
        </dl>
        ${credits === undefined ? '' : html`<p class="note">Takes ${credits} back, whole. ${reason ?? ''}</p>`}
        ${
          kind === 'preview'
            ? html`<p class="note">
                This is no invoice, and nothing is owed on it. It is what the month would come to if nothing were used
                after it was made; flat prices and the commitment are those of the whole month.
              </p>`
            : ''
        }
        <table>
          <thead>
            <tr>
              <th scope="col">What</th>
              <th scope="col" class="n">Quantity</th>
              <th scope="col" class="n">${currency}</th>
            </tr>
          </thead>
          <tbody>
            ${lines.map(lineRows)}
          </tbody>
          <tfoot>
            <tr>
              <td colspan="2">${totals[kind]}</td>
              <td class="n">${currency} ${grouped(total)}</td>
            </tr>
          </tfoot>
        </table>
        ${proofOf(invoice)}
      </body>
    </html>`
  return page.toString()
}

const titles = { invoice: 'Invoice', credit_note: 'Credit note', preview: 'Preview of an invoice' } as const
const totals = { invoice: 'To pay', credit_note: 'Credited', preview: 'So far' } as const

function lineRows({ description, quantity, amount, shares, corrects }: DocumentLine) {
  const named = shares.length > 1 || corrects !== undefined ? shares : []
  const beside =
    corrects === undefined
      ? ''
      : ` (${corrects.document}${corrects.line === undefined ? '' : `, line ${corrects.line}`})`
  return html`<tr class="${named.length > 0 ? 'line split' : 'line'}">
      <td>${description}${beside}</td>
      <td class="n">${quantity === '0' ? '' : grouped(quantity)}</td>
      <td class="n">${grouped(amount)}</td>
    </tr>
    ${named.map(
      (share) =>
        html`<tr class="share">
          <td>${share.name}</td>
          <td class="n">${grouped(share.quantity)}</td>
          <td class="n">${grouped(share.amount)}</td>
        </tr>`,
    )}`
}

/** How to check it, in the place where an auditor looks. */
function proofOf({ proof, number }: InvoiceDocument) {
  if (proof === undefined) return html``
  return html`<footer>
    <p>
      Made from ${grouped(proof.rows)}
      calls${proof.lateRows === '0' ? '' : `, and ${grouped(proof.lateRows)} of earlier months that came late`}. Each
      line is rounded once, half to even, and split among facilities by largest remainder. To work it out again from
      your own usage export: formulary invoice recompute --invoice ${number}.json --export usage.csv --plan plan.yaml
    </p>
    <p>SHA-256 of the export: ${proof.usageSha256}</p>
  </footer>`
}

/** A decimal with its thousands apart: "1,234,567.50". */
const grouped = (decimal: string): string => {
  const [whole = '', part] = decimal.split('.')
  const apart = whole.replaceAll(/\B(?=(\d{3})+$)/g, ',')
  return part === undefined ? apart : `${apart}.${part}`
}

const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
].concat('November', 'December')
const monthWords = (iso: string): string => `${months[Number(iso.slice(5, 7)) - 1]} ${iso.slice(0, 4)}`
const dayWords = (iso: string): string =>
  `${months[Number(iso.slice(5, 7)) - 1]} ${Number(iso.slice(8, 10))}, ${iso.slice(0, 4)}`
