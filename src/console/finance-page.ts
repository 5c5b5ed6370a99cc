import { html } from 'hono/html'
import type { ShownSession } from '../identity/index.ts'
import type { Finance, InvoiceLine } from './finance.ts'
import { beside } from './navigation.ts'
import { page, type Html } from './page.ts'
import { section, table } from './table.ts'

/** A month of all licenses: what is closed, what is missing for the others, and what was invoiced. */
export function financePage(finance: Finance, session: ShownSession): Html {
  const { month, owner, before, after, totals, isOver } = finance
  return page({
    title: `Finance, ${month}`,
    owner,
    beside: beside('/finance', session),
    main: html`<h1>${month}</h1>
      <p class="lead">
        ${
          isOver
            ? 'This month is over: what is missing for its closing stands beside each license.'
            : 'This month still runs: its figures change with every call, and nothing of it can be closed yet.'
        }
        Months are UTC.
      </p>
      <nav class="pages" aria-label="Months">
        <a href="/finance?month=${before.name}" rel="prev">${before.words}</a>
        ${after === undefined ? '' : html`<a href="/finance?month=${after.name}" rel="next">${after.words}</a>`}
      </nav>
      <dl>
        ${totals.map(
          ([label, value]) =>
            html`<div>
              <dt>${label}</dt>
              <dd>${value}</dd>
            </div>`,
        )}
      </dl>
      ${periods(finance)} ${invoices(finance)}`,
  })
}

function periods({ periods: lines, month, monthName, next, isFirstPage }: Finance): Html {
  if (lines.length === 0)
    return section(
      'Licenses',
      html`<div class="empty"><p>No license had begun in ${month}, so there is nothing to close.</p></div>`,
    )
  return section(
    'Licenses',
    html`${table(
        `Every license that had begun in ${month}, and whether its month is closed.`,
        [['License'], ['Organization'], ['Month'], ['Missing for its closing'], ['Invoice'], ['Total', 'number']],
        lines.map((line) => [
          html`<span class="keep">${line.license}</span>`,
          html`<a href="/organizations/${line.tenant}">${line.tenant}</a>`,
          html`<span>${line.state}</span>`,
          line.missing.length === 0
            ? html`<span
                >${line.invoice === undefined && !line.state.startsWith('Closed') ? 'Nothing: it can be closed' : ''}</span
              >`
            : html`<span>${line.missing.map((words) => html`<span class="line alarm">${words}</span>`)}</span>`,
          line.invoice === undefined
            ? html`<span></span>`
            : html`<a class="keep" href="/invoices/${line.invoice}">${line.invoice}</a>`,
          html`<span class="keep">${line.total}</span>`,
        ]),
      )}
      ${
        next === undefined && isFirstPage
          ? ''
          : html`<nav class="pages" aria-label="Pages of licenses">
              ${isFirstPage ? '' : html`<a href="/finance?month=${monthName}">First page</a>`}
              ${next === undefined ? '' : html`<a href="/finance?month=${monthName}&after=${encodeURIComponent(next)}">Next page</a>`}
            </nav>`
      }
      <p class="note">
        A month is closed at the command line or over the API, which says the same list:
        <code>formulary period close LICENSE --month ${monthName}</code>
      </p>`,
  )
}

function invoices({ invoices: lines, month, hasMoreInvoices }: Finance): Html {
  if (lines.length === 0)
    return section(
      'Invoices',
      html`<div class="empty">
        <p>Nothing of ${month} has been invoiced. An invoice is issued when a month is closed.</p>
      </div>`,
    )
  return section(
    'Invoices',
    html`${invoiceTable(`Invoices and credit notes of ${month}, the latest first.`, lines)}
    ${hasMoreInvoices ? html`<p class="note">There are more: <code>formulary invoice list</code> has them all.</p>` : ''}`,
  )
}

export const invoiceTable = (caption: string, lines: readonly InvoiceLine[]): Html =>
  table(
    caption,
    [['Number'], ['Organization'], ['Month'], ['Issued'], ['State'], ['Total', 'number']],
    lines.map((line) => [
      html`<a class="keep" href="/invoices/${line.number}">${line.number}</a>`,
      html`<span>${line.tenant}</span>`,
      html`<span>${line.month}</span>`,
      html`<span>${line.issued}</span>`,
      html`<span>${line.state}</span>`,
      html`<span class="keep">${line.total}</span>`,
    ]),
  )
