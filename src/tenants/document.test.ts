import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalJson } from '../kernel/index.ts'
import { flatten } from './document.ts'

test('one document has one text, whatever the order of its keys (RFC 8785)', () => {
  expect(canonicalJson({ b: [1, { d: null, c: 'é"' }], a: true, none: undefined })).toBe(
    '{"a":true,"b":[1,{"c":"é\\"","d":null}]}',
  )
  // Sorted by UTF-16 code units, as the RFC says: the example of its section 3.2.3.
  const names = ['\u20ac', '\r', '\ufb33', '1', '\ud83d\ude00', '\u0080', '\u00f6']
  const sorted = ['\r', '1', '\u0080', '\u00f6', '\u20ac', '\ud83d\ude00', '\ufb33']
  expect(canonicalJson(Object.fromEntries(names.map((name) => [name, 0])))).toBe(
    `{${sorted.map((name) => `${JSON.stringify(name)}:0`).join(',')}}`,
  )
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.integer()), (document) => {
      const backwards = Object.fromEntries(Object.entries(document).toReversed())
      expect(canonicalJson(backwards)).toBe(canonicalJson(document))
      expect(JSON.parse(canonicalJson(document))).toEqual(document)
    }),
  )
})

test('two documents that differ have lines that differ', () => {
  const budget = { meter: 'tokens', per: 'month', limit: 1 }
  const documents = [
    { budgets: [budget] },
    { budgets: [budget, budget] },
    { budgets: [{ ...budget, application: 'ehr' }] },
    { budgets: [{ ...budget, facility: 'ehr' }] },
    { budgets: [{ ...budget, model: 'ehr' }] },
    { budgets: [{ ...budget, per: 'day' }] },
    { budgets: [{ meter: 'tokens', per: 1, limit: 1 }] },
    { budgets: [] },
    { residency: ['a', 'b'] },
    { residency: ['b', 'a'] },
    { residency: ['a, b'] },
    { residency: ['a'] },
  ]
  const lines = documents.map((document) => JSON.stringify([...flatten(document)]))
  expect(new Set(lines).size).toBe(documents.length)
})

test('a list of things keeps their names, not their positions', () => {
  expect([
    ...flatten({
      prices: [
        { meter: 'requests', per: 1, amount: '2' },
        { model: 'm', meter: 'requests', per: 1, amount: '3' },
      ],
    }),
  ]).toEqual([
    ['prices[requests].per', '1'],
    ['prices[requests].amount', '2'],
    ['prices[requests of m].per', '1'],
    ['prices[requests of m].amount', '3'],
  ])
})
