import { expect, test } from 'vitest'
import { instant } from '../../kernel/index.ts'
import { SeenProofs } from './seen-proofs.ts'

const proof = (jti: string) => ({ thumbprint: 'key', jti, expiresAt: instant(0) })

test('a proof is the first once, for as long as it could be shown', () => {
  const proofs = new SeenProofs()
  expect(proofs.show('a.b', proof('1'), 0)).toBe('first')
  for (const nowMs of [0, 60_000, 119_999, 120_000, 239_999]) expect(proofs.show('a.b', proof('1'), nowMs)).toBe('seen')
})

test('each client has its share, and who fills it is told no, without a word of it forgotten', () => {
  const proofs = new SeenProofs()
  for (let index = 0; index < 50_000; index++) proofs.show('a.b', proof(String(index)), 0)
  expect(proofs.show('a.b', proof('one more'), 0)).toBe('full')
  expect(proofs.show('a.b', proof('0'), 0)).toBe('seen')
  expect(proofs.show('c.d', proof('0'), 0)).toBe('first')
  expect(proofs.show('a.b', proof('one more'), 120_000)).toBe('first')
})
