import { isoOf } from '../kernel/index.ts'
import type { EventRefusal } from '../billing/index.ts'
import type { IdentityRefusal } from '../identity/index.ts'
import type { LicensingRefusal } from '../licensing/index.ts'
import type { PolicyRefusal } from '../policy/index.ts'
import type { PrivacyRefusal } from '../privacy/index.ts'
import type { QuotaRefusal } from '../quota/index.ts'
import type { RoutingRefusal } from '../routing/index.ts'
import type { RequestRefusal } from './read-request.ts'

export type Refusal =
  | RequestRefusal
  | IdentityRefusal
  | LicensingRefusal
  | PolicyRefusal
  | PrivacyRefusal
  | QuotaRefusal
  | RoutingRefusal
  | EventRefusal
  | { reason: 'plan_missing'; plan: string }
  | { reason: 'not_found' }
  | { reason: 'unavailable'; retryAfterSeconds: number }
  | { reason: 'bug' }

/** What a caller of /v1 and /v2 reads, in OpenAI's words, so that its SDK raises the class that fits. */
export interface Wire {
  readonly status: number
  readonly type: string
  readonly code: string
  readonly message: string
  readonly param?: string | undefined
  /** What stands in `error.reasons` beside the code. */
  readonly details?: readonly string[] | undefined
  readonly retryAfterSeconds?: number | undefined
  /** What WWW-Authenticate says beside a 401. Absent: that a bearer is wanted. */
  readonly challenge?: 'token' | 'dpop' | 'dpop_proof' | undefined
}

const permission = { status: 403, type: 'permission_error' } as const
const tokenRefused = {
  status: 401,
  type: 'authentication_error',
  code: 'invalid_token',
  challenge: 'token',
} as const
const rateLimit = { status: 429, type: 'rate_limit_error' } as const
const badRequest = { status: 400, type: 'invalid_request_error' } as const
const server = (status: number) => ({ status, type: 'server_error' }) as const

/** The one place where a refusal becomes words for a caller. A new reason does not compile until it has its line here. */
export function toWire(refusal: Refusal): Wire {
  switch (refusal.reason) {
    case 'request_malformed':
      return { ...badRequest, code: 'invalid_request', message: refusal.message, param: refusal.param }
    case 'request_too_large':
      return {
        status: 413,
        type: 'invalid_request_error',
        code: 'request_too_large',
        message: `The request is larger than ${refusal.bytesMax} bytes. Send less at once.`,
      }
    case 'credential_missing':
      return {
        status: 401,
        type: 'authentication_error',
        code: 'invalid_api_key',
        message: 'No API key was sent. Send it as `Authorization: Bearer fml_live_…`.',
      }
    case 'credential_invalid':
      return {
        status: 401,
        type: 'authentication_error',
        code: 'invalid_api_key',
        message: 'The API key is not valid. Copy it again, whole, or ask your administrator for a new one.',
      }
    case 'credential_expired':
      return {
        status: 401,
        type: 'authentication_error',
        code: 'invalid_api_key',
        message: `The API key ${refusal.keyId} expired at ${isoOf(refusal.expiredAt)}. Ask your administrator for a new one.`,
      }
    case 'credential_revoked':
      return {
        status: 401,
        type: 'authentication_error',
        code: 'invalid_api_key',
        message: `The API key ${refusal.keyId} was revoked at ${isoOf(refusal.revokedAt)}. Ask your administrator for a new one.`,
      }
    case 'refused_too_often':
      return {
        ...rateLimit,
        code: 'rate_limit_exceeded',
        message:
          'The API key is not valid, like too many others that came from your network. A valid one works at once.',
        retryAfterSeconds: refusal.retryAfterSeconds,
      }
    case 'token_expired':
      return {
        ...tokenRefused,
        code: 'token_expired',
        message: `The access token expired at ${isoOf(refusal.expiredAt)}. Get a new one at /oauth/token.`,
      }
    case 'token_invalid':
      return {
        ...tokenRefused,
        message: 'The access token is not valid, or not any more. Get a new one at /oauth/token.',
      }
    case 'proof_refused':
      return {
        ...tokenRefused,
        challenge:
          refusal.detail === 'proof_missing' || refusal.detail === 'proof_of_other_key' ? 'dpop' : 'dpop_proof',
        message:
          'The access token is bound to a key. Send it as `Authorization: DPoP …` with a fresh proof of that key for this request in `DPoP` (RFC 9449).',
      }
    case 'certificate_refused':
      return {
        ...tokenRefused,
        message:
          'The access token is bound to a TLS certificate. Connect with that certificate, where mutual TLS is offered (RFC 8705).',
      }
    case 'license_missing':
      return { ...permission, code: 'license_not_started', message: 'Your organization has no license yet.' }
    case 'license_not_started':
      return {
        ...permission,
        code: 'license_not_started',
        message: `License ${refusal.license} begins at ${isoOf(refusal.startsAt)}.`,
      }
    case 'license_expired':
      return {
        ...permission,
        code: 'license_expired',
        message: `License ${refusal.license} ended at ${isoOf(refusal.endedAt)}. Ask the licensing office to renew it.`,
      }
    case 'license_draft':
      return {
        ...permission,
        code: 'license_not_started',
        message: `License ${refusal.license} is a draft that the licensing office has not activated yet.`,
      }
    case 'license_ended': {
      const goesOn = refusal.toLicense === undefined ? '' : ` It goes on as ${refusal.toLicense}.`
      return {
        ...permission,
        code: 'license_expired',
        message: `License ${refusal.license} was ended at ${isoOf(refusal.endedAt)}.${goesOn}`,
      }
    }
    case 'attestation_overdue':
      return {
        ...permission,
        code: 'attestation_overdue',
        message: `License ${refusal.license} asks for an attestation of ${refusal.kind}, due since ${isoOf(refusal.dueAt)}. Send it to the licensing office.`,
      }
    case 'license_suspended': {
      const until = refusal.until === undefined ? '' : ` until ${isoOf(refusal.until)}`
      return {
        ...permission,
        code: 'license_suspended',
        message: `License ${refusal.license} is suspended${until}. Ask the licensing office why.`,
      }
    }
    case 'license_revoked':
      return {
        ...permission,
        code: 'license_revoked',
        message: `License ${refusal.license} was revoked at ${isoOf(refusal.revokedAt)}.`,
      }
    case 'model_not_found':
      return {
        status: 404,
        type: 'invalid_request_error',
        code: 'model_not_found',
        message: `There is no model ${quoted(refusal.model)}. \`GET /v1/models\` lists those you may use.`,
        param: 'model',
      }
    case 'model_not_licensed':
      return {
        ...permission,
        code: 'model_not_licensed',
        message: `Your license does not include the model \`${refusal.model}\`.`,
        param: 'model',
      }
    case 'version_not_licensed':
      return {
        ...permission,
        code: 'version_not_licensed',
        message: whyNotVersion(refusal),
        param: 'model',
        ...(refusal.because === 'sunset' ? { details: ['sunset'] } : {}),
      }
    case 'version_recalled':
      return {
        ...permission,
        code: 'version_recalled',
        message: `Version ${refusal.version} of \`${refusal.model}\` was recalled at ${isoOf(refusal.recalledAt)}.`,
        param: 'model',
      }
    case 'audience_not_licensed':
      return {
        ...permission,
        code: 'audience_not_licensed',
        message: `Your license does not include \`${refusal.model}\` for the audience ${refusal.audience}.`,
      }
    case 'purpose_not_licensed': {
      const allowed = refusal.allowed.length === 0 ? 'none' : refusal.allowed.join(', ')
      return {
        ...permission,
        code: 'purpose_not_licensed',
        message: `The purpose of use ${quoted(refusal.purpose)} is not licensed here. Allowed: ${allowed}.`,
        param: 'formulary-purpose-of-use',
      }
    }
    case 'facility_not_covered': {
      const covered = refusal.covered.length === 0 ? 'none' : refusal.covered.join(', ')
      return {
        ...permission,
        code: 'facility_not_covered',
        message: `The facility ${quoted(refusal.facility)} is not covered for this application. Covered: ${covered}.`,
        param: 'formulary-facility',
      }
    }
    case 'scope_not_granted':
      return {
        ...permission,
        code: 'policy_denied',
        message: `This API key may not be used for ${refusal.scope}.`,
      }
    case 'operation_not_supported':
      return {
        ...badRequest,
        code: 'invalid_request',
        message:
          refusal.operation === 'infer'
            ? `\`${refusal.model}\` is not a predictor. Call it at /v1/chat/completions.`
            : `\`${refusal.model}\` is a predictor. Call it at /v2/models/${refusal.model}/infer.`,
        param: 'model',
      }
    case 'residency_excludes_all':
      return {
        ...permission,
        code: 'policy_denied',
        message: `No deployment of \`${refusal.model}\` ${refusal.version} lies in your regions (${refusal.residency.join(', ')}).`,
      }
    case 'policy_denied': {
      const named = `\`${refusal.model}\` ${refusal.version}`
      return {
        ...permission,
        code: 'policy_denied',
        message:
          refusal.by.length === 0
            ? `No policy permits this use of ${named}. Ask the licensing office.`
            : refusal.by.map(({ policy, reason }) => `Policy \`${policy}\` forbids this: ${reason}`).join(' '),
        details: refusal.by.map(({ policy, reason }) => `${policy}: ${reason}`),
      }
    }
    case 'policy_unavailable':
      return {
        ...server(503),
        code: 'unavailable',
        message:
          refusal.because === 'none_declared'
            ? 'No policies are declared here yet, so nothing is permitted. The licensing office has to mend that.'
            : 'The policies cannot be evaluated for this call. The licensing office has to mend that.',
        retryAfterSeconds: 60,
      }
    case 'privacy_mode_unavailable':
      return {
        ...permission,
        code: 'policy_denied',
        message: `Your license asks for content to be protected by \`${refusal.mode}\`, which is not available here.`,
      }
    case 'rate_exceeded':
      return {
        ...rateLimit,
        code: 'rate_limit_exceeded',
        message: `Your license allows ${refusal.limit} ${refusal.meter} per minute. Try again in ${refusal.retryAfterSeconds} s.`,
        retryAfterSeconds: refusal.retryAfterSeconds,
      }
    case 'concurrency_exceeded':
      return {
        ...rateLimit,
        code: 'concurrency_limit_exceeded',
        message: 'All calls that your license allows at once are in use. Try again in a second.',
        retryAfterSeconds: 1,
      }
    case 'budget_exhausted':
      return {
        status: 429,
        type: 'insufficient_quota',
        code: 'insufficient_quota',
        message: refusal.held
          ? `What is left of your budget ${refusal.budget} is held by calls in flight. Try again in a second.`
          : `Your budget ${refusal.budget} has too little left for this call. It begins anew at ${isoOf(refusal.resetsAt)}.`,
        retryAfterSeconds: refusal.held ? 1 : 3600,
      }
    case 'model_host_unavailable':
      return {
        ...server(503),
        code: 'unavailable',
        message: 'The model is not available now. Try again shortly.',
        retryAfterSeconds: refusal.retryAfterSeconds,
      }
    case 'model_host_refused':
      if (refusal.contextExceeded)
        return {
          ...badRequest,
          code: 'context_length_exceeded',
          message: 'The messages and the answer are longer than the context of the model. Send less.',
          param: 'messages',
        }
      return {
        ...badRequest,
        code: 'invalid_request',
        message:
          refusal.param === undefined
            ? 'The model does not accept this request. Check the parameters against its documentation.'
            : `The model does not accept the value of \`${refusal.param}\`.`,
        param: refusal.param,
      }
    case 'model_host_error':
      return { ...server(502), code: 'model_host_error', message: 'The model did not answer as it should.' }
    case 'model_host_timeout':
      return { ...server(504), code: 'model_host_timeout', message: 'The model did not answer in time.' }
    case 'caller_left':
      return { ...server(499), code: 'unavailable', message: 'The caller closed the connection.' }
    case 'not_found':
      return {
        status: 404,
        type: 'invalid_request_error',
        code: 'not_found',
        message: 'There is nothing here. `GET /openapi.json` describes what there is.',
      }
    case 'signature_invalid':
    case 'signature_out_of_time':
      // Which of the two it was would help whoever forges one.
      return { ...badRequest, code: 'invalid_request', message: 'This is not an event that we can trust.' }
    case 'plan_missing':
      return {
        ...server(503),
        code: 'unavailable',
        message: 'Your license names a plan that has no price list yet. The licensing office has to mend that.',
        retryAfterSeconds: 60,
      }
    case 'unavailable':
      return {
        ...server(503),
        code: 'unavailable',
        message: 'The service cannot take this call now. Try again shortly.',
        retryAfterSeconds: refusal.retryAfterSeconds,
      }
    case 'bug':
      return { ...server(500), code: 'unavailable', message: 'Something broke on our side. Tell us the request id.' }
  }
}

/** A value that a caller sent, as it may stand in a message: short, and of harmless characters only. */
const quoted = (text: string): string => `\`${text.slice(0, 64).replaceAll(/[^A-Za-z0-9._:@-]/g, '?')}\``

function whyNotVersion(refusal: Extract<Refusal, { reason: 'version_not_licensed' }>): string {
  const { model, version } = refusal
  switch (refusal.because) {
    case 'range':
      return `Your license does not include version ${version} of \`${model}\`.`
    case 'stage':
      return `Version ${version} of \`${model}\` is not released for your use yet.`
    case 'sunset':
      return `Your license served version ${version} of \`${model}\` until ${isoOf(refusal.sunsetAt)}.`
  }
}
