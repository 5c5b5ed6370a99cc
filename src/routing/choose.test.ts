import { expect, test } from 'vitest'
import { noTokens } from '../../test/support/no-tokens.ts'
import { seeded } from '../../test/support/seeded.ts'
import { authenticate, mintApiKey, secretHmac } from '../identity/index.ts'
import { instant } from '../kernel/index.ts'
import { requireLicense } from '../licensing/index.ts'
import { nodeHmac } from '../platform/node/ports.ts'
import { decide, type Permit, type PolicyNeeds } from '../policy/index.ts'
import type { CatalogModel, Deployment } from './catalog.ts'
import { choose } from './choose.ts'
import { Circuits } from './circuit.ts'

const now = instant(Date.UTC(2026, 10, 5))
const tenant = {
  tenantId: '0190a0e0-0000-7000-8000-000000000001',
  tenant: 'lakeside',
  kind: 'hospital',
  endedAt: undefined,
} as const
const place = { facility: 'general', region: 'us-east' }

const deploymentOf = (deployment: string, facts: Partial<Deployment> = {}): Deployment => ({
  model: 'scribe',
  version: '1.0.0',
  deployment,
  url: `http://${deployment}.invalid`,
  upstreamModel: 'scribe',
  region: 'us-east',
  weight: 1,
  credentialEnv: undefined,
  ...facts,
})

function modelWith(deployments: readonly Deployment[]): CatalogModel {
  const version = {
    version: '1.0.0',
    stage: 'licensed',
    contextTokens: 8192,
    outputTokens: 1024,
    recalledAt: undefined,
    regions: new Set(deployments.map(({ region }) => region)),
    deployments,
    digest: '00',
    card: undefined,
  } as const
  return { model: 'scribe', title: 'Scribe', protocol: 'openai', versions: new Map([['1.0.0', version]]) }
}

/** A permit as a call has one: through the gates, because nothing else makes it. */
async function permitFor(model: CatalogModel, residency: string[]): Promise<Permit> {
  const pepper = new TextEncoder().encode('pepper '.repeat(8))
  const key = mintApiKey(new Uint8Array(42).fill(7))
  const application = {
    application: 'ehr',
    audience: 'clinician',
    facilities: [place],
    purposes: ['TREAT'],
    scopes: ['chat'],
    endedAt: undefined,
  } as const
  const facts = {
    keyId: key.keyId,
    tenant,
    application,
    secretHmac: secretHmac(nodeHmac, pepper, key.text.reveal()),
    pepperVersion: 1,
    scopes: application.scopes,
    expiresAt: instant(now + 1),
    revokedAt: undefined,
  }
  const identity = {
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
  const principal = await authenticate(identity, shown, now)
  if (!principal.ok) throw new Error(principal.error.reason)
  const revision = {
    revision: 1,
    effectiveAt: now,
    recordedAt: now,
    recordedBy: 'a test',
    approvedBy: undefined,
    isCorrection: false,
    plan: 'standard',
    termStart: now,
    termEnd: instant(now + 1),
    graceDays: 0,
    evaluation: false,
    terms: {
      entitlements: [
        {
          model: 'scribe',
          versions: '1.0.0',
          pin: '1.0.0',
          audiences: ['clinician' as const],
          purposes: ['TREAT' as const],
        },
      ],
      rates: {},
      budgets: [],
      residency,
      privacy: { clinician: 'pass' as const },
    },
  }
  const licenses = [{ tenantId: tenant.tenantId, license: 'LIC-1', revisions: [revision], acts: [], attestations: [] }]
  const licensed = requireLicense({ findLicenses: () => licenses }, principal.value, now)
  if (!licensed.ok) throw new Error(licensed.error.refusals[0]?.reason)
  const asked = { model: 'scribe', operation: 'chat' as const, facility: undefined, purpose: undefined, at: now }
  const needs: PolicyNeeds = {
    findModel: () => model,
    askPolicies: () => ({ outcome: 'permit', policies: ['licensed-use'] }),
  }
  const permit = decide(needs, licensed.value, asked)
  if (!permit.ok) throw new Error(permit.error.map(({ reason }) => reason).join())
  return permit.value
}

/** Draws orders of deployments again and again, the same each time the test runs. */
async function drawer(deployments: readonly Deployment[], options: { residency?: string[]; circuits?: Circuits } = {}) {
  const model = modelWith(deployments)
  const permit = await permitFor(model, options.residency ?? ['us-east'])
  const random = seeded(11)
  const catalog = new Map([['scribe', model]])
  const needs = {
    circuits: options.circuits ?? new Circuits(),
    catalog: () => catalog,
    fraction: () => random(),
    monotonicMs: () => 0,
  }
  return () => choose(needs, permit).map(({ deployment }) => deployment)
}

test('deployments come first in proportion to their weights', async () => {
  const draw = await drawer([
    deploymentOf('a', { weight: 1 }),
    deploymentOf('b', { weight: 2 }),
    deploymentOf('c', { weight: 5 }),
  ])
  const draws = 20_000
  const first = { a: 0, b: 0, c: 0 }
  for (let index = 0; index < draws; index++) {
    const [name] = draw()
    if (name === 'a' || name === 'b' || name === 'c') first[name]++
  }
  // Five standard deviations of a binomial at 20,000 draws are at most 0.018.
  expect(Math.abs(first.a / draws - 1 / 8)).toBeLessThan(0.018)
  expect(Math.abs(first.b / draws - 2 / 8)).toBeLessThan(0.018)
  expect(Math.abs(first.c / draws - 5 / 8)).toBeLessThan(0.018)
})

test('whoever is not first still comes: an order names every deployment once', async () => {
  const draw = await drawer([deploymentOf('a'), deploymentOf('b', { weight: 100 }), deploymentOf('c', { weight: 0 })])
  for (let index = 0; index < 1_000; index++) expect(draw().toSorted()).toEqual(['a', 'b', 'c'])
})

test('a weight of zero comes after every other weight, and is there when nothing else is left', async () => {
  const draw = await drawer([deploymentOf('spare', { weight: 0 }), deploymentOf('a'), deploymentOf('b')])
  for (let index = 0; index < 1_000; index++) expect(draw().at(-1)).toBe('spare')
  const alone = await drawer([deploymentOf('spare', { weight: 0 })])
  expect(alone()).toEqual(['spare'])
})

test('a deployment outside the regions of the license is not in the order, whatever its weight', async () => {
  const deployments = [deploymentOf('a'), deploymentOf('far', { region: 'eu-west', weight: 100 }), deploymentOf('b')]
  const draw = await drawer(deployments)
  for (let index = 0; index < 1_000; index++) expect(draw().toSorted()).toEqual(['a', 'b'])
  const wider = await drawer(deployments, { residency: ['eu-west', 'us-east'] })
  expect(wider().toSorted()).toEqual(['a', 'b', 'far'])
})

test('an open circuit comes last, after a weight of zero, and is tried all the same when it is alone', async () => {
  const circuits = new Circuits()
  const failing = deploymentOf('failing', { weight: 100 })
  for (let failure = 0; failure < 5; failure++) circuits.noteFailure(failing, 0)
  const draw = await drawer([failing, deploymentOf('a'), deploymentOf('spare', { weight: 0 })], { circuits })
  for (let index = 0; index < 100; index++) expect(draw()).toEqual(['a', 'spare', 'failing'])
  const alone = await drawer([failing], { circuits })
  expect(alone()).toEqual(['failing'])
})

test('nothing in the catalog is an empty order', async () => {
  const model = modelWith([deploymentOf('a')])
  const permit = await permitFor(model, ['us-east'])
  const circuits = new Circuits()
  const needs = { circuits, catalog: () => new Map<string, CatalogModel>(), fraction: () => 0.5, monotonicMs: () => 0 }
  expect(choose(needs, permit)).toEqual([])
})
