import { expect, test } from 'vitest'
import type { Principal, Scope } from '../../src/identity/index.ts'
import { plusDays } from '../../src/kernel/index.ts'
import type { LicenseFacts, Terms } from '../../src/licensing/index.ts'
import { decideUse, type ModelFacts, type VersionFacts } from '../../src/policy/index.ts'
import { cells, reasonsAgainst, releaseStages, type Cell } from './oracle.ts'
import { actOf, factsOf, now, principalOf, revisionOf } from './world.ts'

const yesterday = plusDays(now, -1)
const id = '0190a0e0-0000-7000-8000-000000000002'

const termsOf = (cell: Cell): Terms => {
  const right = {
    model: 'scribe',
    audiences: ['clinician' as const, 'patient' as const],
    purposes: ['TREAT' as const, 'HOPERAT' as const, 'PATRQT' as const],
    facilities: ['general'],
  }
  return {
    entitlements: [
      cell.version === 'after its sunset'
        ? { ...right, versions: '>=1.0.0 <2.0.0', pin: '1.0.0', sunset: new Date(yesterday).toISOString() }
        : { ...right, versions: '>=1.0.0 <2.0.0', pin: '1.0.0' },
    ],
    rates: {},
    budgets: [],
    residency: [cell.residency ? 'us-east' : 'eu-west'],
    privacy: {},
    ...(cell.situation === 'past a term without grace' ? { expiry: 'stop' as const } : {}),
    ...(cell.situation === 'with an attestation overdue'
      ? { attestations: [{ kind: 'training' as const, due: new Date(yesterday).toISOString() }] }
      : {}),
  }
}

function licenseOf(cell: Cell): LicenseFacts {
  const common = { terms: termsOf(cell), evaluation: cell.evaluation }
  const running = revisionOf(common)
  const endedDaysAgo = (days: number) => revisionOf({ ...common, termEnd: plusDays(now, -days) })
  switch (cell.situation) {
    case 'draft':
      return factsOf({ revisions: [running], acts: [actOf('draft', plusDays(now, -2))] })
    case 'not started':
      return factsOf({ revisions: [revisionOf({ ...common, termStart: plusDays(now, 1) })] })
    case 'expiring':
      return factsOf({ revisions: [revisionOf({ ...common, termEnd: plusDays(now, 3) })] })
    case 'in grace':
    case 'past a term without grace':
      return factsOf({ revisions: [endedDaysAgo(3)] })
    case 'past its grace':
      return factsOf({ revisions: [endedDaysAgo(15)] })
    case 'suspended':
      return factsOf({ revisions: [running], acts: [actOf('suspend', yesterday)] })
    case 'suspended until yesterday':
      return factsOf({
        revisions: [running],
        acts: [actOf('suspend', plusDays(now, -3), { until: yesterday })],
      })
    case 'suspended and resumed':
      return factsOf({ revisions: [running], acts: [actOf('suspend', plusDays(now, -3)), actOf('resume', yesterday)] })
    case 'revoked':
      return factsOf({ revisions: [running], acts: [actOf('revoke', yesterday)] })
    case 'terminated':
      return factsOf({ revisions: [running], acts: [actOf('terminate', yesterday)] })
    case 'transferred':
      return factsOf({ revisions: [running], acts: [actOf('transfer', yesterday, { toLicense: 'LIC-2' })] })
    case 'active':
    case 'with an attestation overdue':
      return factsOf({ revisions: [running] })
  }
}

const version = (name: string, stage: VersionFacts['stage'], isRecalled: boolean): VersionFacts => ({
  version: name,
  stage,
  contextTokens: 8192,
  outputTokens: 1024,
  recalledAt: isRecalled ? yesterday : undefined,
  regions: new Set(['us-east']),
})

const models = new Map<string, ModelFacts>(
  releaseStages.map((stage) => [
    stage,
    {
      model: 'scribe',
      protocol: 'openai',
      versions: new Map([
        ['1.0.0', version('1.0.0', stage, false)],
        ['1.1.0', version('1.1.0', stage, false)],
        ['1.2.0', version('1.2.0', stage, true)],
        ['2.0.0', version('2.0.0', stage, false)],
      ]),
    },
  ]),
)

const asked = {
  'the pin': 'scribe',
  named: 'scribe@1.1.0',
  'out of range': 'scribe@2.0.0',
  recalled: 'scribe@1.2.0',
  'after its sunset': 'scribe@1.0.0',
  unknown: 'scribe@9.9.9',
} satisfies Record<Cell['version'], string>
const facilities = {
  none: undefined,
  covered: 'general',
  'of the tenant, not entitled': 'north',
  'of nobody': 'nowhere',
} satisfies Record<Cell['facility'], string | undefined>

test('every combination of license, release, caller and question is decided as the oracle says, and none by silence', async () => {
  const principals = new Map<string, Principal>()
  for (const audience of ['expert', 'clinician', 'patient', 'consumer'] as const)
    for (const kind of ['owner', 'hospital'] as const)
      for (const scope of [true, false]) {
        const scopes: readonly Scope[] = scope ? ['chat'] : ['embeddings']
        principals.set(`${audience} ${kind} ${scope}`, await principalOf({ audience, kind, scopes }))
      }
  const licenses = new Map<string, readonly LicenseFacts[]>()
  let count = 0
  let permitted = 0
  const wrong: string[] = []
  for (const cell of cells()) {
    count++
    const licenseKey = `${cell.situation} ${cell.evaluation} ${cell.residency} ${cell.version === 'after its sunset'}`
    const held = licenses.get(licenseKey) ?? [licenseOf(cell)]
    licenses.set(licenseKey, held)
    const principal = principals.get(`${cell.audience} ${cell.kind} ${cell.scope}`)
    if (principal === undefined) throw new Error('a cell without a caller')
    const decision = decideUse(
      {
        findLicenses: () => held,
        findModel: () => models.get(cell.stage),
        askPolicies: () => ({ outcome: 'permit', policies: ['licensed-use'] }),
      },
      principal,
      {
        model: asked[cell.version],
        operation: 'chat',
        facility: facilities[cell.facility],
        purpose: cell.purpose === 'none' ? undefined : cell.purpose,
        at: now,
      },
      { id, now },
    )
    const expected = reasonsAgainst(cell)
    if (decision.outcome === 'permit') permitted++
    const found = new Set<string>(decision.reasons.map(({ reason }) => reason))
    const agrees =
      (decision.outcome === 'permit') === (expected.size === 0) &&
      found.size === expected.size &&
      [...expected].every((reason) => found.has(reason))
    if (!agrees && wrong.length < 10)
      wrong.push(`${JSON.stringify(cell)}: ${[...found].join(' ')} instead of ${[...expected].join(' ')}`)
  }
  expect(wrong).toEqual([])
  expect(count).toBeGreaterThanOrEqual(250_000)
  // Neither all nor none: a table of one answer would prove nothing.
  expect(permitted).toBeGreaterThan(1_000)
  console.log(`${count} cells, ${permitted} of them permitted`)
})

test('reasons are told in the order of the list, the license before what is asked of it', async () => {
  const principal = await principalOf({ audience: 'expert', kind: 'hospital', scopes: ['embeddings'] })
  const cell: Cell = {
    situation: 'revoked',
    stage: 'sealed',
    audience: 'expert',
    kind: 'hospital',
    purpose: 'HPAYMT',
    facility: 'of nobody',
    version: 'recalled',
    residency: false,
    scope: false,
    evaluation: true,
  }
  const decision = decideUse(
    {
      findLicenses: () => [licenseOf(cell)],
      findModel: () => models.get('sealed'),
      askPolicies: () => ({ outcome: 'permit', policies: [] }),
    },
    principal,
    { model: 'scribe@1.2.0', operation: 'chat', facility: 'nowhere', purpose: 'HPAYMT', at: now },
    { id, now },
  )
  expect(decision).toMatchObject({ id, outcome: 'deny', code: 'license_revoked', license: 'LIC-1', revision: 1 })
  expect(decision.reasons.map(({ reason }) => reason)).toEqual([
    'license_revoked',
    'version_not_licensed',
    'version_recalled',
    'audience_not_licensed',
    'purpose_not_licensed',
    'facility_not_covered',
    'scope_not_granted',
    'residency_excludes_all',
  ])
})
