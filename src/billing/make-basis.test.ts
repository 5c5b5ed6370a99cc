import { expect, test } from 'vitest'
import { instant } from '../kernel/index.ts'
import type { LicenseFacts } from '../licensing/index.ts'
import { makeBasis } from './make-basis.ts'
import { parseMonth } from './month.ts'

const at = (text: string) => instant(Date.parse(text))
const month = (text: string) => {
  const period = parseMonth(text)
  if (period === undefined) throw new Error(`${text} is no month`)
  return period
}

/** A license whose term ended in September, on plans in euros and in yen. */
const license: LicenseFacts = {
  tenantId: '00000000-0000-4000-8000-000000000001',
  license: 'LIC-1',
  revisions: [
    {
      revision: 1,
      effectiveAt: at('2026-01-01T00:00:00Z'),
      recordedAt: at('2026-01-01T00:00:00Z'),
      recordedBy: 'a',
      approvedBy: 'b',
      isCorrection: false,
      plan: 'euro',
      termStart: at('2026-01-01T00:00:00Z'),
      termEnd: at('2026-10-01T00:00:00Z'),
      graceDays: 0,
      evaluation: false,
      terms: { entitlements: [], budgets: [], residency: [], rates: {}, privacy: {} },
    },
  ],
  acts: [],
  attestations: [],
}
const plan = (name: string, currency: string) => ({
  plan: name,
  revision: 1,
  currency,
  prices: [],
  terms: {},
  effectiveAt: at('2026-01-01T00:00:00Z'),
})
const book = new Map([
  ['euro', [plan('euro', 'EUR')]],
  ['yen', [plan('yen', 'JPY')]],
])
const used = (name: string) => ({
  licenseRevision: 1,
  plan: name,
  planRevision: 1,
  phase: 'term' as const,
  facility: 'general',
  model: 'scribe',
  units: { input_tokens: 1n, output_tokens: 0n, requests: 1n, inferences: 0n },
  listed: 0n as never,
})
const basisOf = (text: string, usage: readonly ReturnType<typeof used>[]) =>
  makeBasis(
    { license, facilities: [], book, standing: [], frozen: { usage, late: [] } },
    { period: month(text), knownAt: at('2026-12-01T00:00:00Z') },
  )

test('a month in which nothing was used or held is of its plan’s currency', () => {
  expect(basisOf('2026-11', [])).toMatchObject({ ok: true, value: { use: { currency: 'EUR', termDays: [] } } })
})

test('a month that was priced in two currencies has no invoice', () => {
  expect(basisOf('2026-09', [used('yen')])).toEqual({ ok: false, error: { currencies: ['EUR', 'JPY'] } })
})
