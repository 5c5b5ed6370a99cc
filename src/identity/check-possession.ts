import { err, ok, type Instant, type Result } from '../kernel/index.ts'
import type { HeldToken } from './access-token.ts'
import { checkProof, type ProofReason } from './dpop/check-proof.ts'
import type { SeenProofs } from './dpop/seen-proofs.ts'

export interface ProofNeeds {
  /** Those of this process. */
  readonly proofs: SeenProofs
  issuer(): string | undefined
  monotonicMs(): number
}

export interface Presented {
  readonly scheme: 'bearer' | 'dpop'
  readonly text: string
  /** The DPoP header; two of them are one with a comma. */
  readonly proof: string | undefined
  readonly method: string
  /** Without origin and query. */
  readonly path: string
}

/**
 * Whether whoever shows a token may: one that is bound to a key comes with a proof of that key, made for this request and
 * shown once (RFC 9449, section 7.1). The same token as a mere bearer's is refused (section 7.2), and so is one that is
 * bound to nothing under a scheme that promises more.
 */
export async function checkPossession(
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
  return shown === 'first' ? ok(undefined) : err(shown === 'seen' ? 'proof_replayed' : 'proofs_too_many')
}
