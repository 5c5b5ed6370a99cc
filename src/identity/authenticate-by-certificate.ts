import { err, ok, type Instant, type Result } from '../kernel/index.ts'
import { findClient, type AuthenticatedClient, type ClientNeeds } from './assertion/authenticate-client.ts'
import { hasEnded } from './client.ts'

/** For the log: the wire says `invalid_client` for all of them. */
export type CertificateRefusal = 'client_unknown' | 'client_ended' | 'certificate_unknown'

/**
 * Authenticates a client by the certificate that it has proved to hold (RFC 8705, section 2.2: `self_signed_tls_client_auth`).
 * What was registered is the certificate itself, by its thumbprint: who issued it is not asked.
 * @throws Failure when the database is away.
 */
export async function authenticateByCertificate(
  needs: ClientNeeds,
  shown: { readonly clientId: string; readonly certificate: string },
  now: Instant,
): Promise<Result<AuthenticatedClient, CertificateRefusal>> {
  const client = await findClient(needs, shown.clientId)
  if (client === undefined) return err('client_unknown')
  if (!client.certificates.includes(shown.certificate)) return err('certificate_unknown')
  return hasEnded(client, now) ? err('client_ended') : ok({ facts: client } as AuthenticatedClient)
}
