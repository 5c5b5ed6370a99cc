import { err, ok, type Instant, type Result } from '../kernel/index.ts'
import {
  findClient,
  lookForClient,
  type AuthenticatedClient,
  type ClientNeeds,
} from './assertion/authenticate-client.ts'
import { hasEnded, type ClientFacts } from './client.ts'

/** For the log: the wire says `invalid_client` for all of them. */
export type CertificateRefusal = 'client_unknown' | 'client_ended' | 'certificate_unknown' | 'refused_too_often'

/**
 * Authenticates a client by the certificate that it has proved to hold (RFC 8705, section 2.2: `self_signed_tls_client_auth`).
 * What was registered is the certificate itself, by its thumbprint: who issued it is not asked.
 * @throws Failure when the database is away.
 */
export async function authenticateByCertificate(
  needs: ClientNeeds,
  shown: { readonly clientId: string; readonly certificate: string; readonly address: string | undefined },
  now: Instant,
): Promise<Result<AuthenticatedClient, readonly CertificateRefusal[]>> {
  const known = findClient(needs, shown.clientId)
  const check = (client: ClientFacts | undefined) => Promise.resolve(checkClient(client, shown.certificate, now))
  const checked = await check(known)
  const client = checked.ok ? checked : await lookForClient(needs, { ...shown, known }, check, checked)
  return client.ok ? ok({ facts: client.value } as AuthenticatedClient) : client
}

function checkClient(
  client: ClientFacts | undefined,
  certificate: string,
  now: Instant,
): Result<ClientFacts, readonly CertificateRefusal[]> {
  if (client === undefined) return err(['client_unknown'])
  if (!client.certificates.includes(certificate)) return err(['certificate_unknown'])
  return hasEnded(client, now) ? err(['client_ended']) : ok(client)
}
