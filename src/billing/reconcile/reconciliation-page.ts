import { html, raw } from 'hono/html'
import { formatAmount, isoOf, picos } from '../../kernel/index.ts'
import { invoiceStyle } from '../invoice-style.ts'
import { monthName } from '../month.ts'
import type { ExceptionState, KeptException, Reconciliation } from '../store-reconciliation.ts'
import { classWords, differenceClasses, type DifferenceClass } from './difference.ts'
import type { Figures } from './figures.ts'

/** So many exceptions stand on the page; the CSV has them all. */
export const exceptionsOnPageMax = 500

export interface PageFacts {
  readonly run: Reconciliation
  readonly counts: readonly {
    readonly class: DifferenceClass
    readonly state: ExceptionState
    readonly count: number
  }[]
  /** The open ones first found, at most `exceptionsOnPageMax`. */
  readonly open: readonly KeptException[]
}

/**
 * What agrees in a month and what does not, as a page to read and to print, whole in itself. Whatever stands in it is escaped
 * by `html`, whoever wrote it.
 */
export async function reconciliationPage({ run, counts, open }: PageFacts): Promise<string> {
  const { period, runAt, runBy, figures } = run
  const openCount = counts.reduce((sum, one) => sum + (one.state === 'open' ? one.count : 0), 0)
  const page = await html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>Reconciliation ${monthName(period)}</title>
        <style>
          ${raw(invoiceStyle)} caption {
            text-align: left;
            font-weight: 600;
            padding: 1.5rem 0 0.25rem;
          }
          td {
            overflow-wrap: anywhere;
          }
        </style>
      </head>
      <body>
        <header>
          <p>Reconciliation</p>
          <h1>${monthName(period)}<small>${isoOf(runAt)}, ${runBy}</small></h1>
        </header>
        <p>
          ${
            openCount === 0
              ? 'Nothing is open: every difference is worked off.'
              : openCount === 1
                ? 'One difference is open.'
                : `${grouped(openCount)} differences are open.`
          }
        </p>
        ${callsTable(figures)} ${stripeTable(figures)} ${unreportedTable(figures)} ${classesTable(counts)}
        ${exceptionsTable(open, openCount)}
        <footer>
          <p>
            What agrees and what differs make up each side exactly; a run of which that is not so fails. A difference
            ends when a later run does not find it any more, when the ledger is corrected by opposite rows, or when two
            people accept it with a reason.
          </p>
        </footer>
      </body>
    </html>`
  return page.toString()
}

const grouped = (value: string | number): string => String(value).replaceAll(/\B(?=(\d{3})+$)/g, ',')
const less = (a: string, b: string): string => grouped(String(BigInt(a) - BigInt(b)))

function callsTable({ calls: { ours, theirs, agreed } }: Figures) {
  const currencies = Object.keys(ours.picos)
  const money = (amount: string | undefined) => formatAmount(picos(BigInt(amount ?? '0')))
  const row = (what: string, here: string, there: string, same: string) =>
    html`<tr>
      <th scope="row">${what}</th>
      <td class="n">${grouped(here)}</td>
      <td class="n">${grouped(there)}</td>
      <td class="n">${grouped(same)}</td>
      <td class="n">${less(here, same)}</td>
      <td class="n">${less(there, same)}</td>
    </tr>`
  return html`<table>
    <caption>
      The ledger and the model hosts
    </caption>
    <thead>
      <tr>
        <th scope="col">What</th>
        <th scope="col" class="n">Ledger</th>
        <th scope="col" class="n">Hosts</th>
        <th scope="col" class="n">Agree</th>
        <th scope="col" class="n">Ledger, else</th>
        <th scope="col" class="n">Hosts, else</th>
      </tr>
    </thead>
    <tbody>
      ${row('Calls', ours.calls, theirs.lines, agreed.calls)}
      ${row('Input units', ours.input, theirs.input, agreed.input)}
      ${row('Output units', ours.output, theirs.output, agreed.output)}
      ${currencies.map(
        (currency) =>
          html`<tr>
            <th scope="row">Charged, ${currency}</th>
            <td class="n">${money(ours.picos[currency])}</td>
            <td></td>
            <td class="n">${money(agreed.picos[currency])}</td>
            <td class="n">
              ${money(String(BigInt(ours.picos[currency] ?? '0') - BigInt(agreed.picos[currency] ?? '0')))}
            </td>
            <td></td>
          </tr>`,
      )}
    </tbody>
  </table>`
}

function stripeTable({ stripe }: Figures) {
  if (stripe === undefined) return html`<p>Stripe was not compared: nothing of this month was read there.</p>`
  const { hours, lines } = stripe
  const money = (amount: string | undefined) => formatAmount(picos(BigInt(amount ?? '0')))
  return html`<table>
    <caption>
      The ledger and Stripe
    </caption>
    <thead>
      <tr>
        <th scope="col">What</th>
        <th scope="col" class="n">Here</th>
        <th scope="col" class="n">Stripe</th>
        <th scope="col" class="n">Agree</th>
      </tr>
    </thead>
    <tbody>
      <tr>
        <th scope="row">Units, by meter and hour</th>
        <td class="n">${grouped(hours.ours)}</td>
        <td class="n">${grouped(hours.theirs)}</td>
        <td class="n">${grouped(hours.agreed)}</td>
      </tr>
      ${Object.keys(lines.ours).map(
        (currency) =>
          html`<tr>
            <th scope="row">Invoice lines, ${currency}</th>
            <td class="n">${money(lines.ours[currency])}</td>
            <td class="n">${money(lines.theirs[currency])}</td>
            <td class="n">${money(lines.agreed[currency])}</td>
          </tr>`,
      )}
    </tbody>
  </table>`
}

const unreportedTable = ({ unreported }: Figures) =>
  unreported.length === 0
    ? html``
    : html`<p class="note">
        No report stands of
        ${unreported.map(({ deployment, calls }) => `${deployment} (${grouped(calls)} calls)`).join(', ')}: these calls
        were not compared.
      </p>`

const states = ['open', 'corrected', 'accepted', 'matched'] as const

function classesTable(counts: PageFacts['counts']) {
  const found = differenceClasses.filter((one) => counts.some((count) => count.class === one))
  if (found.length === 0) return html`<p>No difference was ever found in this month.</p>`
  const of = (name: DifferenceClass, state: ExceptionState) =>
    counts.find((one) => one.class === name && one.state === state)?.count ?? 0
  return html`<table>
    <caption>
      Differences by class
    </caption>
    <thead>
      <tr>
        <th scope="col">Class</th>
        ${states.map((state) => html`<th scope="col" class="n">${state}</th>`)}
      </tr>
    </thead>
    <tbody>
      ${found.map(
        (name) =>
          html`<tr>
            <th scope="row">${name}<br />${classWords[name]}</th>
            ${states.map((state) => html`<td class="n">${grouped(of(name, state))}</td>`)}
          </tr>`,
      )}
    </tbody>
  </table>`
}

function exceptionsTable(open: readonly KeptException[], openCount: number) {
  if (open.length === 0) return html``
  return html`<table>
      <caption>
        Open differences${openCount > open.length ? `: the first ${open.length}` : ''}
      </caption>
      <thead>
        <tr>
          <th scope="col">Exception</th>
          <th scope="col">Class</th>
          <th scope="col">Tenant</th>
          <th scope="col" class="n">Here</th>
          <th scope="col" class="n">There</th>
          <th scope="col" class="n">Worth of it</th>
        </tr>
      </thead>
      <tbody>
        ${open.map(
          (one) =>
            html`<tr>
              <td>${one.exceptionId}<br />${one.subject}</td>
              <td>${one.class}</td>
              <td>${one.tenant ?? 'nobody knows'}</td>
              <td class="n">${grouped(String(one.oursUnits))}</td>
              <td class="n">${grouped(String(one.theirsUnits))}</td>
              <td class="n">
                ${
                  one.currency === undefined
                    ? ''
                    : `${one.currency} ${formatAmount(picos(one.theirsPicos - one.oursPicos))}`
                }
              </td>
            </tr>`,
        )}
      </tbody>
    </table>
    ${openCount > open.length ? html`<p>formulary reconcile show --format csv has them all.</p>` : ''}`
}
