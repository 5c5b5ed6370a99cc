import { expect, test } from 'vitest'
import { instant, plusDays } from '../kernel/index.ts'
import { Card, missingFor, takenAway } from './card.ts'
import { objectionsToPromotion, type PinHolder, type PromotionFacts } from './promotion.ts'
import { attributeKeys, sourceAttributes } from './source-attributes.ts'
import { standingOf, type SignOff } from './standing.ts'

const now = instant(Date.UTC(2026, 10, 27))
const texts = {
  intendedUse: 'Drafts',
  outOfScopeUse: 'Doses',
  trainingData: 'Letters',
  evaluation: 'Passed',
  knownRisks: 'Omissions',
  maintenance: 'Monthly',
}
const answers = Object.fromEntries([...sourceAttributes.predictive.keys()].map((key) => [key, 'Not available']))
const whole = Card.parse({ ...texts, sourceAttributes: answers })
const signed = (role: SignOff['role'], by: string): SignOff => ({ to: 'licensed', role, by, at: now })
const both = [signed('clinical', 'Dr. Moreno'), signed('technical', 'Mr. Lund')]
const pinning = (tenant: string, pin: string, kind: PinHolder['kind'] = 'hospital'): PinHolder => ({
  tenant,
  kind,
  entitlement: { model: 'scribe', pin, audiences: ['clinician'] },
})
const facts: PromotionFacts = {
  model: 'scribe',
  version: '2.0.0',
  stage: 'owner',
  card: whole,
  signOffs: both,
  pins: [],
  notices: [],
}
const reasons = (changed: Partial<PromotionFacts>, to: PromotionFacts['stage'] = 'licensed') =>
  objectionsToPromotion({ ...facts, ...changed }, to, now).map(({ reason }) => reason)

test('a version goes one step, and no other', () => {
  expect(reasons({})).toEqual([])
  for (const to of ['sealed', 'expert', 'owner', 'patient', 'consumer'] as const)
    expect(reasons({}, to), to).toEqual(['promotion_goes_one_step'])
})

test('a step needs a card, and every source attribute before others rely on it', () => {
  expect(reasons({ card: undefined })).toEqual(['card_missing'])
  const short = Card.parse(texts)
  expect(reasons({ card: short })).toEqual(['card_incomplete'])
  expect(missingFor(short, 'licensed')).toHaveLength(31)
  expect(missingFor(short, 'owner')).toEqual([])
  expect(missingFor(Card.parse({ ...texts, decisionSupport: 'evidence-based' }), 'licensed')).toHaveLength(13)
  expect(attributeKeys).toHaveLength(44)
})

test('a step needs two roles and two people, for this step', () => {
  expect(reasons({ signOffs: [] })).toEqual(['sign_off_missing'])
  expect(reasons({ signOffs: [both[0] ?? signed('clinical', '')] })).toEqual(['sign_off_missing'])
  expect(reasons({ signOffs: both.map((signOff) => ({ ...signOff, by: 'Dr. Moreno' })) })).toEqual([
    'sign_offs_of_one_person',
  ])
  expect(reasons({ signOffs: both.map((signOff) => ({ ...signOff, to: 'owner' as const })) })).toEqual([
    'sign_off_missing',
  ])
})

test('whoever pins an older version is told, and the notice has run out to the instant', () => {
  const pins = [pinning('lakeside', '1.0.0')]
  const notice = { tenant: 'lakeside', model: 'scribe', version: '2.0.0', effectiveAt: now }
  expect(reasons({ pins })).toEqual(['notice_missing'])
  expect(reasons({ pins, notices: [{ ...notice, version: '1.9.0' }] })).toEqual(['notice_missing'])
  expect(reasons({ pins, notices: [{ ...notice, effectiveAt: instant(now + 1) }] })).toEqual(['notice_period_runs'])
  expect(reasons({ pins, notices: [notice] })).toEqual([])
  // The owner needs no notice from itself, who pins the new one waits for it, and patients are not reached by this step.
  expect(reasons({ pins: [pinning('clinic', '1.0.0', 'owner'), pinning('prairie', '2.0.0')] })).toEqual([])
  const forPatients = {
    ...pinning('portal', '1.0.0'),
    entitlement: { model: 'scribe', pin: '1.0.0', audiences: ['patient' as const] },
  }
  expect(reasons({ pins: [forPatients] })).toEqual([])
})

test('a card that is out only grows', () => {
  expect(takenAway(whole, { ...whole, knownRisks: 'Omissions\n2026-12: misses allergies' })).toEqual([])
  expect(takenAway(whole, { ...whole, knownRisks: 'None' })).toEqual(['knownRisks'])
  expect(takenAway(whole, { ...whole, sourceAttributes: {} })).toHaveLength(31)
  expect(takenAway(Card.parse(texts), whole)).toEqual([])
})

test('a sign-off counts for the step after it, and not again after a demotion', () => {
  const step = { act: 'promote', from: 'owner', to: 'licensed', reason: '', by: 'x', at: now } as const
  const back = { act: 'demote', from: 'licensed', to: 'owner', reason: '', by: 'x', at: now } as const
  const signs = both.map((signOff) => ({ act: 'sign_off' as const, reason: '', ...signOff }))
  expect(standingOf('owner', signs)).toMatchObject({ stage: 'owner', signOffs: both })
  expect(standingOf('owner', [...signs, step, back])).toMatchObject({ stage: 'owner', signOffs: [], spent: both })
  const recall = { act: 'recall', reason: 'doses', by: 'x', at: now } as const
  expect(
    standingOf('owner', [recall, { ...recall, reason: 'doses in children', at: plusDays(now, 1) }]).recalled,
  ).toEqual({ at: now, reason: 'doses in children' })
})
