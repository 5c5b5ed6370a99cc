import { html } from 'hono/html'
import { page, type Html } from './page.ts'

/** Asks for the owner token; `refused` says why the last one did not do. */
export const signInPage = (refused: string | undefined): Html =>
  page({
    title: refused === undefined ? 'Sign in' : 'Not signed in',
    main: html`<form class="sign-in" method="post" action="/sign-in">
      <h1>Sign in</h1>
      <p>The console shows which organizations may use which models, and what they used.</p>
      ${refused === undefined ? '' : html`<p class="refused" role="alert" id="refused">${refused}</p>`}
      <input name="username" type="text" value="owner" autocomplete="username" hidden />
      <label for="token">Owner token</label>
      <input
        id="token"
        name="token"
        type="password"
        autocomplete="current-password"
        required
        autofocus
        maxlength="512"
        aria-describedby="hint${refused === undefined ? '' : ' refused'}"
        ${refused === undefined ? '' : html`aria-invalid="true"`}
      />
      <p class="hint" id="hint">
        <code>npm start</code> prints it; it is <code>OWNER_TOKEN</code> where that is set. It is asked for again after
        eight hours.
      </p>
      <button type="submit">Sign in</button>
    </form>`,
  })
