import { err, ok, type Instant, type Result } from '../kernel/index.ts'
import type { HeldToken } from './access-token.ts'
import { checkProof, type ProofReason } from './dpop/check-proof.ts'
import type { SeenProofs } from './dpop/seen-proofs.ts'
import type { ShownProof } from './store-proofs.ts'

export interface ProofNeeds {
  /** Those of this process. */
  readonly proofs: SeenProofs
  /** Notes a proof for all processes; `seen` when another had it. */
  shareProof(proof: ShownProof): Promise<'first' | 'seen'>
  issuer(): string | undefined
  monotonicMs(): number
}

export interface Presented {
  readonly scheme: 'bearer' | 'dpop'
  readonly text: string
  /** The DPoP header; two of them are one with a comma. */
  readonly proof: string | undefined
  /** Thumbprint of the certificate that the caller has proved to hold, by TLS. */
  readonly certificate: string | undefined
  readonly method: string
  /** Without origin and query. */
  readonly path: string
}

export type CertificateReason = 'certificate_missing' | 'certificate_of_other'
export type PossessionRefusal =
  | { reason: 'proof_refused'; detail: ProofReason }
  | { reason: 'certificate_refused'; detail: CertificateReason }

/**
 * Whether whoever shows a token may. One that is bound to a TLS certificate comes over a connection with that certificate
 * (RFC 8705, section 3); one that is bound to a key, with a proof of that key.
 */
export async function checkPossession(
  needs: ProofNeeds,
  held: HeldToken,
  presented: Presented,
  now: Instant,
): Promise<Result<undefined, PossessionRefusal>> {
  const certificate = checkCertificate(held.claims.cnf?.['x5t#S256'], presented.certificate)
  if (!certificate.ok) return err({ reason: 'certificate_refused', detail: certificate.error })
  const proof = await checkKey(needs, held, presented, now)
  return proof.ok ? proof : err({ reason: 'proof_refused', detail: proof.error })
}

export function checkCertificate(
  bound: string | undefined,
  shown: string | undefined,
): Result<undefined, CertificateReason> {
  if (bound === undefined || bound === shown) return ok(undefined)
  return err(shown === undefined ? 'certificate_missing' : 'certificate_of_other')
}

/**
 * A proof was made for this request and is shown once (RFC 9449, section 7.1). The same token as a mere bearer's is refused
 * (section 7.2), and so is one that is bound to no key under a scheme that promises more.
 */
async function checkKey(
  needs: ProofNeeds,
  { claims, client }: HeldToken,
  presented: Presented,
  now: Instant,
): Promise<Result<undefined, ProofReason>> {
  const bound = claims.cnf?.jkt
  if (bound === undefined) return presented.scheme === 'bearer' ? ok(undefined) : err('proof_of_other_key')
  if (presented.scheme === 'bearer' || presented.proof === undefined) return err('proof_missing')
  const proof = await checkProof(presented.proof, {
    method: presented.method,
    url: `${needs.issuer() ?? ''}${presented.path}`,
    now,
    token: presented.text,
  })
  if (!proof.ok) return proof
  if (proof.value.thumbprint !== bound) return err('proof_of_other_key')
  const shown = needs.proofs.show(client.clientId, proof.value, needs.monotonicMs())
  if (shown !== 'first') return err(shown === 'seen' ? 'proof_replayed' : 'proofs_too_many')
  const { thumbprint, jti, expiresAt } = proof.value
  const elsewhere = await needs.shareProof({ digest: await digestOf(`${thumbprint} ${jti}`), expiresAt })
  return elsewhere === 'first' ? ok(undefined) : err('proof_replayed')
}

/** SHA-256 in hex. */
async function digestOf(text: string): Promise<string> {
  const octets = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))
  return Array.from(octets, (octet) => octet.toString(16).padStart(2, '0')).join('')
}
