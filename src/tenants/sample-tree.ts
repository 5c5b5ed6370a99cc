import { assert } from '../kernel/index.ts'
import { sourceAttributes } from '../release/index.ts'
import type { DeclarationFile } from './read-declarations.ts'

/** For tests: a small tree without a mistake, with lines that a test can count, and a way to put one mistake in. */
export const sampleTree: Readonly<Record<string, string>> = {
  'models/assistant.yaml': `model: assistant
title: Assistant
protocol: openai
versions:
  - version: 1.0.0
    stage: licensed
    limits: { contextTokens: 8000, outputTokens: 1000 }
    deployments:
      - name: east
        url: https://east.example/v1
        model: assistant-1
        region: us-east
        weight: 1
        credential: { env: EAST_KEY }
  - version: 1.1.0
    stage: owner
    limits: { contextTokens: 8000, outputTokens: 1000 }
    deployments:
      - { name: east, url: "https://east.example/v1", model: assistant-1-1, region: us-east }
`,
  'models/reader.yaml': `model: reader
title: Reads an ECG
protocol: open-inference
versions:
  - version: 3.0.0
    stage: licensed
    deployments:
      - { name: west, url: "https://west.example", model: reader, region: us-west }
`,
  'plans/standard.yaml': `plan: standard
currency: USD
prices:
  - { model: assistant, meter: input_tokens, per: 1000000, amount: "3.00" }
  - { model: assistant, meter: output_tokens, per: 1000000, amount: "15.00" }
  - { meter: inferences, per: 1, amount: "0.50" }
  - { meter: facility, per: month, amount: "500.00" }
`,
  'policies/licensed-use.cedar': `// What a license grants.
@id("licensed-use")
permit (principal, action, resource);
`,
  'clinic/tenant.yaml': `tenant: clinic
name: The Clinic
kind: owner
facilities:
  - { facility: main, name: Main Campus, region: us-east }
applications:
  - { application: bench, audience: expert, facilities: [main], purposes: [HTEST], scopes: [chat] }
`,
  'clinic/license.yaml': `license: LIC-1
plan: standard
term: { start: 2026-01-01T00:00:00Z, end: 2028-01-01T00:00:00Z, graceDays: 0 }
entitlements:
  - { model: assistant, versions: ">=1.0.0", pin: 1.1.0, audiences: [expert], purposes: [HTEST] }
residency: [us-east]
privacy: { expert: pass }
`,
  'lakeside/tenant.yaml': `tenant: lakeside
name: Lakeside
kind: hospital
facilities:
  - { facility: general, name: Lakeside General, region: us-east }
  - { facility: north, name: Lakeside North, region: us-east }
applications:
  - application: ehr
    audience: clinician
    facilities: [general, north]
    purposes: [TREAT, HOPERAT]
    scopes: [chat, infer]
`,
  'lakeside/license.yaml': `license: LIC-2
plan: standard
term:
  start: 2026-07-01T00:00:00-05:00
  end: 2027-07-01T00:00:00-05:00
  graceDays: 14
entitlements:
  - model: assistant
    versions: ">=1.0.0 <2.0.0"
    pin: 1.0.0
    audiences: [clinician]
    purposes: [TREAT, HOPERAT]
  - { model: reader, versions: "3.x", pin: 3.0.0, audiences: [clinician], purposes: [TREAT] }
rates:
  requestsPerMinute: 600
budgets:
  - { meter: tokens, limit: 50000000, per: month, overage: deny }
  - { meter: cost, limit: "12000.00", per: month, overage: deny, application: ehr }
residency: [us-east, us-west]
privacy: { clinician: pass }
`,
}

/** What a version's file says so that it may take a step to a stage: a whole card, and both roles' sign-offs. */
export const signedOff = (to: string, on = '2026-11-20'): string => `
    card:
      intendedUse: Drafts
      outOfScopeUse: Doses
      trainingData: Letters
      evaluation: Passed
      knownRisks: Omissions
      maintenance: Monthly
      sourceAttributes:
${[...sourceAttributes.predictive.keys()].map((key) => `        ${key}: Not available`).join('\n')}
    signOffs:
      - { to: ${to}, role: clinical, by: Dr. Moreno, on: ${on} }
      - { to: ${to}, role: technical, by: Mr. Lund, on: ${on} }`

export type Tree = Readonly<Record<string, string>>

/** The tree with one text replaced in one file; the text must stand there exactly once. */
export function withEdit(tree: Tree, file: string, from: string, to: string): Tree {
  const text = tree[file] ?? ''
  assert(text.split(from).length === 2, `${JSON.stringify(from)} does not stand exactly once in ${file}`)
  return { ...tree, [file]: text.replace(from, () => to) }
}

export const withoutFiles = (tree: Tree, prefix: string): Tree =>
  Object.fromEntries(Object.entries(tree).filter(([path]) => !path.startsWith(prefix)))

export const filesOf = (tree: Tree): readonly DeclarationFile[] =>
  Object.entries(tree).map(([path, text]) => ({ path, text }))

/**
 * A tree without a mistake whose details the caller chooses, each by one call of `pick` (a number below the bound), so
 * that a test can make many that differ. Two of them may follow each other: none changes what must not change.
 */
export function variedTree(pick: (bound: number) => number): Tree {
  const yes = () => pick(2) === 1
  const some = <T>(all: readonly [T, ...T[]]): readonly T[] => [all[0], ...all.slice(1).filter(yes)]
  const deployment = (name: string, region: string) => ({
    name,
    url: `https://${name}${pick(3)}.example/v1`,
    model: 'm',
    region,
    weight: pick(5),
  })
  const tree: Record<string, unknown> = {
    'models/assistant.yaml': {
      model: 'assistant',
      title: `Assistant ${pick(3)}`,
      protocol: 'openai',
      versions: some(['1.0.0', '1.1.0', '1.2.0']).map((version) => ({
        version,
        // A step up needs what no random tree has; what came with the first apply stays where it was.
        stage: version === '1.0.0' ? 'licensed' : 'sealed',
        limits: { contextTokens: 8000, outputTokens: 1000 },
        ...(pick(4) === 0 ? { recalled: `reason ${pick(2)}` } : {}),
        deployments: [deployment('east', 'us-east'), ...(yes() ? [deployment('west', 'us-west')] : [])],
      })),
    },
    'plans/standard.yaml': {
      plan: 'standard',
      currency: 'USD',
      prices: ['input_tokens', 'output_tokens', 'inferences'].map((meter) => ({
        meter,
        per: 1000,
        amount: `${pick(9)}.00`,
      })),
    },
    ...varyTenant('clinic', 'owner', pick),
  }
  const policies = {
    'policies/licensed-use.cedar': `@id("licensed-use") permit (principal, action, resource);`,
    ...(yes() ? { 'policies/more.cedar': forbidding(`all-${pick(2)}`, pick) } : {}),
    ...(yes() ? { 'clinic/policy.cedar': forbidding('own', pick) } : {}),
  }
  if (yes())
    tree['models/reader.yaml'] = {
      model: 'reader',
      title: 'Reader',
      protocol: 'open-inference',
      versions: [{ version: '3.0.0', stage: 'sealed', deployments: [deployment('west', 'us-west')] }],
    }
  for (const tenant of ['lakeside', 'prairie', 'hills'])
    if (yes()) Object.assign(tree, varyTenant(tenant, 'hospital', pick))
  const files = Object.entries(tree).map(([path, value]) => [path, JSON.stringify(value, undefined, 2)] as const)
  return { ...Object.fromEntries(files), ...policies }
}

const forbidding = (id: string, pick: (bound: number) => number): string =>
  `@id("${id}") @reason("Because ${pick(2)}.") forbid (principal, action, resource) when { context.grace };`

const varySignIn = (kind: string, pick: (bound: number) => number) => ({
  issuer: `https://login${pick(2)}.example`,
  clientId: 'formulary',
  groupsClaim: 'groups',
  ...(pick(2) === 0 ? {} : { clientSecretEnv: 'SIGN_IN_SECRET' }),
  roles: { [`group-${pick(2)}`]: kind === 'owner' ? 'licensing' : 'tenant-admin' },
})

function varyTenant(tenant: string, kind: string, pick: (bound: number) => number): Record<string, unknown> {
  const some = <T>(all: readonly [T, ...T[]]): readonly T[] => [all[0], ...all.slice(1).filter(() => pick(2) === 1)]
  const facilities = some(['main', 'north', 'south'])
  return {
    [`${tenant}/tenant.yaml`]: {
      tenant,
      name: `${tenant} ${pick(3)}`,
      kind,
      facilities: facilities.map((facility) => ({ facility, name: `${facility} ${pick(2)}`, region: 'us-east' })),
      applications: some(['ehr', 'desk', 'lab']).map((application) => ({
        application,
        audience: 'clinician',
        facilities: pick(2) === 0 ? facilities : facilities.toReversed(),
        purposes: some(['TREAT', 'HOPERAT']),
        scopes: some(['chat', 'embeddings']),
      })),
      ...(pick(2) === 0 ? {} : { signIn: varySignIn(kind, pick) }),
    },
    [`${tenant}/license.yaml`]: {
      license: `LIC-${tenant.toUpperCase()}`,
      plan: 'standard',
      term: { start: '2026-01-01T00:00:00Z', end: `20${27 + pick(3)}-01-01T00:00:00-05:00`, graceDays: pick(3) },
      entitlements: [
        { model: 'assistant', versions: '1.x', pin: '1.0.0', audiences: ['clinician'], purposes: ['TREAT', 'HOPERAT'] },
      ],
      rates: pick(2) === 0 ? {} : { concurrency: 1 + pick(9) },
      budgets: some(['tokens', 'requests', 'input_tokens']).map((meter) => ({
        meter,
        limit: 1 + pick(5),
        per: 'month',
        overage: 'deny',
      })),
      residency: some(['us-east', 'us-west']),
      privacy: { clinician: 'pass' },
    },
  }
}
