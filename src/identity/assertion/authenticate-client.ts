import { err, instant, ok, type Instant, type Proven, type Result } from '../../kernel/index.ts'
import { systemTransaction, type Database } from '../../db/index.ts'
import { algorithmsOf, type ClientFacts, type PublicJwk } from '../client.ts'
import { readJws, verifyJws, type Jws } from '../jws.ts'
import type { RefusedAddresses } from '../refused-addresses.ts'
import { rememberOnce, type Once } from '../store-replay.ts'
import { checkAssertion, readClaims, skewSeconds, type Audiences, type Claims } from './check-assertion.ts'
import { verifyDecoy } from './decoy.ts'
import type { AssertionReason } from './reasons.ts'

/** A client whose assertion was verified, was meant for us, and was shown for the first time. */
export type AuthenticatedClient = Proven<'AuthenticatedClient', { readonly facts: ClientFacts }>

export interface ClientNeeds {
  readonly database: Database
  findClient(clientId: string): ClientFacts | undefined
  /** As `findKeyAgain`: for an id that is not known here. */
  findClientAgain(clientId: string): Promise<ClientFacts | undefined>
  /** The keys that a client publishes; undefined when they cannot be had. */
  publishedKeysOf(client: ClientFacts, kid: string): Promise<readonly PublicJwk[] | undefined>
  readonly refusedAddresses: RefusedAddresses
  monotonicMs(): number
}

/** What a request shows (RFC 7521, section 4.2). */
export interface ShownAssertion {
  readonly type: string | undefined
  readonly assertion: string | undefined
  /** May be said beside the assertion, and must then be the same. */
  readonly clientId: string | undefined
}

export const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const assertionCharactersMax = 8_192
/** As `clientIdOf` makes them: anything else is nobody's, and nobody looks it up. */
const clientIdGrammar = /^[a-z0-9-]{1,64}\.[a-z0-9-]{1,64}$/

/** What an assertion is held against. */
export interface AssertionChecks {
  readonly audiences: Audiences
  readonly now: Instant
  /** Remembered in the same statement as the jti. */
  readonly also: readonly Once[]
  /** Where it came from; undefined when that is not known. */
  readonly address: string | undefined
}

/**
 * Authenticates a client by its signed assertion (RFC 7523; SMART App Launch 2.2, client-confidential-asymmetric). What
 * concerns the text comes first, then the key, then the signature; the jti is written last, so that neither a stranger
 * nor a bad copy of a good assertion makes a row. Whoever is refused before that has cost one signature and waits for the
 * same look at the database, a client's name or nobody's, so that the time does not tell which names there are.
 * @throws Failure when the database is away: nobody is refused for an outage of ours.
 */
export async function authenticateClient(
  needs: ClientNeeds,
  shown: ShownAssertion,
  by: AssertionChecks,
): Promise<Result<AuthenticatedClient, readonly AssertionReason[]>> {
  const { assertion, type } = shown
  if (assertion === undefined) return err(['assertion_missing'])
  if (type !== assertionType) return err(['assertion_type_wrong'])
  const jws = readJws(assertion, assertionCharactersMax)
  const claims = jws === undefined ? undefined : readClaims(jws)
  if (jws === undefined || claims === undefined) return err(['assertion_malformed'])

  const verify = (client: ClientFacts | undefined) => verifyFor(needs, client, { jws, claims, shown, by })
  const clientId = typeof claims.iss === 'string' ? claims.iss : ''
  const known = findClient(needs, clientId)
  const verified = await verify(known)
  const client = verified.ok
    ? verified
    : await lookForClient(needs, { clientId, known, address: by.address }, verify, verified)
  return client.ok ? showOnce(needs, client.value, claims, by) : client
}

/**
 * Looks at the database for a client that was refused as it is known here: one that was declared a moment ago, or that has
 * new keys. Whoever was refused too often is not looked up any more.
 */
export async function lookForClient<Reason>(
  needs: ClientNeeds,
  asked: { clientId: string; known: ClientFacts | undefined; address: string | undefined },
  verify: (client: ClientFacts | undefined) => Promise<Result<ClientFacts, readonly Reason[]>>,
  before: Result<ClientFacts, readonly Reason[]>,
): Promise<Result<ClientFacts, readonly (Reason | 'refused_too_often')[]>> {
  const { clientId, known, address } = asked
  if (needs.refusedAddresses.isOver(address, needs.monotonicMs())) return err(['refused_too_often'])
  const found = clientIdGrammar.test(clientId) ? await needs.findClientAgain(clientId) : undefined
  const verified = found === known ? before : await verify(found)
  if (!verified.ok) needs.refusedAddresses.note(address, needs.monotonicMs())
  return verified
}

type Verified = Result<ClientFacts, readonly AssertionReason[]>

/** Everything but whether it was shown before. */
async function verifyFor(
  needs: ClientNeeds,
  client: ClientFacts | undefined,
  on: { jws: Jws; claims: Claims; shown: ShownAssertion; by: AssertionChecks },
): Promise<Verified> {
  const { jws, claims, shown, by } = on
  if (client === undefined) return refuseAsSlowly(jws, ['client_unknown'])
  const reasons = [
    ...checkAssertion(jws, claims, { client, audiences: by.audiences, now: by.now }),
    ...(shown.clientId === undefined || shown.clientId === client.clientId ? [] : (['client_id_differs'] as const)),
  ]
  if (reasons.length > 0) return refuseAsSlowly(jws, reasons)

  const keys = await keysOf(needs, client, String(jws.header['kid']))
  if (keys === undefined) return refuseAsSlowly(jws, ['key_set_unavailable'])
  const verified = await verifyJws(jws, keys, algorithmsOf(client.profile))
  if (verified === 'verified') return ok(client)
  return verified === 'signature_wrong' ? err([verified]) : refuseAsSlowly(jws, [verified])
}

async function showOnce(
  needs: ClientNeeds,
  client: ClientFacts,
  claims: Claims,
  by: AssertionChecks,
): Promise<Result<AuthenticatedClient, readonly AssertionReason[]>> {
  const once: Once = {
    issuer: client.clientId,
    jti: String(claims.jti),
    expiresAt: instant((Number(claims.exp) + skewSeconds) * 1000),
  }
  const again = await systemTransaction(needs.database, 'remember-assertion', (tx) =>
    rememberOnce(tx, [once, ...by.also]),
  )
  if (again.includes(once)) return err(['replayed'])
  return again.length > 0 ? err(['proof_replayed']) : ok({ facts: client } as AuthenticatedClient)
}

export const findClient = (needs: ClientNeeds, clientId: string): ClientFacts | undefined =>
  clientIdGrammar.test(clientId) ? needs.findClient(clientId) : undefined

const keysOf = async (
  needs: ClientNeeds,
  client: ClientFacts,
  kid: string,
): Promise<readonly PublicJwk[] | undefined> =>
  'registered' in client.keys ? client.keys.registered : needs.publishedKeysOf(client, kid)

/** A signature is verified in any case, so that the time does not tell who is a client. */
async function refuseAsSlowly(jws: Jws, reasons: readonly AssertionReason[]): Promise<Verified> {
  await verifyDecoy(jws)
  return err(reasons)
}
