import { html } from 'hono/html'
import type { Html } from './page.ts'

const places = [
  { path: '/', name: 'Overview' },
  { path: '/finance', name: 'Finance' },
] as const

/** What stands beside the house's name on every page of somebody who is signed in. */
export const beside = (here: (typeof places)[number]['path'] | undefined): Html =>
  html`<nav class="places" aria-label="Console">
      ${places.map(
        ({ path, name }) => html`<a href="${path}" ${path === here ? html`aria-current="page"` : ''}>${name}</a>`,
      )}
    </nav>
    <form method="post" action="/sign-out">
      <button class="plain" type="submit">Sign out</button>
    </form>`
