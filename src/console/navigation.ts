import { html } from 'hono/html'
import type { Actor, Role, ShownSession } from '../identity/index.ts'
import type { Html } from './page.ts'

export type Place = '/' | '/finance' | '/organization'

/** Of the owner's people, those whose business is money; as at the control plane's API. */
export const billRoles: readonly Role[] = ['owner-admin', 'finance', 'auditor']
export const mayReadBills = ({ tenantId, roles }: Actor): boolean =>
  tenantId === undefined && billRoles.some((role) => roles.includes(role))

function placesOf(actor: Actor): readonly { readonly path: Place; readonly name: string }[] {
  const overview = { path: '/', name: 'Overview' } as const
  if (actor.tenantId !== undefined) return [overview, { path: '/organization', name: 'Cost and invoices' }]
  return mayReadBills(actor) ? [overview, { path: '/finance', name: 'Finance' }] : [overview]
}

/** What stands beside the house's name: the pages that there are for somebody, who they are, and the way out. */
export const beside = (here: Place | undefined, { actor, csrfToken }: ShownSession): Html =>
  html`<nav class="places" aria-label="Console">
      ${placesOf(actor).map(
        ({ path, name }) => html`<a href="${path}" ${path === here ? html`aria-current="page"` : ''}>${name}</a>`,
      )}
    </nav>
    <div class="viewer">
      <span>${actor.shownAs ?? actor.name}, ${actor.roles.join(', ')}</span>
      <form method="post" action="/sign-out">
        <input name="csrf_token" type="hidden" value="${csrfToken}" hidden />
        <button class="plain" type="submit">Sign out</button>
      </form>
    </div>`
