import { expect, test } from 'vitest'
import { Failure, instant } from '../../kernel/index.ts'
import { SharedProofs } from './shared-proofs.ts'

/** Statements are held up until `go`; each says which proofs it held. */
function world() {
  const clock = { nowMs: 0 }
  const known = new Set<string>()
  const statements: { held: readonly string[]; go: (error?: Failure) => void }[] = []
  const warned: string[] = []
  const proofs = new SharedProofs({
    log: { info() {}, warn: (event) => void warned.push(event), error() {} },
    monotonicMs: () => clock.nowMs,
    remember: (shown) =>
      new Promise((resolve, reject) => {
        const held = shown.map(({ digest }) => digest)
        const first = new Set(held.filter((digest) => !known.has(digest)))
        statements.push({
          held,
          go(error) {
            if (error !== undefined) return reject(error)
            for (const digest of held) known.add(digest)
            return resolve(first)
          },
        })
      }),
  })
  const show = (digest: string) => proofs.show({ digest, expiresAt: instant(0) })
  return { clock, known, statements, warned, show }
}
const settled = () => new Promise((resolve) => void setImmediate(resolve))

test('one statement is under way, and the next takes all that came meanwhile', async () => {
  const { show, statements } = world()
  const answers = ['a', 'b', 'c'].map(show)
  statements[0]?.go()
  await settled()
  statements[1]?.go()
  expect(await Promise.all(answers)).toEqual(['first', 'first', 'first'])
  expect(statements.map(({ held }) => held)).toEqual([['a'], ['b', 'c']])
})

test('what another process has shown was seen', async () => {
  const { show, statements, known } = world()
  known.add('a')
  const answer = show('a')
  statements[0]?.go()
  expect(await answer).toBe('seen')
})

test('while the database is away nobody is refused, and nobody waits again for five seconds', async () => {
  const { show, statements, warned, clock, known } = world()
  known.add('a')
  const answers = [show('a'), show('b')]
  statements[0]?.go(new Failure('database', 'away', { retryable: true }))
  expect(await Promise.all(answers)).toEqual(['first', 'first'])
  expect(await show('a')).toBe('first')
  expect([statements.length, warned]).toEqual([1, ['proofs.not_shared']])
  clock.nowMs += 5_000
  const later = show('a')
  statements[1]?.go()
  expect(await later).toBe('seen')
})
