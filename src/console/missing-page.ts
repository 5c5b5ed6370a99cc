import { html } from 'hono/html'
import type { ShownSession } from '../identity/index.ts'
import { beside, billRoles } from './navigation.ts'
import { page, type Html } from './page.ts'

/** It is not there, or not for whoever asks: both look the same. */
export const missingPage = (session: ShownSession): Html =>
  page({
    title: 'Not found',
    beside: beside(undefined, session),
    main: html`<h1>There is nothing here for you</h1>
      <p class="lead">
        What you may look at stands above. Finance takes one of the roles ${billRoles.join(', ')} of the owner.
      </p>`,
  })
