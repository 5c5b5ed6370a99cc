import type { Context } from 'hono'
import { assertNever } from '../kernel/index.ts'
import { systemTransaction } from '../db/index.ts'
import {
  beginPersonsSession,
  digestOf,
  endSessions,
  endSessionsOfNobody,
  findProvider,
  openAttempt,
  readPerson,
  secretsOf,
  type PersonRefusal,
  type ProviderFacts,
  type ProviderRefusal,
} from '../identity/index.ts'
import { newSecret, sessionOf, setSessionCookie, takeAttemptCookie } from './session-cookie.ts'
import { noRolePage } from './sign-in-page.ts'
import type { SignInNeeds } from './sign-in-needs.ts'
import { waysIn } from './ways-in.ts'
import type { Html } from './page.ts'

/** Each provider has a place of its own to send people back to, so that no other's answer is taken for its own. */
export function redirectUriFor(needs: SignInNeeds, tenant: string): string | undefined {
  const url = needs.adminUrl()
  return url === undefined ? undefined : `${url}/sign-in/callback/${tenant}`
}

/**
 * Somebody comes back from a provider: the browser has to bring the attempt that it left with, the provider an answer to this
 * attempt and no other, and the person a group that has a role. Then a session begins, and the one before ends.
 */
export async function finishSignIn(c: Context, needs: SignInNeeds, noteWrong: () => void): Promise<Response> {
  const { hmac, cookieKey, log } = needs
  const now = needs.now()
  const tenant = c.req.param('tenant') ?? ''
  const attempt = openAttempt(hmac, cookieKey, takeAttemptCookie(c, needs), now)
  const redirectUri = redirectUriFor(needs, tenant)
  const no = async (status: 400 | 403 | 503, reason: string, refused: string) => {
    log.warn('sign_in.refused', { tenant, reason })
    return c.html(await waysIn(needs, { to: attempt?.to ?? '/', refused }), status)
  }
  if (attempt === undefined || attempt.tenant !== tenant || redirectUri === undefined)
    return no(400, 'attempt_unknown', 'This sign-in was not begun in this browser, or it took too long. Begin again.')
  const facts = await systemTransaction(needs.database, 'administer', (tx) => findProvider(tx, { tenant }))
  if (facts === undefined) return no(403, 'provider_gone', 'Nobody can sign in there any more.')
  const secrets = secretsOf(hmac, cookieKey, attempt)
  const told = await needs.providers.finish(facts, secrets, { redirectUri, query: new URL(c.req.url).search })
  if (!told.ok) {
    const { status, reason, words } = wordsForProvider(told.error, facts)
    if (status !== 503) noteWrong()
    return no(status, reason, words)
  }
  const person = readPerson(facts, told.value)
  const before = await sessionOf(c, needs)
  if (!person.ok) {
    log.info('sign_in.no_role', { tenant, reason: person.error.reason })
    const { error } = person
    if (error.reason !== 'subject_unfit')
      await systemTransaction(needs.database, 'administer', (tx) => endSessionsOfNobody(tx, facts, error.person, now))
    return c.html(noRoleFor(error, facts), 403)
  }
  const secret = newSecret(needs)
  const hasBegun = await systemTransaction(needs.database, 'administer', async (tx) => {
    if (before !== undefined)
      await endSessions(tx, { sessionId: before.sessionId }, { actor: before.actor, reason: 'signed in anew', now })
    const attemptSha256 = digestOf(hmac, cookieKey, attempt.random)
    const session = { secretSha256: secret.sha256, now }
    return beginPersonsSession(tx, session, { facts, person: person.value, attemptSha256 })
  })
  if (!hasBegun) return no(400, 'attempt_used', 'This sign-in has been used already. Begin again.')
  log.info('sign_in.done', { tenant })
  setSessionCookie(c, needs, secret.cookie)
  return c.redirect(attempt.to, 303)
}

function wordsForProvider(
  refusal: ProviderRefusal,
  { name }: ProviderFacts,
): { status: 400 | 403 | 503; reason: string; words: string } {
  switch (refusal.reason) {
    case 'provider_said_no':
      return {
        status: 403,
        reason: `provider_said_no ${refusal.error}`,
        words: `The sign-in of ${name} did not let you in. Ask its help desk, or begin again.`,
      }
    case 'answer_refused':
      return {
        status: 400,
        reason: `answer_refused ${refusal.code}`,
        words: `What came back from the sign-in of ${name} is not right, and was not believed. Begin again.`,
      }
    case 'provider_away':
    case 'provider_unfit':
    case 'secret_missing':
      return {
        status: 503,
        reason: refusal.reason,
        words: `The sign-in of ${name} cannot be reached now. Try again in a minute.`,
      }
    default:
      return assertNever(refusal, 'a provider refusal')
  }
}

function noRoleFor(refusal: PersonRefusal, { name, kind }: ProviderFacts): Html {
  const office =
    kind === 'owner'
      ? `Ask the licensing office of ${name} to be put into a group that may.`
      : `Ask whoever administers the accounts of ${name} to put you into the group for Formulary. Which group that is, the licensing office that granted the license knows.`
  switch (refusal.reason) {
    case 'no_role':
      return noRolePage({ shownAs: refusal.person.shownAs, organization: name, office })
    case 'groups_missing':
      return noRolePage({
        shownAs: refusal.person.shownAs,
        organization: name,
        office: `${name} does not say in which groups you are (its claim ${refusal.claim}). ${office}`,
      })
    case 'subject_unfit':
      return noRolePage({ shownAs: 'somebody without a usable name', organization: name, office })
    default:
      return assertNever(refusal, 'a person refusal')
  }
}
