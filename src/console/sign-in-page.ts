import { html } from 'hono/html'
import { page, type Html } from './page.ts'

/** The ways in, for whoever is not signed in. */
export interface SignInWays {
  /** What was wrong with the last try. */
  readonly refused?: string | undefined
  /** The owner, when its people can sign in at their own provider. */
  readonly owner?: { readonly name: string; readonly href: string } | undefined
  /** Whether providers can be used at all: they need the console's public address. */
  readonly hasProviders: boolean
  /** Where to go afterwards; a path of the console. */
  readonly to: string
}

export const signInPage = ({ refused, owner, hasProviders, to }: SignInWays): Html =>
  page({
    title: refused === undefined ? 'Sign in' : 'Not signed in',
    main: html`<div class="sign-in">
      <h1>Sign in</h1>
      <p>The console shows which organizations may use which models, and what they used.</p>
      ${refused === undefined ? '' : html`<p class="refused" role="alert" id="refused">${refused}</p>`}
      ${owner === undefined ? '' : html`<p><a class="way" href="${owner.href}">Sign in with ${owner.name}</a></p>`}
      ${hasProviders ? organizationForm(to) : ''} ${tokenForm(refused, to)}
    </div>`,
  })

const organizationForm = (to: string): Html =>
  html`<form method="get" action="/sign-in">
    <h2>Your organization</h2>
    <input name="to" type="hidden" value="${to}" hidden />
    <label for="organization">Short name of your organization</label>
    <input
      id="organization"
      name="organization"
      type="text"
      required
      maxlength="64"
      autocomplete="organization"
      autocapitalize="none"
      spellcheck="false"
      aria-describedby="organization-hint"
    />
    <p class="hint" id="organization-hint">
      Such as <code>lakeside-health</code>. You sign in where you sign in for your other work.
    </p>
    <button type="submit">Continue</button>
  </form>`

const tokenForm = (refused: string | undefined, to: string): Html =>
  html`<form method="post" action="/sign-in">
    <h2>With a token</h2>
    <input name="to" type="hidden" value="${to}" hidden />
    <label for="token">Admin token</label>
    <input
      id="token"
      name="token"
      type="password"
      autocomplete="current-password"
      required
      maxlength="512"
      aria-describedby="hint${refused === undefined ? '' : ' refused'}"
    />
    <p class="hint" id="hint">
      It begins with <code>fma_live_</code>. <code>npm start</code> prints one;
      <code>formulary admin-token create</code> makes more. It is asked for again after eight hours, or half an hour
      without use.
    </p>
    <button type="submit">Sign in with the token</button>
  </form>`

/**
 * Between the name of an organization and its provider: whoever goes there sees first where it is. A form could not lead there
 * itself, because forms of the console are sent to the console only.
 */
export const providerPage = (provider: { name: string; host: string; href: string }): Html =>
  page({
    title: `Sign in with ${provider.name}`,
    main: html`<div class="sign-in">
      <h1>Sign in with ${provider.name}</h1>
      <p>Its people sign in at <strong>${provider.host}</strong>. You come back here afterwards.</p>
      <p><a class="way" href="${provider.href}">Continue to ${provider.host}</a></p>
      <p><a href="/sign-in">Another way to sign in</a></p>
    </div>`,
  })

/** Known to their provider, and nobody here. */
export const noRolePage = (person: {
  shownAs: string
  organization: string
  /** Whom to ask. */
  office: string
}): Html =>
  page({
    title: 'No role here',
    main: html`<div class="sign-in">
      <h1>You have no role here</h1>
      <p>
        ${person.organization} says that you are <strong>${person.shownAs}</strong>. None of your groups there may use
        this console, so that you are not signed in.
      </p>
      <p>${person.office}</p>
      <p><a href="/sign-in">Another way to sign in</a></p>
    </div>`,
  })

/** Here the session is over; at the provider it goes on until the person ends it there. */
export const signedOutPage = (provider: { host: string; href: string }): Html =>
  page({
    title: 'Signed out',
    main: html`<div class="sign-in">
      <h1>You are signed out</h1>
      <p>You may still be signed in at ${provider.host}, and whoever uses this browser next could come back as you.</p>
      <p><a class="way" href="${provider.href}">Sign out at ${provider.host} too</a></p>
      <p><a href="/sign-in">Sign in again</a></p>
    </div>`,
  })
