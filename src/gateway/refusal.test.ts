import { describe, expect, test } from 'vitest'
import { instant } from '../kernel/index.ts'
import { errorEvent, refuse } from './answer.ts'
import { toWire, type Refusal } from './refusal.ts'

const at = instant(Date.UTC(2026, 10, 5, 12))
const requestId = '0190a0e0-0000-7000-8000-000000000001'

/** Each reason with every turn its words can take. A new reason does not compile until it stands here. */
const samples: { readonly [Reason in Refusal['reason']]: readonly Extract<Refusal, { reason: Reason }>[] } = {
  request_malformed: [
    { reason: 'request_malformed', message: 'The body is not valid JSON.', param: undefined },
    { reason: 'request_malformed', message: '`n` is missing or wrong.', param: 'n' },
  ],
  request_too_large: [{ reason: 'request_too_large', bytesMax: 1024 }],
  credential_missing: [{ reason: 'credential_missing' }],
  credential_invalid: (['malformed', 'unknown', 'wrong_secret', 'application_ended'] as const).map((detail) => ({
    reason: 'credential_invalid',
    detail,
  })),
  credential_expired: [{ reason: 'credential_expired', keyId: 'abcdefghijkl', expiredAt: at }],
  credential_revoked: [{ reason: 'credential_revoked', keyId: 'abcdefghijkl', revokedAt: at }],
  refused_too_often: [{ reason: 'refused_too_often', retryAfterSeconds: 60 }],
  token_expired: [{ reason: 'token_expired', expiredAt: at }],
  token_invalid: [{ reason: 'token_invalid', detail: 'signature' }],
  proof_refused: (['proof_missing', 'proof_replayed'] as const).map((detail) => ({ reason: 'proof_refused', detail })),
  certificate_refused: [{ reason: 'certificate_refused', detail: 'certificate_missing' }],
  license_missing: [{ reason: 'license_missing' }],
  license_not_started: [{ reason: 'license_not_started', license: 'LIC-1', startsAt: at }],
  license_expired: [{ reason: 'license_expired', license: 'LIC-1', endedAt: at }],
  license_draft: [{ reason: 'license_draft', license: 'LIC-1' }],
  license_ended: [
    { reason: 'license_ended', license: 'LIC-1', endedAt: at, toLicense: undefined },
    { reason: 'license_ended', license: 'LIC-1', endedAt: at, toLicense: 'LIC-2' },
  ],
  attestation_overdue: [{ reason: 'attestation_overdue', license: 'LIC-1', kind: 'training', dueAt: at }],
  license_suspended: [
    { reason: 'license_suspended', license: 'LIC-1', until: at },
    { reason: 'license_suspended', license: 'LIC-1', until: undefined },
  ],
  license_revoked: [{ reason: 'license_revoked', license: 'LIC-1', revokedAt: at }],
  model_not_found: [{ reason: 'model_not_found', model: 'scribe@9.9.9' }],
  model_not_licensed: [{ reason: 'model_not_licensed', model: 'scribe' }],
  version_not_licensed: [
    { reason: 'version_not_licensed', model: 'scribe', version: '2.0.0', because: 'range' },
    { reason: 'version_not_licensed', model: 'scribe', version: '2.0.0', because: 'stage' },
    { reason: 'version_not_licensed', model: 'scribe', version: '2.0.0', because: 'sunset', sunsetAt: at },
  ],
  version_recalled: [{ reason: 'version_recalled', model: 'scribe', version: '1.2.0', recalledAt: at }],
  audience_not_licensed: [{ reason: 'audience_not_licensed', audience: 'patient', model: 'scribe' }],
  purpose_not_licensed: [
    { reason: 'purpose_not_licensed', purpose: 'HRESCH', allowed: ['TREAT', 'HOPERAT'] },
    { reason: 'purpose_not_licensed', purpose: '', allowed: [] },
  ],
  facility_not_covered: [
    { reason: 'facility_not_covered', facility: 'north', covered: ['general'] },
    { reason: 'facility_not_covered', facility: '', covered: [] },
  ],
  scope_not_granted: [{ reason: 'scope_not_granted', scope: 'infer' }],
  operation_not_supported: [
    { reason: 'operation_not_supported', model: 'scribe', operation: 'infer' },
    { reason: 'operation_not_supported', model: 'ecg', operation: 'chat' },
  ],
  residency_excludes_all: [
    { reason: 'residency_excludes_all', model: 'scribe', version: '1.0.0', residency: ['us-east'] },
  ],
  policy_denied: [
    {
      reason: 'policy_denied',
      model: 'scribe',
      version: '1.0.0',
      by: [{ policy: 'no-night', reason: 'Not at night.' }],
    },
    { reason: 'policy_denied', model: 'scribe', version: '1.0.0', by: [] },
  ],
  policy_unavailable: [
    { reason: 'policy_unavailable', because: 'none_declared' },
    { reason: 'policy_unavailable', because: 'cannot_be_evaluated' },
  ],
  privacy_mode_unavailable: [{ reason: 'privacy_mode_unavailable', mode: 'redact' }],
  rate_exceeded: [
    { reason: 'rate_exceeded', meter: 'requests', limit: 600, retryAfterSeconds: 30 },
    { reason: 'rate_exceeded', meter: 'tokens', limit: 400_000, retryAfterSeconds: 1 },
  ],
  concurrency_exceeded: [{ reason: 'concurrency_exceeded' }],
  budget_exhausted: [
    { reason: 'budget_exhausted', budget: 'tokens-month', resetsAt: at, held: false },
    { reason: 'budget_exhausted', budget: 'tokens-month', resetsAt: at, held: true },
  ],
  model_host_unavailable: [{ reason: 'model_host_unavailable', retryAfterSeconds: 5 }],
  model_host_refused: [
    { reason: 'model_host_refused', hostStatus: 400, contextExceeded: true, param: undefined },
    { reason: 'model_host_refused', hostStatus: 422, contextExceeded: false, param: 'temperature' },
    { reason: 'model_host_refused', hostStatus: 400, contextExceeded: false, param: undefined },
  ],
  model_host_error: [{ reason: 'model_host_error' }],
  model_host_timeout: [{ reason: 'model_host_timeout' }],
  caller_left: [{ reason: 'caller_left' }],
  not_found: [{ reason: 'not_found' }],
  signature_invalid: [{ reason: 'signature_invalid' }],
  signature_out_of_time: [{ reason: 'signature_out_of_time' }],
  plan_missing: [{ reason: 'plan_missing', plan: 'standard' }],
  unavailable: [{ reason: 'unavailable', retryAfterSeconds: 2 }],
  bug: [{ reason: 'bug' }],
}
const everyRefusal: readonly Refusal[] = Object.values(samples).flat()

/** The codes that clients rely on, with the status each of them has. Those of tokens come with the token endpoint. */
const promised: Readonly<Record<string, readonly number[]>> = {
  invalid_request: [400],
  context_length_exceeded: [400],
  invalid_api_key: [401],
  token_expired: [401],
  invalid_token: [401],
  license_not_started: [403],
  license_expired: [403],
  license_suspended: [403],
  license_revoked: [403],
  attestation_overdue: [403],
  model_not_licensed: [403],
  version_not_licensed: [403],
  version_recalled: [403],
  audience_not_licensed: [403],
  purpose_not_licensed: [403],
  facility_not_covered: [403],
  policy_denied: [403],
  model_not_found: [404],
  not_found: [404],
  request_too_large: [413],
  rate_limit_exceeded: [429],
  concurrency_limit_exceeded: [429],
  insufficient_quota: [429],
  model_host_error: [502],
  // 499 is told to nobody: the caller has left. 500 is a bug of ours.
  unavailable: [499, 500, 503],
  model_host_timeout: [504],
}

test('every code that is promised is said by some refusal, with its own status, and no other code is', () => {
  const said = Object.groupBy(everyRefusal.map(toWire), ({ code }) => code)
  const statuses = Object.entries(said).map(([code, wires = []]) => [
    code,
    [...new Set(wires.map(({ status }) => status))].toSorted((a, b) => a - b),
  ])
  expect(Object.fromEntries(statuses)).toEqual(promised)
})

describe.each(everyRefusal.map((refusal) => ({ name: JSON.stringify(refusal), refusal })))('$name', ({ refusal }) => {
  const wire = toWire(refusal)

  test('is a sentence for people, without a word of the machine', () => {
    expect(wire.message).toMatch(/^[A-Z`].*\.$/)
    // What stands in backticks and paths is for programs.
    const prose = wire.message.replaceAll(/`[^`]*`|\/v\d\S*/g, '')
    expect(prose).not.toMatch(
      /undefined|null|NaN|\[object|Invalid Date|Error:|_|\$\{|sql|postgres|ECONN|upstream|host\b/i,
    )
    expect(wire.message.length).toBeLessThan(200)
  })

  test('has a type that the SDKs know, and says when to come back if that helps', () => {
    expect([
      'invalid_request_error',
      'authentication_error',
      'permission_error',
      'rate_limit_error',
      'insufficient_quota',
      'server_error',
    ]).toContain(wire.type)
    const shouldWait = wire.status === 429 || wire.status === 503
    expect(wire.retryAfterSeconds === undefined).toBe(!shouldWait)
    if (shouldWait) expect(wire.retryAfterSeconds).toBeGreaterThan(0)
  })
})

test('a strange value that a caller sent stands in a message short and in harmless characters', () => {
  const strange = `\u001b[31m<script>${'x'.repeat(500)}\r\nset-cookie: a`
  for (const refusal of [
    { reason: 'purpose_not_licensed', purpose: strange, allowed: ['TREAT'] },
    { reason: 'facility_not_covered', facility: strange, covered: [] },
  ] satisfies Refusal[]) {
    const { message } = toWire(refusal)
    expect(message).toMatch(/^[\x20-\x7e]*$/)
    expect(message).not.toContain('<')
    expect(message.length).toBeLessThan(200)
  }
})

test('nobody can tell from a 401 why a key is not valid', () => {
  const words = samples.credential_invalid.map((refusal) => JSON.stringify(toWire(refusal)))
  expect(new Set(words).size).toBe(1)
})

describe('an answer that refuses', () => {
  test('says every reason: the first in `code`, all in `reasons`, and each in words', () => {
    const [first, second] = [samples.license_expired[0], samples.version_recalled[0]]
    if (first === undefined || second === undefined) throw new Error('no samples')
    const { status, headers, body } = refuse(requestId, [first, second])
    expect(status).toBe(403)
    expect(headers).toMatchObject({
      'x-request-id': 'req_0190a0e0000070008000000000000001',
      'cache-control': 'no-store',
    })
    const { error } = JSON.parse(typeof body === 'string' ? body : '')
    expect(error).toMatchObject({
      code: 'license_expired',
      param: null,
      reasons: ['license_expired', 'version_recalled'],
    })
    expect(error.message).toBe(`${toWire(first).message} Also: ${toWire(second).message}`)
  })

  test('to nobody in particular is a bug, and says no more than the request id', () => {
    const { status, body } = refuse(requestId, [])
    expect(status).toBe(500)
    expect(body).toContain('req_0190a0e0000070008000000000000001')
  })

  test('names the scheme when it asks who is there, and the wait when there is one', () => {
    expect(refuse(requestId, [{ reason: 'credential_missing' }]).headers['www-authenticate']).toBe(
      'Bearer realm="formulary"',
    )
    expect(refuse(requestId, [{ reason: 'unavailable', retryAfterSeconds: 2 }]).headers['retry-after']).toBe('2')
    expect(refuse(requestId, [{ reason: 'bug' }]).headers).not.toHaveProperty('retry-after')
  })
})

test('a stream that breaks off ends with one event of error, in our words', () => {
  const text = new TextDecoder().decode(errorEvent(requestId, { reason: 'model_host_error' }))
  expect(text).toMatch(/^data: [^\n]*\n\n$/)
  expect(JSON.parse(text.slice(6))).toEqual({
    error: {
      message: 'The model did not answer as it should.',
      type: 'server_error',
      param: null,
      code: 'model_host_error',
      request_id: 'req_0190a0e0000070008000000000000001',
    },
  })
})
