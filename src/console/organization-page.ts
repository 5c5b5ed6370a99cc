import { html } from 'hono/html'
import type { Instant } from '../kernel/index.ts'
import type { KeySummary, ShownSession } from '../identity/index.ts'
import { invoiceTable } from './finance-page.ts'
import { invoiceLine } from './finance.ts'
import type { OrganizationFacts } from './load-organization.ts'
import { beside } from './navigation.ts'
import { page, type Html } from './page.ts'
import { section, table } from './table.ts'
import { countOf, dayOf, groupedAmount, moneyOf, monthOf } from './words.ts'

/** An organization as its own administrator sees it. */
export function organizationPage(facts: OrganizationFacts, session: ShownSession): Html {
  const { name, owner, period } = facts
  return page({
    title: name,
    owner: owner === '' ? undefined : owner,
    beside: beside('/organization', session),
    main: html`<h1>${name}</h1>
      <p class="lead">
        Your keys, what you have used in ${monthOf(period.start)}, what it is expected to cost, and your invoices. Days
        and months are UTC.
      </p>
      ${expected(facts)} ${used(facts)} ${keys(facts)} ${invoices(facts)}`,
  })
}

function expected({ expected: documents, period }: OrganizationFacts): Html {
  const title = `Expected for ${monthOf(period.start)}`
  if (documents === undefined)
    return section(
      title,
      html`<div class="empty"><p>This took too long to add up. Reload the page in a moment.</p></div>`,
    )
  const lines = documents.flatMap(({ license, currency, lines: own }) =>
    own.map((line) => ({ license, currency, line })),
  )
  if (lines.length === 0)
    return section(
      title,
      html`<div class="empty"><p>Nothing so far: no call was made, and no flat price is agreed.</p></div>`,
    )
  return section(
    title,
    html`${documents.map(
      ({ license, currency, total }) =>
        html`<p class="note">
          ${license}: <strong>${groupedAmount(total)} ${currency}</strong>, if nothing more is used this month. This is
          a preview and no invoice.
        </p>`,
    )}
    ${table(
      'What it is made of. Flat prices and minimums are those of the whole month.',
      [['What'], ['License'], ['Quantity', 'number'], ['Amount', 'number']],
      lines.map(({ license, currency, line }) => [
        html`${line.description}`,
        html`<span class="keep">${license}</span>`,
        html`<span>${line.quantity === '0' ? '' : groupedAmount(line.quantity)}</span>`,
        html`<span class="keep">${groupedAmount(line.amount)} ${currency}</span>`,
      ]),
    )}`,
  )
}

function used({ usage, period }: OrganizationFacts): Html {
  const title = `Used in ${monthOf(period.start)}`
  if (usage.length === 0) return section(title, html`<div class="empty"><p>No calls yet this month.</p></div>`)
  return section(
    title,
    table(
      'By application and model, at list prices: every call that was answered is in it.',
      [
        ['Application'],
        ['Model'],
        ['Calls', 'number'],
        ['Input tokens', 'number'],
        ['Output tokens', 'number'],
        ['Inferences', 'number'],
        ['Charge', 'number'],
      ],
      usage.map((total) => [
        html`${total.application}`,
        html`<span>${total.model} ${total.version}</span>`,
        ...[total.calls, total.inputTokens, total.outputTokens, total.inferences].map(
          (count) => html`<span>${countOf(count)}</span>`,
        ),
        html`<span class="keep">${moneyOf(total.charge, total.currency)}</span>`,
      ]),
    ),
  )
}

function keys({ keys: all, now }: OrganizationFacts): Html {
  if (all.length === 0)
    return section(
      'Keys',
      html`<div class="empty">
        <p>No application has a key. This makes one, and shows it once:</p>
        <pre><code>npx formulary key create TENANT/APPLICATION</code></pre>
      </div>`,
    )
  return section(
    'Keys',
    table(
      'Keys of your applications. Of a key only its id is kept; whoever lost one makes another.',
      [['Key'], ['Application'], ['May be used for'], ['Made'], ['State']],
      all.map((key) => [
        html`<code>${key.keyId}</code>`,
        html`<span>${key.application}</span>`,
        html`<span>${key.scopes.length === 0 ? 'Nothing' : key.scopes.join(', ')}</span>`,
        html`<span>${dayOf(key.createdAt)}</span>`,
        html`<span ${isLive(key, now) ? '' : html`class="quiet"`}>${keyInWords(key, now)}</span>`,
      ]),
    ),
  )
}

const isLive = ({ revokedAt, expiresAt }: KeySummary, now: Instant): boolean =>
  expiresAt > now && (revokedAt === undefined || revokedAt > now)

function keyInWords({ revokedAt, expiresAt }: KeySummary, now: Instant): string {
  if (revokedAt !== undefined) return `${revokedAt <= now ? 'Revoked on' : 'Works until'} ${dayOf(revokedAt)}`
  return `${expiresAt <= now ? 'Expired on' : 'Works until'} ${dayOf(expiresAt)}`
}

function invoices({ invoices: rows }: OrganizationFacts): Html {
  if (rows.length === 0)
    return section(
      'Invoices',
      html`<div class="empty"><p>Nothing has been invoiced. An invoice is issued when a month is closed.</p></div>`,
    )
  return section('Invoices', invoiceTable('Your invoices and credit notes, the latest first.', rows.map(invoiceLine)))
}
