import {
  authenticate,
  mintApiKey,
  secretHmac,
  type Audience,
  type Principal,
  type Scope,
  type TenantKind,
} from '../../src/identity/index.ts'
import { instant, plusDays, type Instant } from '../../src/kernel/index.ts'
import type { LicenseAct, LicenseActName, LicenseFacts, LicenseRevision } from '../../src/licensing/index.ts'
import { nodeHmac } from '../../src/platform/node/ports.ts'
import { noTokens } from '../support/no-tokens.ts'

export const now = instant(Date.UTC(2026, 10, 27, 12))
const pepper = new TextEncoder().encode('pepper '.repeat(8))
const tenantId = '0190a0e0-0000-7000-8000-000000000001'

/** Who has shown a key. Only `authenticate` makes one. */
export async function principalOf(who: {
  audience: Audience
  kind: TenantKind
  scopes: readonly Scope[]
}): Promise<Principal> {
  const key = mintApiKey(new Uint8Array(42).fill(7))
  const tenant = { tenantId, tenant: 'lakeside', kind: who.kind, endedAt: undefined }
  const application = {
    application: 'ehr',
    audience: who.audience,
    facilities: [
      { facility: 'general', region: 'us-east' },
      { facility: 'north', region: 'us-east' },
    ],
    purposes: ['TREAT', 'HOPERAT', 'HPAYMT'] as const,
    scopes: who.scopes,
    endedAt: undefined,
  }
  const facts = {
    keyId: key.keyId,
    tenant,
    application,
    secretHmac: secretHmac(nodeHmac, pepper, key.text.reveal()),
    pepperVersion: 1,
    scopes: who.scopes,
    expiresAt: plusDays(now, 1),
    revokedAt: undefined,
  }
  const needs = {
    hmac: nodeHmac,
    pepper: () => pepper,
    findKey: () => facts,
    findKeyAgain: () => Promise.resolve(facts),
    ...noTokens,
  }
  const shown = {
    authorization: `Bearer ${key.text.reveal()}`,
    proof: undefined,
    certificate: undefined,
    address: undefined,
    method: 'POST',
    path: '/',
  }
  const principal = await authenticate(needs, shown, now)
  if (!principal.ok) throw new Error(principal.error.reason)
  return principal.value
}

export const revisionOf = (parts: Partial<LicenseRevision> & Pick<LicenseRevision, 'terms'>): LicenseRevision => ({
  revision: 1,
  effectiveAt: plusDays(now, -400),
  recordedAt: plusDays(now, -400),
  recordedBy: 'ann',
  approvedBy: 'bo',
  isCorrection: false,
  plan: 'standard',
  termStart: plusDays(now, -300),
  termEnd: plusDays(now, 300),
  graceDays: 14,
  evaluation: false,
  ...parts,
})

export const actOf = (
  act: LicenseActName,
  at: Instant,
  more: { until?: Instant; toLicense?: string } = {},
): LicenseAct => ({
  act,
  reason: 'a test',
  until: more.until,
  toLicense: more.toLicense,
  effectiveAt: at,
  recordedAt: at,
  recordedBy: 'ann',
})

export const factsOf = (parts: Partial<LicenseFacts> & Pick<LicenseFacts, 'revisions'>): LicenseFacts => ({
  tenantId,
  license: 'LIC-1',
  acts: [],
  attestations: [],
  ...parts,
})
