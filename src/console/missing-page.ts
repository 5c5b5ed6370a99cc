import { html } from 'hono/html'
import { beside } from './navigation.ts'
import { page, type Html } from './page.ts'

export const missingPage = (): Html =>
  page({
    title: 'Not found',
    beside: beside(undefined),
    main: html`<h1>There is nothing here</h1>
      <p class="lead">Look in the <a href="/">overview</a> or in <a href="/finance">finance</a>.</p>`,
  })
