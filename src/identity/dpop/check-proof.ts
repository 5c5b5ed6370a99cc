import { calculateJwkThumbprint } from 'jose'
import type { z } from 'zod'
import { err, instant, ok, type Instant, type Result } from '../../kernel/index.ts'
import { algorithmsOf, objectionToKeyFor, privateMembers, PublicJwk } from '../client.ts'
import { base64Url, readJws, readMembers, requiredMembers, verifyByKey } from '../jws.ts'

/** Why a proof was refused, and by which rule of RFC 9449. */
export const proofRules = {
  proof_missing: '5, 7.1',
  proof_malformed: '4.3 (1), (2)',
  proof_type_wrong: '4.3 (4)',
  proof_algorithm_not_allowed: '4.3 (5)',
  proof_key_missing: '4.3 (3)',
  proof_key_private: '4.3 (7)',
  proof_key_unfit: '4.3 (5)',
  proof_signature_wrong: '4.3 (6)',
  proof_jti_missing: '4.3 (3)',
  proof_method_wrong: '4.3 (8)',
  proof_address_wrong: '4.3 (9)',
  proof_time_wrong: '4.3 (11)',
  proof_token_wrong: '4.3 (12)',
  proof_of_other_key: '4.3 (12), 6.1',
  proof_replayed: '11.1',
  proofs_too_many: '11.1',
} as const
export type ProofReason = keyof typeof proofRules

/** A proof that is good by itself; whether it was shown before is for its caller to find out. */
export interface Proof {
  /** RFC 7638 thumbprint of the key, in base64url. */
  readonly thumbprint: string
  readonly jti: string
  /** From then on it is refused for its age. */
  readonly expiresAt: Instant
}

/** On both sides of now. */
export const proofSeconds = 60
const proofCharactersMax = 4_096
const jtiCharactersMax = 512
export const proofAlgorithms = algorithmsOf('fapi2')

const ProofKey = PublicJwk.partial({ kid: true })
/**
 * Checks a DPoP proof (RFC 9449, section 4.3): for this method, this address, now, and beside a token for this token. The
 * key comes with it, so that anybody can make one: it proves only that its maker is who a token was bound to.
 */
export async function checkProof(
  shown: string,
  against: {
    readonly method: string
    /** Without query and fragment. */
    readonly url: string
    readonly now: Instant
    /** The token beside which it is shown. */
    readonly token: string | undefined
  },
): Promise<Result<Proof, ProofReason>> {
  // Two headers arrive as one with a comma, which is in no JWS.
  const jws = readJws(shown, proofCharactersMax)
  const members = jws === undefined ? undefined : readMembers(jws.payload)
  if (jws === undefined || members === undefined) return err('proof_malformed')
  if (jws.header['typ'] !== 'dpop+jwt') return err('proof_type_wrong')
  if (jws.header['crit'] !== undefined || jws.header['b64'] !== undefined) return err('proof_malformed')
  const algorithm = proofAlgorithms.find(({ alg }) => alg === jws.header['alg'])
  if (algorithm === undefined) return err('proof_algorithm_not_allowed')
  const key = readKey(jws.header['jwk'])
  if (!key.ok) return key
  if (objectionToKeyFor(key.value, [algorithm]) !== undefined) return err('proof_key_unfit')

  const { jti, htm, htu, iat, ath } = members
  if (typeof jti !== 'string' || jti === '' || jti.length > jtiCharactersMax) return err('proof_jti_missing')
  if (htm !== against.method) return err('proof_method_wrong')
  if (typeof htu !== 'string' || bareUrl(htu) !== bareUrl(against.url)) return err('proof_address_wrong')
  const isNow = typeof iat === 'number' && Math.abs(against.now / 1000 - iat) <= proofSeconds
  if (!isNow) return err('proof_time_wrong')
  if (against.token !== undefined && ath !== (await sha256(against.token))) return err('proof_token_wrong')

  const verified = await verifyByKey(jws, key.value, algorithm)
  if (verified !== 'verified') return err(verified === 'key_unfit' ? 'proof_key_unfit' : 'proof_signature_wrong')
  const thumbprint = await calculateJwkThumbprint(requiredMembers(key.value))
  return ok({ thumbprint, jti, expiresAt: instant((iat + proofSeconds) * 1000) })
}

function readKey(jwk: unknown): Result<z.infer<typeof ProofKey>, ProofReason> {
  if (typeof jwk !== 'object' || jwk === null) return err('proof_key_missing')
  if (Object.keys(jwk).some((member) => privateMembers.has(member))) return err('proof_key_private')
  const key = ProofKey.safeParse(jwk)
  return key.success ? ok(key.data) : err('proof_key_unfit')
}

/** Scheme and host in one case, no default port, neither query nor fragment (RFC 3986, section 6.2). */
function bareUrl(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined
  const { origin, pathname } = new URL(text)
  return origin + pathname
}

export const sha256 = async (text: string): Promise<string> =>
  base64Url(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))))
