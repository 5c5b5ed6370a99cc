import { expect, test } from 'vitest'
import { KeptDecisions } from './kept-decisions.ts'

const verdict = (policy: string) => ({ outcome: 'permit', policies: [policy] }) as const

test('what is asked again and again stays, however much is asked once', () => {
  const kept = new KeptDecisions(10)
  kept.keep('often', verdict('often'))
  for (let index = 0; index < 1000; index++) {
    kept.keep(`once ${index}`, verdict('once'))
    expect(kept.find('often')).toEqual(verdict('often'))
    expect(kept.size).toBeLessThanOrEqual(20)
  }
  expect(kept.find('once 0')).toBeUndefined()
})

test('as many as the bound are kept, whatever else comes', () => {
  const kept = new KeptDecisions(10)
  for (let index = 0; index < 35; index++) kept.keep(String(index), verdict(String(index)))
  for (let index = 25; index < 35; index++) expect(kept.find(String(index))).toEqual(verdict(String(index)))
})
