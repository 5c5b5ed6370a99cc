import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { audiences, operations, purposes, tenantKinds } from '../identity/index.ts'
import type { Log, LogFacts } from '../kernel/index.ts'
import { askPolicies, decideByCedar, type PolicyQuestion } from './ask-policies.ts'
import { KeptDecisions } from './kept-decisions.ts'
import type { KeptPolicy, PoliciesInForce, PolicyRevision } from './policy-revision.ts'
import { protocols } from './protocol.ts'
import { stages } from './stage.ts'

const logged: { event: string; facts: LogFacts | undefined }[] = []
const note = (event: string, facts?: LogFacts) => void logged.push({ event, facts })
const log: Log = { info: note, warn: note, error: note }
beforeEach(() => void logged.splice(0))

const question: PolicyQuestion = {
  tenant: 'lakeside',
  tenantKind: 'hospital',
  application: 'ehr',
  audience: 'clinician',
  operation: 'chat',
  model: 'scribe',
  protocol: 'openai',
  version: '1.0.0',
  stage: 'licensed',
  purpose: 'TREAT',
  facility: 'general',
  facilityRegion: 'us-east',
  evaluation: false,
  grace: false,
}

/** A set of policies, each by its id. Its digest is its text, so that two that say the same are the same. */
function revision(policies: Readonly<Record<string, string>>): PolicyRevision {
  const kept = Object.entries(policies).map(([id, text]): KeptPolicy => ({
    file: 'policies/test.cedar',
    id,
    effect: text.includes('permit') ? 'permit' : 'forbid',
    reason: `Because of ${id}.`,
    text,
  }))
  return { revision: 1, policies: kept, digest: JSON.stringify(kept) }
}
const permitAll = 'permit (principal, action, resource);'
const forbidAll = 'forbid (principal, action, resource);'
/** Valid, and fails when it is asked: no schema finds it. */
const failing = 'when { 9223372036854775807 + 1 > 0 };'
const permit = { outcome: 'permit', policies: ['all'] } as const
const ask = (inForce: Partial<PoliciesInForce>, asked: PolicyQuestion = question) =>
  decideByCedar({ owner: undefined, tenant: undefined, ...inForce }, asked, log)

describe('nothing is permitted by silence', () => {
  test('without policies nobody can say, and the call is refused as our outage', () => {
    expect(ask({})).toEqual({ outcome: 'unavailable', because: 'none_declared' })
    expect(ask({ tenant: revision({ all: forbidAll }) })).toEqual({ outcome: 'unavailable', because: 'none_declared' })
  })

  test('an empty set of policies denies everything', () => {
    expect(ask({ owner: revision({}) })).toEqual({ outcome: 'deny', by: [] })
  })

  test('policies of which none applies deny', () => {
    expect(ask({ owner: revision({ other: 'permit (principal == Application::"x/y", action, resource);' }) })).toEqual({
      outcome: 'deny',
      by: [],
    })
  })

  test('policies that only forbid deny, also where they do not apply', () => {
    expect(ask({ owner: revision({ no: 'forbid (principal, action, resource) when { context.grace };' }) })).toEqual({
      outcome: 'deny',
      by: [],
    })
  })
})

describe('a decision', () => {
  test('that permits names all that permitted, in order', () => {
    const owner = revision({ b: permitAll, a: permitAll, c: 'permit (principal, action, resource) when { false };' })
    expect(ask({ owner })).toEqual({ outcome: 'permit', policies: ['a', 'b'] })
  })

  test('that forbids names all that forbade, of the owner and of the tenant, with their words', () => {
    const owner = revision({ all: permitAll, z: forbidAll, y: forbidAll })
    expect(ask({ owner, tenant: revision({ own: forbidAll }) })).toEqual({
      outcome: 'deny',
      by: [
        { policy: 'y', reason: 'Because of y.' },
        { policy: 'z', reason: 'Because of z.' },
        { policy: 'lakeside/own', reason: 'Because of own.' },
      ],
    })
  })

  test('a tenant cannot permit, whatever stands in its row', () => {
    const tenant = revision({ mine: permitAll })
    expect(ask({ owner: revision({}), tenant })).toEqual({ outcome: 'deny', by: [] })
    expect(ask({ owner: revision({ all: permitAll, no: forbidAll }), tenant })).toMatchObject({ outcome: 'deny' })
    // And what it has does not name itself among those that permitted.
    expect(ask({ owner: revision({ all: permitAll }), tenant })).toEqual(permit)
  })

  test('a tenant’s policy with the id of one of the owner’s takes nobody’s place', () => {
    const owner = revision({ all: permitAll, no: forbidAll })
    expect(ask({ owner, tenant: revision({ no: 'forbid (principal, action, resource) when { false };' }) })).toEqual({
      outcome: 'deny',
      by: [{ policy: 'no', reason: 'Because of no.' }],
    })
  })
})

describe('what cannot be evaluated does not let a call through', () => {
  test('a forbid of the owner that fails: nobody can say', () => {
    const owner = revision({ all: permitAll, broken: `forbid (principal, action, resource) ${failing}` })
    expect(ask({ owner })).toEqual({ outcome: 'unavailable', because: 'cannot_be_evaluated' })
    expect(logged).toMatchObject([{ event: 'policy.not_evaluated', facts: { policy: 'broken' } }])
  })

  test('a permit of the owner that fails beside one that permits: nobody can say', () => {
    const owner = revision({ all: permitAll, broken: `permit (principal, action, resource) ${failing}` })
    expect(ask({ owner })).toMatchObject({ outcome: 'unavailable' })
  })

  test('a forbid that holds is told, though another fails', () => {
    const owner = revision({ all: permitAll, no: forbidAll, broken: `forbid (principal, action, resource) ${failing}` })
    expect(ask({ owner })).toEqual({ outcome: 'deny', by: [{ policy: 'no', reason: 'Because of no.' }] })
  })

  test('a tenant’s own that fails is a no to this tenant, which can mend it', () => {
    const tenant = revision({ broken: `forbid (principal, action, resource) ${failing}` })
    expect(ask({ owner: revision({ all: permitAll }), tenant })).toEqual({
      outcome: 'deny',
      by: [{ policy: 'lakeside/broken', reason: 'This policy of yours cannot be evaluated.' }],
    })
  })

  test.each([
    ['no Cedar', { all: 'permit everything' }],
    ['two in one', { all: `${permitAll} ${permitAll}` }],
    [
      'a policy that would break Cedar',
      { all: `permit (principal, action, resource) when { ${'('.repeat(3000)}true${')'.repeat(3000)} };` },
    ],
  ])(
    'stored policies that are none (%s): refused, logged, not kept, and mended by the next revision',
    (_what, broken) => {
      const decisions = new KeptDecisions()
      const needs = { decisions, log }
      const asked = (owner: PolicyRevision) => askPolicies(needs, { owner, tenant: undefined }, question)
      for (const again of [1, 2])
        expect(asked(revision(broken)), `time ${again}`).toEqual({
          outcome: 'unavailable',
          because: 'cannot_be_evaluated',
        })
      expect(logged.map(({ event }) => event)).toEqual(['policy.broke', 'policy.broke'])
      expect(decisions.size).toBe(0)
      expect(asked(revision({ all: permitAll }))).toEqual(permit)
    },
  )

  test('of two stored policies with one id none is overlooked', () => {
    const [first] = revision({ all: permitAll }).policies
    if (first === undefined) throw new Error('no policy')
    const twice = { revision: 1, digest: 'twice', policies: [{ ...first, text: forbidAll }, first] }
    expect(askPolicies({ decisions: new KeptDecisions(), log }, { owner: twice, tenant: undefined }, question)).toEqual(
      {
        outcome: 'unavailable',
        because: 'cannot_be_evaluated',
      },
    )
  })
})

describe('what a policy can speak of', () => {
  const holds: readonly (readonly [condition: string, change: Partial<PolicyQuestion>])[] = [
    ['principal == Application::"lakeside/ehr"', { application: 'emr' }],
    ['principal in Tenant::"lakeside"', { tenant: 'prairie' }],
    ['principal.tenant.kind == TenantKind::"hospital"', { tenantKind: 'research' }],
    ['principal.audience == Audience::"clinician"', { audience: 'patient' }],
    ['action == Action::"chat"', { operation: 'embeddings' }],
    ['resource in Model::"scribe"', { model: 'writer' }],
    ['resource.model.protocol == Protocol::"openai"', { protocol: 'open-inference' }],
    ['resource == ModelVersion::"scribe@1.0.0"', { version: '1.1.0' }],
    ['resource.version like "1.*"', { version: '2.0.0' }],
    ['resource.stage == Stage::"licensed"', { stage: 'expert' }],
    ['context.purpose == Purpose::"TREAT"', { purpose: 'HRESCH' }],
    ['context.facility == Facility::"lakeside/general"', { facility: 'north' }],
    ['context.facility in Tenant::"lakeside" && context.facility.region == "us-east"', { facilityRegion: 'us-west' }],
    ['context.facility.tenant == principal.tenant && !context.evaluation', { evaluation: true }],
    ['action in Action::"call" && !context.grace', { grace: true }],
  ]
  test.each(holds)('%s', (condition, change) => {
    const inForce = {
      owner: revision({ all: `permit (principal, action, resource) when { ${condition} };` }),
      tenant: undefined,
    }
    const needs = { decisions: new KeptDecisions(), log }
    expect(askPolicies(needs, inForce, question)).toEqual(permit)
    // A kept decision is not given to the question that differs in this alone.
    expect(askPolicies(needs, inForce, { ...question, ...change })).toEqual({ outcome: 'deny', by: [] })
    expect(askPolicies(needs, inForce, question)).toEqual(permit)
    expect(needs.decisions.size).toBe(2)
  })

  test('is all that a question has: nothing that a call is asked about goes unnoticed', () => {
    const changed = new Set(holds.flatMap(([, change]) => Object.keys(change)))
    expect(changed).toEqual(new Set(Object.keys(question)))
  })
})

describe('a decision that is kept', () => {
  const permitting: PoliciesInForce = { owner: revision({ all: permitAll }), tenant: undefined }

  test('is not made again while nothing changes', () => {
    const decisions = new KeptDecisions()
    const first = askPolicies({ decisions, log }, permitting, question)
    expect(askPolicies({ decisions, log }, permitting, { ...question })).toBe(first)
    expect(decisions.size).toBe(1)
  })

  test('does not hold for another revision of the owner’s policies, nor of the tenant’s', () => {
    const needs = { decisions: new KeptDecisions(), log }
    expect(askPolicies(needs, permitting, question)).toEqual(permit)
    const forbidding = revision({ all: permitAll, no: forbidAll })
    expect(askPolicies(needs, { ...permitting, owner: forbidding }, question)).toMatchObject({ outcome: 'deny' })
    const tenant = revision({ no: forbidAll })
    expect(askPolicies(needs, { ...permitting, tenant }, question)).toMatchObject({ outcome: 'deny' })
    expect(askPolicies(needs, { ...permitting, tenant: revision({}) }, question)).toEqual(permit)
    expect(askPolicies(needs, permitting, question)).toEqual(permit)
  })

  test('is the one that would be made anew, whatever was asked before it', () => {
    const word = <T>(values: readonly T[]) => fc.constantFrom(...values)
    // Few names, and some that would run into their neighbors if a key were only glued together.
    const name = word(['a', 'b', 'a/b', 'a","b', 'b"', '', 'a@1.0.0'])
    const questions = fc.record({
      tenant: name,
      tenantKind: word(tenantKinds),
      application: name,
      audience: word(audiences),
      operation: word(operations),
      model: name,
      protocol: word(protocols),
      version: word(['1.0.0', '1.1.0']),
      stage: word(stages),
      purpose: word(purposes),
      facility: name,
      facilityRegion: word(['us-east', 'us-west', '"]']),
      evaluation: fc.boolean(),
      grace: fc.boolean(),
    })
    const condition = word([
      'true',
      'context.grace',
      'context.evaluation && context.purpose == Purpose::"TREAT"',
      'principal.audience == Audience::"patient"',
      'principal in Tenant::"a"',
      'principal == Application::"a/b"',
      'resource.stage == Stage::"sealed" || resource in Model::"a"',
      'context.facility == Facility::"a/b" || context.facility.region == "us-west"',
      'resource.model.protocol == Protocol::"open-inference"',
      '9223372036854775807 + 1 > 0',
    ])
    const policies = (effects: readonly ('permit' | 'forbid')[]) =>
      fc
        .array(fc.tuple(word(effects), condition, word(['when', 'unless'])), { maxLength: 4 })
        .map((rules) =>
          revision(
            Object.fromEntries(
              rules.map(([effect, when, how], index) => [
                `p${index}`,
                `${effect} (principal, action, resource) ${how} { ${when} };`,
              ]),
            ),
          ),
        )
    const inForce = fc.record({
      owner: fc.option(policies(['permit', 'permit', 'forbid']), { nil: undefined }),
      tenant: fc.option(policies(['forbid']), { nil: undefined }),
    })
    fc.assert(
      fc.property(
        fc.array(inForce, { minLength: 1, maxLength: 3 }),
        fc.array(fc.tuple(fc.nat(), questions), { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 6 }),
        (revisions, asked, keptMax) => {
          const decisions = new KeptDecisions(keptMax)
          for (const [which, one] of [...asked, ...asked]) {
            const held = revisions[which % revisions.length] ?? { owner: undefined, tenant: undefined }
            const verdict = askPolicies({ decisions, log }, held, one)
            expect(verdict).toEqual(decideByCedar(held, one, log))
            expect(decisions.size).toBeLessThanOrEqual(2 * keptMax)
            // Permitted only by one of the owner's, and never against one that cannot be evaluated.
            if (verdict.outcome === 'permit') expect(verdict.policies.length).toBeGreaterThan(0)
          }
        },
      ),
      { numRuns: 150 },
    )
  })
})

test('more sets of policies than stay parsed are each decided by their own', () => {
  const sets = Array.from({ length: 1100 }, (_, index) =>
    revision({ [`p${index}`]: `permit (principal, action, resource) when { context.grace || ${index} == ${index} };` }),
  )
  // Back again: first those that are still parsed, under names that were used before them.
  for (const [index, owner] of [...sets.entries(), ...[...sets.entries()].toReversed()])
    expect(ask({ owner })).toEqual({ outcome: 'permit', policies: [`p${index}`] })
})
