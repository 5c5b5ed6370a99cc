import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readUsage, settledUsage } from './usage.ts'

const bound = { inputTokens: 200, outputTokens: 1000 }
const nothing = { pieces: 0, bytes: 0 }

test.each([
  [
    { prompt_tokens: 12, completion_tokens: 5 },
    { inputTokens: 12, outputTokens: 5 },
  ],
  [
    { prompt_tokens: 12, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 4 } },
    { inputTokens: 12, outputTokens: 5 },
  ],
  // Embeddings have no output.
  [
    { prompt_tokens: 12, total_tokens: 12 },
    { inputTokens: 12, outputTokens: 0 },
  ],
  [
    { prompt_tokens: 0, completion_tokens: 0 },
    { inputTokens: 0, outputTokens: 0 },
  ],
])('a usage is read: %j', (said, read) => {
  expect(readUsage(said)).toEqual(read)
})

test.each([
  undefined,
  null,
  'usage',
  12,
  [],
  {},
  { completion_tokens: 5 },
  { prompt_tokens: '12', completion_tokens: 5 },
  { prompt_tokens: 12, completion_tokens: null },
  { prompt_tokens: -1, completion_tokens: 5 },
  { prompt_tokens: 1.5, completion_tokens: 5 },
  { prompt_tokens: Number.MAX_SAFE_INTEGER + 1, completion_tokens: 5 },
  { prompt_tokens: Number.NaN, completion_tokens: 5 },
  { prompt_tokens: Number.POSITIVE_INFINITY, completion_tokens: 5 },
])('what is not a whole usage is none: %j', (said) => {
  expect(readUsage(said)).toBeUndefined()
})

test("the host's word holds when it is a possible one", () => {
  const said = { inputTokens: 12, outputTokens: 5 }
  expect(settledUsage(said, { pieces: 3, bytes: 30 }, { bytes: 150 }, bound)).toEqual({ ...said, source: 'host' })
})

test('a host that reports zeros for what was delivered is not believed: nothing delivered is free', () => {
  const delivered = { pieces: 3, bytes: 30 }
  const estimated = { inputTokens: 38, outputTokens: 8, source: 'estimated' }
  for (const said of [undefined, { inputTokens: 0, outputTokens: 0 }, { inputTokens: 12, outputTokens: 0 }])
    expect(settledUsage(said, delivered, { bytes: 150 }, bound)).toEqual(estimated)
})

test('an output of zero is possible when nothing was delivered', () => {
  const said = { inputTokens: 12, outputTokens: 0 }
  expect(settledUsage(said, nothing, { bytes: 150 }, bound)).toEqual({ ...said, source: 'host' })
})

test('an estimate is one token per piece or per four bytes, whichever is more', () => {
  expect(settledUsage(undefined, { pieces: 3, bytes: 4 }, { bytes: 1 }, bound)).toMatchObject({ outputTokens: 3 })
  expect(settledUsage(undefined, { pieces: 1, bytes: 41 }, { bytes: 1 }, bound)).toMatchObject({ outputTokens: 11 })
})

test('a host that claims more than was reserved is settled at the reservation, and marked as an estimate', () => {
  const said = { inputTokens: 999_999_999_999, outputTokens: 5 }
  expect(settledUsage(said, { pieces: 1, bytes: 4 }, { bytes: 150 }, bound)).toEqual({
    inputTokens: 200,
    outputTokens: 5,
    source: 'estimated',
  })
})

test('whatever a host says and delivers, a settlement is never more than its reservation and never negative', () => {
  const count = fc.oneof(fc.nat(2_000), fc.constantFrom(0, Number.MAX_SAFE_INTEGER))
  fc.assert(
    fc.property(
      fc.option(fc.record({ inputTokens: count, outputTokens: count }), { nil: undefined }),
      fc.record({ pieces: count, bytes: count }),
      fc.record({ bytes: count }),
      fc.record({ inputTokens: fc.nat(1_000), outputTokens: fc.nat(1_000) }),
      (said, delivered, request, reserved) => {
        const used = settledUsage(said, delivered, request, reserved)
        expect(used.inputTokens).toBeLessThanOrEqual(reserved.inputTokens)
        expect(used.outputTokens).toBeLessThanOrEqual(reserved.outputTokens)
        expect(Math.min(used.inputTokens, used.outputTokens)).toBeGreaterThanOrEqual(0)
        if (delivered.bytes > 0 && reserved.outputTokens > 0) expect(used.outputTokens).toBeGreaterThan(0)
      },
    ),
    { numRuns: 1_000 },
  )
})
