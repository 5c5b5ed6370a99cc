import { expect, test } from 'vitest'
import type { Deployment } from './catalog.ts'
import { Circuits } from './circuit.ts'

const east: Deployment = {
  model: 'scribe',
  version: '1.0.0',
  deployment: 'east',
  url: 'http://east.invalid',
  upstreamModel: 'scribe',
  region: 'us-east',
  weight: 1,
  credentialEnv: undefined,
}
const west: Deployment = { ...east, deployment: 'west' }

/** So many failures in a row, all at one moment. */
function failed(times: number, atMs = 0): Circuits {
  const circuits = new Circuits()
  for (let failure = 0; failure < times; failure++) circuits.noteFailure(east, atMs)
  return circuits
}

test('four failures leave a circuit closed, the fifth opens it for two seconds', () => {
  expect(failed(4).isOpen(east, 0)).toBe(false)
  const circuits = failed(5)
  expect(circuits.isOpen(east, 0)).toBe(true)
  expect(circuits.isOpen(east, 1_999)).toBe(true)
  expect(circuits.isOpen(east, 2_000)).toBe(false)
})

test('after its pause one call tries, and the others wait for its answer or for the next two seconds', () => {
  const circuits = failed(5)
  expect(circuits.isOpen(east, 2_000)).toBe(false)
  for (const at of [2_000, 2_001, 3_999]) expect(circuits.isOpen(east, at)).toBe(true)
  expect(circuits.isOpen(east, 4_000)).toBe(false)
  circuits.noteAnswer(east)
  for (const at of [4_000, 4_001]) expect(circuits.isOpen(east, at)).toBe(false)
})

test('another deployment of the same version keeps its own circuit', () => {
  expect(failed(5).isOpen(west, 0)).toBe(false)
})

test('an answer between failures begins the count anew', () => {
  const circuits = failed(4)
  circuits.noteAnswer(east)
  for (let failure = 0; failure < 4; failure++) circuits.noteFailure(east, 0)
  expect(circuits.isOpen(east, 0)).toBe(false)
})

test('each failure of a probe opens the circuit for twice as long, up to a minute, and an answer closes it', () => {
  const circuits = failed(5)
  let now = 0
  for (const expected of [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]) {
    expect(circuits.isOpen(east, now + expected - 1), `${expected} ms`).toBe(true)
    expect(circuits.isOpen(east, now + expected), `${expected} ms`).toBe(false)
    now += expected
    circuits.noteFailure(east, now)
  }
  circuits.noteAnswer(east)
  expect(circuits.isOpen(east, now)).toBe(false)
})

test('an outage multiplies calls by a bounded number: a hundred retries, and one more for every ten answers', () => {
  const circuits = new Circuits()
  for (let retry = 0; retry < 100; retry++) expect(circuits.takeRetry()).toBe(true)
  expect(circuits.takeRetry()).toBe(false)
  for (let answer = 0; answer < 11; answer++) circuits.noteAnswer(east)
  expect(circuits.takeRetry()).toBe(true)
  expect(circuits.takeRetry()).toBe(false)
  for (let answer = 0; answer < 10_000; answer++) circuits.noteAnswer(east)
  let retries = 0
  while (circuits.takeRetry()) retries++
  expect(retries).toBe(100)
})
