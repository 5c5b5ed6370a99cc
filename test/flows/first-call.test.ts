import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { openHouse, type House } from '../support/house.ts'

const AnswerUsage = z.object({ usage: z.object({ prompt_tokens: z.int(), completion_tokens: z.int() }) })

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house.stop())

const ask = async (body: object, key = 'lakeside/ehr') =>
  fetch(`${house.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${await house.key(key)}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'scribe', messages: [{ role: 'user', content: 'hello' }], ...body }),
  })

test('a licensed hospital gets an answer, and the call stands in its ledger', async () => {
  const response = await ask({})
  expect(response.status).toBe(200)
  expect(response.headers.get('formulary-model-version')).toBe('scribe@1.0.0')
  const answer = AnswerUsage.parse(await response.json())
  const usage = await fetch(`${house.url}/v1/usage`, {
    headers: { authorization: `Bearer ${await house.key('lakeside/ehr')}` },
  })
  const page: unknown = await usage.json()
  expect(page).toMatchObject({
    data: [
      {
        request_id: response.headers.get('x-request-id'),
        outcome: 'answered',
        usage_source: 'host',
        facility: 'general',
        input_tokens: answer.usage.prompt_tokens,
        output_tokens: answer.usage.completion_tokens,
      },
    ],
  })
})

test('a stream ends with [DONE] and without the usage chunk that nobody asked for', async () => {
  const text = await (await ask({ stream: true })).text()
  expect(text.endsWith('data: [DONE]\n\n')).toBe(true)
  expect(text).not.toContain('"choices":[],')
  const asked = await (await ask({ stream: true, stream_options: { include_usage: true } })).text()
  expect(asked).toContain('"choices":[]')
})
