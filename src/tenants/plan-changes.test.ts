import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { assert, assertNever, instant } from '../kernel/index.ts'
import type { Change, Current, Plan } from './change.ts'
import type { Declarations } from './declarations.ts'
import { formatPlan } from './format-plan.ts'
import { planChanges } from './plan-changes.ts'
import type { Problem } from './problem.ts'
import { readDeclarations } from './read-declarations.ts'
import { nameOf } from './rows.ts'
import { filesOf, sampleTree, signedOff, variedTree, withEdit, withoutFiles, type Tree } from './sample-tree.ts'

const now = instant(Date.parse('2026-11-23T12:00:00Z'))
const nothing: Current = {
  model: [],
  version: [],
  deployment: [],
  plan: [],
  tenant: [],
  facility: [],
  application: [],
  client: [],
  sign_in: [],
  license: [],
  policy: [],
  release: { standings: new Map(), pins: [], notices: [] },
}
const license = 'lakeside/license.yaml'
const tenant = 'lakeside/tenant.yaml'
const model = 'models/assistant.yaml'

function declarationsOf(tree: Tree): Declarations {
  const read = readDeclarations(filesOf(tree))
  assert(read.ok, read.ok ? '' : JSON.stringify(read.error, undefined, 2))
  return read.value
}

function plan(current: Current, tree: Tree): Plan {
  const planned = planChanges(current, declarationsOf(tree), now)
  assert(planned.ok, planned.ok ? '' : JSON.stringify(planned.error, undefined, 2))
  return planned.value
}

function refusals(current: Current, tree: Tree): readonly Problem[] {
  const planned = planChanges(current, declarationsOf(tree), now)
  return planned.ok ? [] : planned.error
}

const after = (...trees: readonly Tree[]): Current =>
  trees.reduce((current, tree) => done(current, plan(current, tree).changes), nothing)

/** What the database would hold: the rules of the stores, on plain values. */
function done(current: Current, changes: readonly Change[]): Current {
  return changes.reduce<Current>((held, change) => {
    const ended = change.act === 'end'
    switch (change.what) {
      case 'model':
        return { ...held, model: put(held.model, nameOf.model, { row: change.row, ended }) }
      case 'version':
        return { ...held, version: put(held.version, nameOf.version, { row: change.row, ended }) }
      case 'deployment':
        return { ...held, deployment: put(held.deployment, nameOf.deployment, { row: change.row, ended }) }
      case 'tenant':
        return { ...held, tenant: put(held.tenant, nameOf.tenant, { row: change.row, ended }) }
      case 'facility':
        return { ...held, facility: put(held.facility, nameOf.facility, { row: change.row, ended }) }
      case 'application':
        return { ...held, application: put(held.application, nameOf.application, { row: change.row, ended }) }
      case 'client':
        return { ...held, client: put(held.client, nameOf.client, { row: change.row, ended }) }
      case 'sign_in':
        return { ...held, sign_in: put(held.sign_in, nameOf.sign_in, { row: change.row, ended }) }
      case 'plan':
        return { ...held, plan: put(held.plan, nameOf.plan, { row: change.row, revision: change.revision }) }
      case 'license': {
        const { row, revision } = change
        return { ...held, license: put(held.license, nameOf.license, { row, revision, overSince: undefined }) }
      }
      case 'policy':
        return { ...held, policy: put(held.policy, nameOf.policy, { row: change.row, revision: change.revision }) }
      default:
        return assertNever(change, 'done')
    }
  }, current)
}

const put = <Row, K extends { row: Row }>(kept: readonly K[], name: (row: Row) => string, one: K): readonly K[] => [
  ...kept.filter(({ row }) => name(row) !== name(one.row)),
  one,
]

const staged = (stage: string) => withEdit(sampleTree, model, 'stage: owner', `stage: ${stage}`)
const summaryOf = ({ changes }: Plan) => changes.map(({ act, what, name }) => `${act} ${what} ${name}`)

describe('what would change', () => {
  test('a new tree is added whole, and then there is nothing to change', () => {
    const { changes, notes } = plan(nothing, sampleTree)
    expect(new Set(changes.map(({ act }) => act))).toEqual(new Set(['add']))
    expect(changes).toHaveLength(19)
    expect(notes).toEqual([])
    expect(plan(after(sampleTree), sampleTree)).toEqual({ changes: [], notes: [], widening: [] })
  })

  test('applied once, any tree has nothing to change, whatever was there before', () => {
    const picks = fc.array(fc.nat({ max: 59 }), { minLength: 120, maxLength: 120 })
    fc.assert(
      fc.property(picks, picks, (before, wanted) => {
        const first = treeOf(before)
        const second = treeOf(wanted)
        expect(plan(after(first, second), second).changes).toEqual([])
      }),
      { numRuns: 150 },
    )
  })

  test('there and back leaves what is declared as it was, and deletes nothing', () => {
    const picks = fc.array(fc.nat({ max: 59 }), { minLength: 120, maxLength: 120 })
    fc.assert(
      fc.property(picks, picks, (before, between) => {
        const first = treeOf(before)
        const held = after(first, treeOf(between))
        const back = done(held, plan(held, first).changes)
        expect(plan(back, first).changes).toEqual([])
        for (const what of ['model', 'version', 'deployment', 'tenant', 'facility', 'application', 'license'] as const)
          expect(back[what].length).toBeGreaterThanOrEqual(held[what].length)
      }),
      { numRuns: 100 },
    )
  })

  test('an amended license is its next revision, with what changed', () => {
    const amended = withEdit(sampleTree, license, 'end: 2027-07-01T00:00:00-05:00', 'end: 2028-07-01T00:00:00-05:00')
    const { changes } = plan(after(sampleTree), withEdit(amended, license, 'limit: 50000000', 'limit: 80000000'))
    expect(changes).toMatchObject([
      {
        what: 'license',
        act: 'change',
        name: 'lakeside/LIC-2',
        revision: 2,
        fields: [
          { field: 'term.end', from: '2027-07-01T05:00:00Z', to: '2028-07-01T05:00:00Z' },
          { field: 'budgets[tokens month].limit', from: '50000000', to: '80000000' },
        ],
      },
    ])
  })

  test('the same instant written at another offset changes nothing', () => {
    const tree = withEdit(sampleTree, license, '2027-07-01T00:00:00-05:00', '2027-07-01T07:00:00+02:00')
    expect(plan(after(sampleTree), tree).changes).toEqual([])
  })

  test('a changed price is the next revision of its plan; the order of prices is not a change', () => {
    const file = 'plans/standard.yaml'
    const dearer = withEdit(sampleTree, file, '"15.00"', '"16.00"')
    expect(plan(after(sampleTree), dearer).changes).toMatchObject([
      {
        what: 'plan',
        name: 'standard',
        revision: 2,
        fields: [{ field: 'prices[output_tokens of assistant].amount', from: '15.00', to: '16.00' }],
      },
    ])
    const line = '  - { meter: facility, per: month, amount: "500.00" }\n'
    const moved = withEdit(withEdit(sampleTree, file, line, ''), file, 'prices:\n', `prices:\n${line}`)
    expect(plan(after(sampleTree), moved).changes).toEqual([])
  })

  test('a stage, an address and a recall of a version may change', () => {
    let tree = withEdit(sampleTree, model, 'stage: owner', `stage: licensed${signedOff('licensed')}`)
    tree = withEdit(tree, model, 'weight: 1', 'weight: 0')
    tree = withEdit(
      tree,
      model,
      'stage: licensed\n    limits: { contextTokens: 8000, outputTokens: 1000 }\n    deployments:\n      - name',
      'stage: licensed\n    recalled: wrong doses\n    limits: { contextTokens: 8000, outputTokens: 1000 }\n    deployments:\n      - name',
    )
    expect(summaryOf(plan(after(sampleTree), tree))).toEqual([
      'change version assistant@1.0.0',
      'change version assistant@1.1.0',
      'change deployment assistant@1.0.0/east',
    ])
  })

  test('what left the tree ends; what belongs to it stays as it was and returns with it', () => {
    const smaller = withoutFiles(sampleTree, 'lakeside/')
    expect(summaryOf(plan(after(sampleTree), smaller))).toEqual(['end tenant lakeside'])
    const held = after(sampleTree, smaller)
    expect(plan(held, smaller).changes).toEqual([])
    expect(summaryOf(plan(held, sampleTree))).toEqual(['return tenant lakeside'])
  })

  test('a facility, an application and a deployment that left the tree end', () => {
    let tree = withEdit(sampleTree, tenant, '  - { facility: north, name: Lakeside North, region: us-east }\n', '')
    tree = withEdit(tree, tenant, 'facilities: [general, north]', 'facilities: [general]')
    tree = withEdit(tree, tenant, 'application: ehr', 'application: desk')
    tree = withEdit(tree, license, 'application: ehr', 'application: desk')
    tree = withEdit(tree, model, 'name: east\n', 'name: far-east\n')
    expect(summaryOf(plan(after(sampleTree), tree))).toEqual([
      'add deployment assistant@1.0.0/far-east',
      'end deployment assistant@1.0.0/east',
      'end facility lakeside/north',
      'add application lakeside/desk',
      'end application lakeside/ehr',
      'change license lakeside/LIC-2',
    ])
  })
})

describe('what must not change', () => {
  const refused: readonly [name: string, file: string, from: string, to: string, at: string, advice: string][] = [
    [
      'the limits of a version',
      model,
      'limits: { contextTokens: 8000, outputTokens: 1000 }\n    deployments:\n      - { name',
      'limits: { contextTokens: 9000, outputTokens: 1000 }\n    deployments:\n      - { name',
      '17:13',
      'declare a new version',
    ],
    ['the protocol of a model', 'models/reader.yaml', 'open-inference', 'openai', '3:11', 'a model with another name'],
    ['the kind of a tenant', tenant, 'kind: hospital', 'kind: research', '3:7', 'write kind: hospital'],
    ['the number of a license in force', license, 'license: LIC-2', 'license: LIC-3', '1:10', 'write license: LIC-2'],
  ]
  test.each(refused)('%s', (_, file, from, to, at, advice) => {
    let tree = withEdit(sampleTree, file, from, to)
    // A predictor that became an openai model is whole but for the change.
    if (to === 'openai') tree = asChatModel(tree)
    const problems = refusals(after(sampleTree), tree)
    expect(problems.map((problem) => `${problem.file}:${problem.line}:${problem.column}`)).toEqual([`${file}:${at}`])
    expect(problems[0]?.advice).toContain(advice)
  })

  test('promotion goes one step at a time, and back in one', () => {
    expect(refusals(after(sampleTree), staged('patient'))).toMatchObject([
      { line: 16, advice: expect.stringContaining('write stage: licensed') },
    ])
    expect(refusals(after(sampleTree), staged(`licensed${signedOff('licensed')}`))).toEqual([])
    expect(refusals(after(sampleTree), staged('sealed'))).toEqual([])
    expect(refusals(after(staged('consumer')), staged('sealed'))).toEqual([])
    expect(refusals(after(sampleTree, staged('sealed')), staged('consumer'))).toHaveLength(1)
  })

  test('a license number gives way to another when it was revoked, or its term and grace are over', () => {
    const renumbered = withEdit(sampleTree, license, 'license: LIC-2', 'license: LIC-3')
    const held = after(sampleTree)
    const with2 = (change: (kept: Current['license'][number]) => Current['license'][number]): Current => ({
      ...held,
      license: held.license.map((kept) => (kept.row.license === 'LIC-2' ? change(kept) : kept)),
    })
    const endedAt = (at: string) =>
      with2((kept) => ({ ...kept, row: { ...kept.row, termEnd: instant(Date.parse(at)) } }))
    expect(
      refusals(
        with2((kept) => ({ ...kept, overSince: now })),
        renumbered,
      ),
    ).toEqual([])
    expect(refusals(endedAt('2026-11-09T12:00:00Z'), renumbered)).toEqual([])
    // Fourteen days of grace, less a second.
    expect(refusals(endedAt('2026-11-09T12:00:01Z'), renumbered)).toHaveLength(1)
  })

  test('a license is not handed to a tenant with another name', () => {
    const renamed = Object.fromEntries(
      Object.entries(sampleTree).map(([path, text]) => [
        path.replace('lakeside/', 'shore/'),
        text.replace('tenant: lakeside', 'tenant: shore'),
      ]),
    )
    expect(refusals(after(sampleTree), renamed)).toMatchObject([
      { file: 'shore/license.yaml', line: 1, message: 'LIC-2 was granted to lakeside' },
    ])
  })

  test('a recall is not undone by a file that does not mention it', () => {
    const recalled = withEdit(sampleTree, model, 'stage: owner', 'stage: owner\n    recalled: wrong doses')
    const { changes, notes } = plan(after(sampleTree, recalled), sampleTree)
    expect(changes).toEqual([])
    expect(notes).toEqual([
      'assistant 1.1.0 stays recalled ("wrong doses") though its file does not say so; a recall is for good',
      'LIC-1 pins assistant 1.1.0, which is recalled: calls are refused',
    ])
  })

  test('a region where nothing is deployed is noted', () => {
    const tree = withEdit(sampleTree, license, '[us-east, us-west]', '[us-east, us-west, us-wset]')
    expect(plan(nothing, tree).notes).toEqual(['LIC-2 allows the region "us-wset", where nothing is deployed'])
  })

  test('what a license grants and policies refuse altogether is noted, with those that refuse it', () => {
    const forbid = (id: string, what: string) =>
      `@id("${id}") @reason("No.") forbid (principal, action, resource) when { ${what} };`
    const notesWith = (more: Tree) => plan(nothing, { ...sampleTree, ...more }).notes
    const grants = (what: string, why: string) =>
      `LIC-2 grants ${what} to lakeside/ehr, and policies refuse every use of it (${why})`
    const clinicians = forbid('no-clinicians', 'principal.audience == Audience::"clinician"')
    expect(notesWith({ 'policies/more.cedar': clinicians })).toEqual([
      grants('assistant 1.0.0', 'no-clinicians'),
      grants('reader 3.0.0', 'no-clinicians'),
    ])
    expect(notesWith({ 'lakeside/policy.cedar': forbid('own', 'action == Action::"infer"') })).toEqual([
      grants('reader 3.0.0', 'lakeside/own'),
    ])
    const experts =
      '@id("experts") permit (principal, action, resource) when { principal.audience == Audience::"expert" };'
    expect(notesWith({ 'policies/licensed-use.cedar': experts })).toEqual([
      grants('assistant 1.0.0', 'none permits it'),
      grants('reader 3.0.0', 'none permits it'),
    ])
    // A part is what policies are for.
    for (const part of [
      'context.purpose == Purpose::"TREAT"',
      'context.facility == Facility::"lakeside/general"',
      'context.grace',
    ])
      expect(notesWith({ 'policies/more.cedar': forbid('part', `resource in Model::"assistant" && ${part}`) })).toEqual(
        [],
      )
  })

  test('a pin that its audience cannot reach is noted', () => {
    const back = withEdit(sampleTree, model, '1.0.0\n    stage: licensed', '1.0.0\n    stage: expert')
    expect(plan(after(sampleTree), back).notes).toEqual([
      'LIC-2 pins assistant 1.0.0 at stage expert, which clinician of lakeside cannot reach yet',
    ])
  })
})

describe('a plan reads like a diff:', () => {
  test('additions', () => {
    const text = formatPlan(plan(nothing, sampleTree))
    expect(text).toContain('+ tenant lakeside  Lakeside, hospital\n')
    expect(text).toContain('+ version assistant@1.1.0  stage owner\n')
    expect(text).toContain('+ license lakeside/LIC-2  standard, 2026-07-01T05:00:00Z to 2027-07-01T05:00:00Z\n')
    expect(text.endsWith('\n\n19 to add, 0 to change, 0 to end.')).toBe(true)
  })

  test('changes, with old and new', () => {
    const amended = withEdit(sampleTree, license, 'graceDays: 14', 'graceDays: 7')
    const tree = withEdit(amended, license, ', application: ehr', '')
    expect(formatPlan(plan(after(sampleTree), tree))).toBe(`~ license lakeside/LIC-2  revision 1 → 2
    term.graceDays                      14 → 7
    budgets[cost month by ehr].limit    12000.00 → (none)
    budgets[cost month by ehr].overage  deny → (none)
    budgets[cost month].limit           (none) → 12000.00
    budgets[cost month].overage         (none) → deny

0 to add, 1 to change, 0 to end.`)
  })

  test('endings first, and a tenant that ends is not to be overlooked', () => {
    const tree = withEdit(
      withoutFiles(sampleTree, 'lakeside/'),
      'clinic/tenant.yaml',
      'name: The Clinic',
      'name: A Clinic',
    )
    expect(formatPlan(plan(after(sampleTree), tree)))
      .toBe(`- tenant lakeside  ENDED: every call of this tenant is refused from now on

~ tenant clinic
    name  The Clinic → A Clinic

0 to add, 1 to change, 1 to end.`)
    const held = after(sampleTree, tree)
    expect(formatPlan(plan(held, sampleTree))).toContain(
      '+ tenant lakeside  again; keys that have not expired open again',
    )
  })

  test('nothing', () => {
    expect(formatPlan(plan(after(sampleTree), sampleTree))).toBe('No changes: the database says what the tree says.')
  })
})

function treeOf(picks: readonly number[]): Tree {
  let next = 0
  return variedTree((bound) => (picks[next++ % picks.length] ?? 0) % bound)
}

function asChatModel(tree: Tree): Tree {
  const limited = withEdit(
    tree,
    'models/reader.yaml',
    'stage: licensed',
    'stage: licensed\n    limits: { contextTokens: 1, outputTokens: 0 }',
  )
  const priced = withEdit(
    limited,
    'plans/standard.yaml',
    '{ meter: inferences, per: 1, amount: "0.50" }',
    '{ meter: input_tokens, per: 1, amount: "0.50" }',
  )
  return withEdit(priced, tenant, 'scopes: [chat, infer]', 'scopes: [chat]')
}
