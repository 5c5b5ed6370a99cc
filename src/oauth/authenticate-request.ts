import { err, ok, type Instant, type Result } from '../kernel/index.ts'
import {
  authenticateByCertificate,
  authenticateClient,
  checkPossession,
  checkProof,
  openToken,
  type AuthenticatedClient,
  type ClientFacts,
  type Proof,
} from '../identity/index.ts'
import type { OauthNeeds, Service } from './oauth.ts'
import type { Form } from './read-form.ts'
import type { OauthRefusal } from './refusal.ts'

/** A request of the token service, as far as it was read. */
export interface Posted {
  readonly form: Form
  readonly authorization: string | undefined
  /** The DPoP header. */
  readonly proof: string | undefined
  /** Thumbprint of the TLS certificate that the caller has proved to hold. */
  readonly certificate: string | undefined
  /** Where it came from; undefined when that is not known. */
  readonly address: string | undefined
  /** Without origin: the address of the route. */
  readonly path: string
  readonly now: Instant
}

/**
 * A client by its assertion and nothing beside it (RFC 6749, section 2.3), or by its certificate when it shows none, with
 * its proof of a key when it sent one.
 */
export async function requireClient(
  needs: OauthNeeds,
  service: Service,
  posted: Posted,
): Promise<Result<{ client: AuthenticatedClient; proof: Proof | undefined }, OauthRefusal>> {
  const { form, now } = posted
  if (posted.authorization !== undefined || form.has('client_secret')) return err({ reason: 'authenticated_twice' })
  const proof = await readProof(service, posted)
  if (!proof.ok) return proof
  const { certificate } = posted
  const clientId = form.get('client_id')
  const isByCertificate = !form.has('client_assertion') && !form.has('client_assertion_type')
  if (isByCertificate && certificate !== undefined && clientId !== undefined) {
    if (proof.value !== undefined) return err({ reason: 'proof_unwanted' })
    const known = await authenticateByCertificate(needs, { clientId, certificate, address: posted.address }, now)
    return known.ok ? ok({ client: known.value, proof: undefined }) : refuseClient(known.error)
  }
  const client = await authenticateClient(
    needs,
    {
      type: form.get('client_assertion_type'),
      assertion: form.get('client_assertion'),
      clientId,
    },
    {
      audiences: service,
      now,
      address: posted.address,
      also: proof.value === undefined ? [] : [{ ...proof.value, issuer: `dpop:${proof.value.thumbprint}` }],
    },
  )
  if (client.ok) return ok({ client: client.value, proof: proof.value })
  return client.error.includes('proof_replayed')
    ? err({ reason: 'proof_refused', because: 'proof_replayed' })
    : refuseClient(client.error)
}

const refuseClient = (because: Extract<OauthRefusal, { reason: 'client_refused' }>['because']) =>
  err(
    because.includes('refused_too_often')
      ? { reason: 'refused_too_often' as const }
      : { reason: 'client_refused' as const, because },
  )

async function readProof(service: Service, posted: Posted): Promise<Result<Proof | undefined, OauthRefusal>> {
  if (posted.proof === undefined) return ok(undefined)
  const url = service.issuer + posted.path
  const proof = await checkProof(posted.proof, { method: 'POST', url, now: posted.now, token: undefined })
  return proof.ok ? proof : err({ reason: 'proof_refused', because: proof.error })
}

/** As `requireClient`, or by an access token of its own in the Authorization header (SMART 282). */
export async function requireCaller(
  needs: OauthNeeds,
  service: Service,
  posted: Posted,
): Promise<Result<ClientFacts, OauthRefusal>> {
  const { authorization, form, proof, certificate, path, now } = posted
  if (authorization === undefined) {
    const known = await requireClient(needs, service, posted)
    return known.ok ? ok(known.value.client.facts) : known
  }
  if (form.has('client_assertion')) return err({ reason: 'authenticated_twice' })
  const [, scheme = '', text = ''] = /^(Bearer|DPoP) +(\S{1,4096})$/i.exec(authorization) ?? []
  const held = await openToken(needs, text, now)
  if (!held.ok) return err({ reason: 'bearer_refused', because: held.error.reason })
  const presented = {
    scheme: scheme.toLowerCase() === 'dpop' ? 'dpop' : 'bearer',
    text,
    proof,
    certificate,
    method: 'POST',
    path,
  } as const
  const possession = await checkPossession(needs, held.value, presented, now)
  return possession.ok ? ok(held.value.client) : err({ reason: 'bearer_refused', because: possession.error.detail })
}
