import { html } from 'hono/html'
import type { ShownSession } from '../identity/index.ts'
import type { Overview } from './overview.ts'
import { beside, mayReadBills } from './navigation.ts'
import { page, type Html } from './page.ts'
import { standingInWords, standings } from './standing.ts'
import { section, table } from './table.ts'

/** The first page: who may use what, what was used this month, and what is left. */
export function overviewPage(
  overview: Overview,
  { gatewayUrl, session }: { readonly gatewayUrl: string; readonly session: ShownSession },
): Html {
  const { owner, isOfOne } = overview
  const name = isOfOne ? overview.tenants[0]?.name : owner
  return page({
    title: 'Overview',
    owner: name,
    beside: beside('/', session),
    main: html`<h1>Overview</h1>
      <p class="lead">${leadOf(overview)} Days and months are UTC.</p>
      ${figures(overview)} ${organizations(overview, mayReadBills(session.actor))} ${use(overview, gatewayUrl)}
      ${budgets(overview)} ${isOfOne ? '' : models(overview)}`,
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

function organizations(overview: Overview, withLinks: boolean): Html {
  const { tenants, found, isFiltered, isFirstPage, isOfOne } = overview
  if (tenants.length === 0 && !isFiltered && isFirstPage)
    return section(
      'Organizations',
      html`<div class="empty">
        <p>No organization is declared yet. Each is a folder in <code>tenants/</code>; this brings them in:</p>
        <pre><code>npx formulary tenants apply</code></pre>
      </div>`,
    )
  return section(
    isOfOne ? 'Your organization' : 'Organizations',
    html`${isOfOne ? '' : finder(overview)}
    ${
      tenants.length === 0
        ? html`<div class="empty">
            <p>No organization is like that. <a href="/">Show all of them</a>.</p>
          </div>`
        : table(
            isOfOne
              ? 'Your license, and the keys of your applications that work now.'
              : `${found}${isFiltered ? ' found' : ''}, each with its license and the keys of its applications that work now.`,
            [['Organization'], ['License'], ['State'], ['Plan'], ['Keys', 'number']],
            tenants.map((tenant) => [
              html`${withLinks ? html`<a href="/organizations/${tenant.tenant}">${tenant.name}</a>` : tenant.name}<span
                  class="quiet"
                  >${tenant.kind}, <code>${tenant.tenant}</code></span
                ><span class="quiet">${tenant.size}</span>`,
              html`<span class="keep">${tenant.license}</span>`,
              html`<span ${tenant.isInForce ? '' : html`class="alarm"`}>${tenant.state}</span>`,
              html`<span class="keep">${tenant.plan}</span>`,
              html`<span>${tenant.keys}</span>`,
            ]),
          )
    }
    ${pages(overview)}`,
  )
}

/** A form that asks for the page again: it works without script, and the address says what is shown. */
const finder = ({ find, standing }: Overview): Html =>
  html`<form class="find" method="get" action="/" role="search" aria-label="Organizations">
    <p>
      <label for="find">Name</label>
      <input id="find" name="find" type="search" value="${find}" maxlength="100" autocomplete="off" />
    </p>
    <p>
      <label for="state">License</label>
      <select id="state" name="state">
        <option value="">Any</option>
        ${standings.map(
          (one) =>
            html`<option value="${one}" ${one === standing ? html`selected` : ''}>${standingInWords[one]}</option>`,
        )}
      </select>
    </p>
    <button type="submit">Find</button>
  </form>`

function pages({ find, standing, isFirstPage, next }: Overview): Html {
  if (isFirstPage && next === undefined) return html``
  const address = (after: string | undefined) => {
    const query = new URLSearchParams({
      ...(find === '' ? {} : { find }),
      ...(standing === undefined ? {} : { state: standing }),
      ...(after === undefined ? {} : { after }),
    })
    return query.size === 0 ? '/' : `/?${query.toString()}`
  }
  return html`<nav class="pages" aria-label="Pages of organizations">
    ${isFirstPage ? '' : html`<a href="${address(undefined)}">First page</a>`}
    ${next === undefined ? '' : html`<a href="${address(next)}" rel="next">Next page</a>`}
  </nav>`
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
      'Of the organizations above. From the ledger, as it stands now: every call that was answered is in it.',
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
      'What licenses in force of the organizations above allow in a period. A budget is never overdrawn: a call that could is refused.',
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
