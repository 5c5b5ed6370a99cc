import { html } from 'hono/html'
import type { ShownSession } from '../identity/index.ts'
import type { Overview } from './overview.ts'
import { page, type Html } from './page.ts'

/** Who looks, and the way out. */
const viewer = ({ actor, csrfToken }: ShownSession): Html =>
  html`<div class="viewer">
    <span>${actor.shownAs ?? actor.name}, ${actor.roles.join(', ')}</span>
    <form method="post" action="/sign-out">
      <input name="csrf_token" type="hidden" value="${csrfToken}" hidden />
      <button class="plain" type="submit">Sign out</button>
    </form>
  </div>`

/** The first page: who may use what, what was used this month, and what is left. */
export function overviewPage(
  overview: Overview,
  { gatewayUrl, session }: { readonly gatewayUrl: string; readonly session: ShownSession },
): Html {
  const { owner, isOfOne, tenantsNotShown } = overview
  const name = isOfOne ? overview.tenants[0]?.name : owner
  return page({
    title: 'Overview',
    owner: name,
    beside: viewer(session),
    main: html`<h1>Overview</h1>
      <p class="lead">${leadOf(overview)} Days and months are UTC.</p>
      ${figures(overview)} ${organizations(overview)}
      ${tenantsNotShown === 0 ? '' : html`<p class="note">And ${tenantsNotShown} more; <code>formulary usage report</code> knows them all.</p>`}
      ${use(overview, gatewayUrl)} ${budgets(overview)} ${isOfOne ? '' : models(overview)}`,
  })
}

const leadOf = ({ isOfOne, owner, month }: Overview): string =>
  isOfOne
    ? `What your organization may use, what it used in ${month}, and what is left of it.`
    : `Who may use ${owner === undefined ? 'the' : `${owner}’s`} models, what they used in ${month}, and what is left of it.`

const figures = (overview: Overview): Html =>
  html`<dl>
    ${
      overview.isOfOne
        ? ''
        : html`<div>
              <dt>Organizations licensed</dt>
              <dd>${overview.licensees}</dd>
            </div>
            <div>
              <dt>Model versions</dt>
              <dd>${overview.models.length}</dd>
            </div>`
    }
    <div>
      <dt>Calls this month</dt>
      <dd>${overview.totals.calls}</dd>
    </div>
    <div>
      <dt>Charged this month</dt>
      <dd>${overview.totals.charged}</dd>
    </div>
  </dl>`

function organizations({ tenants }: Overview): Html {
  if (tenants.length === 0)
    return section(
      'Organizations',
      html`<div class="empty">
        <p>No organization is declared yet. Each is a folder in <code>tenants/</code>; this brings them in:</p>
        <pre><code>npx formulary tenants apply</code></pre>
      </div>`,
    )
  return section(
    'Organizations',
    table(
      'Every organization with its license and the keys of its applications that work now.',
      [['Organization'], ['License'], ['State'], ['Plan'], ['Keys', 'number']],
      tenants.map((tenant) => [
        html`${tenant.name}<span class="quiet">${tenant.kind}, <code>${tenant.tenant}</code></span
          ><span class="quiet">${tenant.size}</span>`,
        html`<span class="keep">${tenant.license}</span>`,
        html`<span ${tenant.isInForce ? '' : html`class="alarm"`}>${tenant.state}</span>`,
        html`<span class="keep">${tenant.plan}</span>`,
        html`<span>${tenant.keys}</span>`,
      ]),
    ),
  )
}

function use({ use: lines, month }: Overview, gatewayUrl: string): Html {
  const title = `Used in ${month}`
  if (lines === undefined)
    return section(
      title,
      html`<div class="empty">
        <p>The ledger took too long to add up. The calls go on; this works meanwhile:</p>
        <pre><code>npx formulary usage report</code></pre>
      </div>`,
    )
  if (lines.length === 0)
    return section(
      title,
      html`<div class="empty">
        <p>
          No calls yet this month. A key of an application makes one; <code>npm start</code> prints one that works, and
          <code>npx formulary key create</code> makes more:
        </p>
        <pre><code>curl ${gatewayUrl}/v1/chat/completions \\
  -H "authorization: Bearer fml_live_…" -H "content-type: application/json" \\
  -d '{"model":"clinical-assistant","messages":[{"role":"user","content":"…"}]}'</code></pre>
      </div>`,
    )
  return section(
    title,
    table(
      'From the ledger, as it stands now: every call that was answered is in it.',
      [
        ['Organization'],
        ['Calls', 'number'],
        ['Input tokens', 'number'],
        ['Output tokens', 'number'],
        ['Inferences', 'number'],
        ['Charge', 'number'],
      ],
      lines.map((line) => [
        html`${line.name}`,
        ...[line.calls, line.inputTokens, line.outputTokens, line.inferences, line.charge].map(
          (cell) => html`<span>${cell}</span>`,
        ),
      ]),
    ),
  )
}

function budgets({ budgets: lines }: Overview): Html {
  if (lines.length === 0)
    return section('Budgets', html`<div class="empty"><p>No license in force has a budget.</p></div>`)
  return section(
    'Budgets',
    table(
      'What licenses in force allow in a period. A budget is never overdrawn: a call that could is refused.',
      [['Organization'], ['Budget'], ['Used'], ['Until']],
      lines.map(({ name, budget, used, meter, until }) => [
        html`${name}`,
        html`<span>${budget}</span>`,
        html`<span class="line">${used}</span>${meter === undefined ? '' : meterBar(`${name}, ${budget}`, meter)}`,
        html`<span>${until}</span>`,
      ]),
    ),
  )
}

/** The share twice, for the eye and in words: a color alone says nothing to many. */
const meterBar = (label: string, meter: { readonly share: number; readonly label: string }): Html =>
  html`<span class="share"
    ><meter min="0" max="1" low="0.8" high="0.95" optimum="0" value="${meter.share}" aria-label="${label}">
      ${meter.label}</meter
    ><span class="quiet">${meter.label}</span></span
  >`

function models({ models: lines }: Overview): Html {
  if (lines.length === 0)
    return section(
      'Models',
      html`<div class="empty">
        <p>No model is declared yet: <code>tenants/models/</code>.</p>
      </div>`,
    )
  return section(
    'Models',
    table(
      'Every version, and who may reach it if their license says so.',
      [['Model'], ['Version'], ['Reached by'], ['Served in']],
      lines.map((line) => [
        html`${line.title}<span class="quiet"><code>${line.model}</code></span>`,
        html`<span>${line.version}</span>`,
        html`<span ${line.isRecalled ? html`class="alarm"` : ''}>${line.reach}</span>`,
        html`<span>${line.regions === '' ? 'Nowhere' : line.regions}</span>`,
      ]),
    ),
  )
}

const section = (title: string, content: Html): Html =>
  html`<section>
    <h2>${title}</h2>
    ${content}
  </section>`

type Column = readonly [label: string, kind?: 'number']

/**
 * A table whose first cell names its row. The roles are said again because a style that shows rows as cards takes them
 * away in some browsers.
 */
function table(caption: string, columns: readonly Column[], rows: readonly (readonly Html[])[]): Html {
  const classOf = (column: number) => (columns[column]?.[1] === undefined ? '' : html`class="number"`)
  return html`<table role="table">
    <caption>
      ${caption}
    </caption>
    <thead role="rowgroup">
      <tr role="row">
        ${columns.map(([label], column) => html`<th role="columnheader" scope="col" ${classOf(column)}>${label}</th>`)}
      </tr>
    </thead>
    <tbody role="rowgroup">
      ${rows.map(
        ([first, ...cells]) =>
          html`<tr role="row">
            <th role="rowheader" scope="row">${first}</th>
            ${cells.map(
              (cell, at) =>
                html`<td role="cell" data-label="${columns[at + 1]?.[0] ?? ''}" ${classOf(at + 1)}>${cell}</td>`,
            )}
          </tr>`,
      )}
    </tbody>
  </table>`
}
