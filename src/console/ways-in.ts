import { Failure } from '../kernel/index.ts'
import { systemTransaction } from '../db/index.ts'
import { findOwnersProvider, type ProviderFacts } from '../identity/index.ts'
import type { Html } from './page.ts'
import type { SignInNeeds } from './sign-in-needs.ts'
import { signInPage } from './sign-in-page.ts'

/** The page with every way in that there is now. */
export async function waysIn(
  needs: SignInNeeds,
  { to, refused }: { readonly to: string; readonly refused?: string },
): Promise<Html> {
  const hasProviders = needs.adminUrl() !== undefined
  const owners = hasProviders
    ? await systemTransaction(needs.database, 'administer', findOwnersProvider).catch(nothingIfAway)
    : undefined
  const owner = owners === undefined ? undefined : { name: owners.name, href: hrefFor(owners, to) }
  return signInPage({ refused, owner, hasProviders, to })
}

/** Without a database the page still says what can be said. */
function nothingIfAway(error: unknown): undefined {
  if (!(error instanceof Failure)) throw error
}

/** Where a way through a provider begins. */
export const hrefFor = ({ tenant }: ProviderFacts, to: string): string =>
  `/sign-in/start?${new URLSearchParams({ tenant, to }).toString()}`
