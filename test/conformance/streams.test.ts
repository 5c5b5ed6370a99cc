import fc from 'fast-check'
import type { ScriptWrite } from '../../infra/model-host/model-host.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openHouse, type House } from '../support/house.ts'
import { awaitRowsOfCall, rowsOfCall } from './call-rows.ts'
import { knownKey } from './known-key.ts'
import { callRaw } from './raw-caller.ts'
import { loadCorpus, upstreamBytes, type StreamCase } from './streams/load-corpus.ts'
import { readByReference } from './streams/reference-reading.ts'

/** A prompt of more than 120 bytes and a cap of 1000: no case exceeds what may be reserved. */
const prompt = 'Chest pain for an hour, radiating to the left arm. '.repeat(4)

let house: House
let key: string
beforeAll(async () => {
  house = await openHouse({ environment: { FIRST_BYTE_SECONDS: '1', IDLE_SECONDS: '1' } })
  key = await knownKey(house, 'lakeside/ehr')
})
afterAll(() => house.stop())

/** A call whose answer is this, and everything that came of it. */
async function play(streamCase: StreamCase, writes: readonly ScriptWrite[]) {
  house.host.setKnobs({ script: [...writes], scriptEnd: streamCase.end })
  const answer = await callRaw({
    url: `${house.url}/v1/chat/completions`,
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({
      model: 'scribe',
      stream: true,
      max_tokens: 1000,
      // Who gets several choices has asked for them.
      n: choicesIn(streamCase),
      messages: [{ role: 'user', content: prompt }],
      ...(streamCase.callerAskedForUsage ? { stream_options: { include_usage: true } } : {}),
    }),
  })
  const requestId = String(answer.headers['x-request-id'])
  // What was delivered stands in the ledger before its last byte leaves; an attempt that gave nothing is written beside.
  const find = answer.status === 200 ? rowsOfCall : awaitRowsOfCall
  const rows = await find(house.database, requestId)
  return {
    status: answer.status,
    end: answer.end,
    // Latin-1, so that each byte is compared; the request's own id is all that may differ between two calls.
    body: answer.body.toString('latin1').replaceAll(requestId, 'req_'),
    headers: answer.headers,
    rows,
  }
}

const choicesIn = (streamCase: StreamCase): number => {
  const indexes = upstreamBytes(streamCase)
    .toString()
    .matchAll(/"choices":\[\{"index":(\d)|\},\{"index":(\d)/g)
  return new Set([...indexes].map(([, first, next]) => first ?? next)).size || 1
}

/** The events of the gateway's own making at the end of an answer. */
const ownError = /data: \{"error":\{[^\n]*"request_id":"req_"\}\}\n\n$/

describe.each(loadCorpus())('$name', (streamCase) => {
  const { expect: expected } = streamCase
  const reference = readByReference(streamCase)
  let played: ReturnType<typeof play> | undefined
  const asWritten = () => (played ??= play(streamCase, streamCase.writes))

  test('the caller gets what the case expects, and the ledger says what it was', async () => {
    const { status, end, body, headers, rows } = await asWritten()
    expect(rows).toHaveLength(1)
    const [row] = rows
    expect(body).not.toContain('inside-words-canary')
    expect(headers['cache-control']).toBe('no-store')

    if (status !== 200) {
      // Nothing had been delivered: a status says it better than a stream.
      expect(expected.deliveredText).toBe('')
      expect([502, 504]).toContain(status)
      expect(row?.outcome).toBe(expected.outcome === 'host_closed' ? 'host_error' : expected.outcome)
      expect(row).toMatchObject({ requests: 0, inputTokens: 0, outputTokens: 0, charge: 0n })
      return
    }

    expect(end).toBe('closed')
    expect(row).toMatchObject({ outcome: expected.outcome, usageSource: expected.usageSource, requests: 1, attempt: 1 })
    if (expected.usageSource === 'host')
      expect(row).toMatchObject({ inputTokens: expected.inputTokens, outputTokens: expected.outputTokens })
    else if (expected.deliveredText !== '') expect(row?.outputTokens).toBeGreaterThan(0)
    expect(row?.charge).toBe(BigInt(row?.inputTokens ?? 0) * 3_000_000n + BigInt(row?.outputTokens ?? 0) * 15_000_000n)

    if (expected.outcome === 'answered') {
      expect(body).toBe(reference.callerBytes.toString('latin1'))
      expect(body === upstreamBytes(streamCase).toString('latin1')).toBe(expected.bytesEqual)
    } else {
      // Whole events stand before our own words about the failure; an event that was cut off does not.
      expect(body).toMatch(ownError)
      expect(reference.callerBytes.toString('latin1').startsWith(body.replace(ownError, ''))).toBe(true)
    }
    const read = readByReference({
      ...streamCase,
      writes: [{ base64: Buffer.from(body, 'latin1').toString('base64') }],
    })
    expect(read.deliveredText).toBe(expected.deliveredText)
    expect(read.done).toBe(expected.done)
    expect(/"choices":\s*\[\],"usage":\s*\{/.test(body)).toBe(expected.usageChunkDelivered)
  })

  test('it is the same wherever the packets of the host end', async () => {
    const bytes = upstreamBytes(streamCase)
    const whole = await asWritten()
    const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    await fc.assert(
      fc.asyncProperty(fc.array(fraction, { maxLength: 25 }), async (fractions) => {
        const places = [...new Set(fractions.map((each) => Math.floor(each * bytes.length)))].toSorted((a, b) => a - b)
        const writes = [...places, bytes.length].map((place, index) => ({
          base64: bytes.subarray(places[index - 1] ?? 0, place).toString('base64'),
        }))
        const { status, end, body, rows } = await play(streamCase, writes)
        expect({ status, end, body, rows }).toEqual({
          status: whole.status,
          end: whole.end,
          body: whole.body,
          rows: whole.rows,
        })
      }),
      // Each play of a host that falls silent takes a second.
      { seed: 1, numRuns: expected.outcome === 'host_timeout' ? 1 : 5, endOnFailure: true },
    )
  })
})
