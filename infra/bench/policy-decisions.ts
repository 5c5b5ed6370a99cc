// What a decision costs when it is kept, when it is cold, and when policies have just changed; the policies are the ones
// that are shipped. `npm run bench:policies`.
import { fileURLToPath } from 'node:url'
import { readTenantsFolder } from '../../src/cli/read-tenants-folder.ts'
import { authenticate, mintApiKey, secretHmac, type KeyFacts } from '../../src/identity/index.ts'
import { instant, type Log } from '../../src/kernel/index.ts'
import { requireLicense, type LicenseFacts } from '../../src/licensing/index.ts'
import { nodeHmac } from '../../src/platform/node/ports.ts'
import { noTokens } from '../../test/support/no-tokens.ts'
import {
  askPolicies,
  decide,
  KeptDecisions,
  type Asked,
  type ModelFacts,
  type PoliciesInForce,
  type PolicyNeeds,
} from '../../src/policy/index.ts'
import type { Declarations } from '../../src/tenants/index.ts'
import { median } from './figures.ts'

const rounds = 30
/** Times in one slice: enough to be read from a clock, few enough that a round is short. */
const times = { kept: 5_000, cold: 50 } as const

const silent: Log = { info() {}, warn() {}, error() {} }
const now = instant(Date.parse('2026-11-23T12:00:00Z'))
const tenantName = 'lakeside-health'
const asked: Asked = {
  model: 'clinical-assistant',
  operation: 'chat',
  facility: undefined,
  purpose: undefined,
  at: instant(Date.parse('2026-11-23T12:00:00Z')),
}

const folder = fileURLToPath(new URL('../../tenants', import.meta.url))
const read = await readTenantsFolder(folder)
if (!read.ok) throw new Error('the shipped declarations are refused')
const declared = read.value
const model = modelOf(declared)
const { key, identity, licenses } = callerOf(declared)
const inForce = policiesOf(declared)

const decisions = new KeptDecisions()
const needs = (askAll: PolicyNeeds['askPolicies']): PolicyNeeds => ({ findModel: () => model, askPolicies: askAll })
const permitted = needs(() => ({ outcome: 'permit', policies: ['none is asked'] }))
const kept = needs((_, question) => askPolicies({ decisions, log: silent }, inForce, question))
const forgetting = (policies: () => PoliciesInForce) =>
  needs((_, question) => askPolicies({ decisions: new KeptDecisions(1), log: silent }, policies(), question))
let changes = 0
const digests = (digest: string) => ({
  owner: inForce.owner && { ...inForce.owner, digest: `${inForce.owner.digest} ${digest}` },
  tenant: inForce.tenant && { ...inForce.tenant, digest: `${inForce.tenant.digest} ${digest}` },
})

interface System {
  readonly title: string
  readonly times: number
  run(): void | Promise<void>
}
const principal = await principalOf()
const licensed = licensedOf()
const decideBy = (policies: PolicyNeeds) => () => {
  const permit = decide(policies, licensed, asked)
  if (!permit.ok) throw new Error(`refused: ${permit.error.map(({ reason }) => reason).join()}`)
}

const systems: readonly System[] = [
  { title: 'the license alone', times: times.kept, run: decideBy(permitted) },
  { title: 'a kept decision', times: times.kept, run: decideBy(kept) },
  {
    title: 'the gates before it (key, license)',
    times: times.kept,
    async run() {
      await principalOf()
      licensedOf()
    },
  },
  {
    title: 'cold, the owner’s policies',
    times: times.cold,
    run: decideBy(forgetting(() => ({ ...inForce, tenant: undefined }))),
  },
  { title: 'cold, the owner’s and the tenant’s', times: times.cold, run: decideBy(forgetting(() => inForce)) },
  {
    title: 'cold, policies changed (parsed anew)',
    times: times.cold,
    run: decideBy(forgetting(() => digests(String(changes++)))),
  },
]

const micros = new Map<string, number[]>(systems.map(({ title }) => [title, []]))
for (let round = -3; round < rounds; round++)
  for (const index of systems.keys()) {
    // Each round begins with another one, so that whatever else the machine does hits all of them alike.
    const system = systems[(index + round + 3) % systems.length]
    if (system === undefined) continue
    const began = performance.now()
    for (let time = 0; time < system.times; time++) await system.run()
    const each = ((performance.now() - began) * 1000) / system.times
    // The first rounds warm up.
    if (round >= 0) micros.get(system.title)?.push(each)
  }

const [reference = 1] = systems.map(({ title }) => median(micros.get(title) ?? []))
const width = Math.max(...systems.map(({ title }) => title.length))
console.log(`${' '.repeat(width)}  µs each  × the license alone`)
for (const { title } of systems) {
  const each = median(micros.get(title) ?? [])
  console.log(`${title.padEnd(width)}  ${each.toFixed(1).padStart(7)}  ${(each / reference).toFixed(1).padStart(19)}`)
}

function modelOf({ models }: Declarations): ModelFacts {
  const found = models.find(({ value }) => value.model === asked.model)?.value
  if (found === undefined) throw new Error(`${asked.model} is not declared`)
  return {
    model: found.model,
    protocol: found.protocol,
    versions: new Map(
      found.versions.map((version) => [
        version.version,
        {
          version: version.version,
          stage: version.stage,
          contextTokens: version.limits?.contextTokens ?? 1,
          outputTokens: version.limits?.outputTokens ?? 0,
          recalledAt: undefined,
          regions: new Set(version.deployments.map(({ region }) => region)),
        },
      ]),
    ),
  }
}

function callerOf({ tenants }: Declarations) {
  const found = tenants.find(({ tenant }) => tenant.value.tenant === tenantName)
  const application = found?.tenant.value.applications[0]
  if (found === undefined || application === undefined) throw new Error(`${tenantName} is not declared`)
  const pepper = new TextEncoder().encode('pepper '.repeat(8))
  const minted = mintApiKey(new Uint8Array(42).fill(7))
  const tenantId = '0190a0e0-0000-7000-8000-000000000001'
  const regions = new Map(found.tenant.value.facilities.map(({ facility, region }) => [facility, region]))
  const facts: KeyFacts = {
    keyId: minted.keyId,
    tenant: { tenantId, tenant: tenantName, kind: found.tenant.value.kind, endedAt: undefined },
    application: {
      ...application,
      facilities: application.facilities.map((facility) => ({ facility, region: regions.get(facility) ?? '' })),
      endedAt: undefined,
    },
    secretHmac: secretHmac(nodeHmac, pepper, minted.text.reveal()),
    pepperVersion: 1,
    scopes: application.scopes,
    expiresAt: instant(now + 1),
    revokedAt: undefined,
  }
  const { license, plan, term, evaluation, ...terms } = found.license.value
  const granted: LicenseFacts = {
    tenantId,
    license,
    revisions: [
      {
        revision: 1,
        effectiveAt: term.start,
        recordedAt: term.start,
        recordedBy: 'the bench',
        approvedBy: undefined,
        isCorrection: false,
        plan,
        termStart: term.start,
        termEnd: term.end,
        graceDays: term.graceDays,
        evaluation,
        terms,
      },
    ],
    acts: [],
    attestations: [],
  }
  return {
    key: `Bearer ${minted.text.reveal()}`,
    identity: {
      hmac: nodeHmac,
      pepper: () => pepper,
      findKey: () => facts,
      findKeyAgain: () => Promise.resolve(facts),
      ...noTokens,
    },
    licenses: { findLicenses: () => [granted] },
  }
}

function policiesOf({ policies, tenants }: Declarations): PoliciesInForce {
  const own = tenants.find(({ tenant }) => tenant.value.tenant === tenantName)?.policies ?? []
  return {
    owner: { revision: 1, policies, digest: 'of the owner' },
    tenant: { revision: 1, policies: own, digest: 'of the tenant' },
  }
}

async function principalOf() {
  const found = await authenticate(
    identity,
    { authorization: key, proof: undefined, certificate: undefined, address: undefined, method: 'POST', path: '/' },
    now,
  )
  if (!found.ok) throw new Error(found.error.reason)
  return found.value
}

function licensedOf() {
  const found = requireLicense(licenses, principal, now)
  if (!found.ok) throw new Error(found.error.refusals[0]?.reason)
  return found.value
}
