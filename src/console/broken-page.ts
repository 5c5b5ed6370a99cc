import { html } from 'hono/html'
import { page, type Html } from './page.ts'

/** The database is away. What is inside of that stands in the log. */
export const brokenPage = (): Html =>
  page({
    title: 'Not available',
    main: html`<h1>Not available now</h1>
      <p class="lead">The database did not answer. Reload the page in a moment; the log says more.</p>`,
  })
