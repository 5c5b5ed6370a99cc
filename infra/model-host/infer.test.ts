import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { startModelHost, type ModelHost } from './model-host.ts'

let host: ModelHost

beforeAll(async () => {
  host = await startModelHost({ knobs: { firstTokenMs: 0 } })
})

afterAll(() => host.stop())

const trace = Array.from({ length: 12 * 100 }, (_, index) => Math.sin(index / 7))
const ecg = { name: 'ecg', datatype: 'FP32', shape: [1, 12, 100], data: trace }

test('an ECG has one probability, the same each time, and another for another ECG', async () => {
  const one = await infer('ecg-low-ef', { id: '42', inputs: [ecg] })
  const two = await infer('ecg-low-ef/versions/2.1.0', { inputs: [ecg] })
  const other = await infer('ecg-low-ef', { inputs: [{ ...ecg, data: trace.with(7, 0.5) }] })
  expect(one.body).toMatchObject({ model_name: 'ecg-low-ef', id: '42' })
  expect(two.body).toMatchObject({ model_version: '2.1.0' })
  const [output] = one.body.outputs
  expect(output).toMatchObject({ name: 'probability', datatype: 'FP32', shape: [1, 1] })
  expect(output?.data[0]).toBeGreaterThan(0)
  expect(output?.data[0]).toBeLessThan(1)
  expect(two.body.outputs).toEqual(one.body.outputs)
  expect(other.body.outputs).not.toEqual(one.body.outputs)
})

test('nested data and a batch are read as the protocol has them', async () => {
  const rows = [Array.from({ length: 12 }, () => [0, 0]), Array.from({ length: 12 }, () => [1, -1])]
  const { body } = await infer('ecg-low-ef', { inputs: [{ ...ecg, shape: [2, 12, 2], data: rows }] })
  expect(body.outputs[0]?.shape).toEqual([2, 1])
  expect(new Set(body.outputs[0]?.data).size).toBe(2)
})

test('a volume has a probability and a diameter, or only the output asked for', async () => {
  const volume = { name: 'volume', datatype: 'FP32', shape: [1, 1, 2, 2, 2], data: [0, 1, 2, 3, 4, 5, 6, 7] }
  const all = await infer('ct-pancreas', { inputs: [volume] })
  const one = await infer('ct-pancreas', { inputs: [volume], outputs: [{ name: 'largest_lesion_mm' }] })
  expect(all.body.outputs.map((output) => output.name)).toEqual(['probability', 'largest_lesion_mm'])
  expect(one.body.outputs.map((output) => output.name)).toEqual(['largest_lesion_mm'])
})

test('any other model answers with what it was given', async () => {
  const inputs = [{ name: 'flag', datatype: 'BOOL', shape: [2], data: [true, false] }]
  expect((await infer('other', { inputs })).body.outputs).toEqual(inputs)
})

test.each([
  ['too few values', { ...ecg, shape: [1, 12, 5000] }],
  ['another shape', { ...ecg, shape: [1, 1200] }],
  ['another type', { ...ecg, datatype: 'INT8' }],
  ['no numbers', { ...ecg, data: trace.map(String) }],
  ['an empty batch of many rows', { ...ecg, shape: [1_000_000_000, 12, 0], data: [] }],
])('%s: refused, with the reason', async (_, input) => {
  const { status, body } = await infer('ecg-low-ef', { inputs: [input] })
  expect(status).toBe(400)
  expect(body.error).not.toBe('')
  expect(body.outputs).toEqual([])
})

test('metadata and readiness are told, and readiness can be taken away', async () => {
  const metadata = await get('/v2/models/ecg-low-ef/versions/2.1.0')
  expect(metadata.body).toMatchObject({ name: 'ecg-low-ef', versions: ['2.1.0'], inputs: [{ shape: [-1, 12, -1] }] })
  expect((await get('/v2')).body).toMatchObject({ name: 'stand-in-model-host' })
  const pages = ['/v2/health/live', '/v2/health/ready', '/v2/models/ecg-low-ef/ready']
  expect(await Promise.all(pages.map(async (page) => (await get(page)).status))).toEqual([200, 200, 200])
  host.setKnobs({ ready: false })
  expect(await Promise.all(pages.map(async (page) => (await get(page)).status))).toEqual([200, 503, 503])
  host.resetKnobs()
})

const inferAnswer = z.looseObject({
  error: z.string().default(''),
  outputs: z
    .array(z.object({ name: z.string(), datatype: z.string(), shape: z.array(z.number()), data: z.array(z.unknown()) }))
    .default([]),
})

async function infer(model: string, body: unknown) {
  const answer = await fetch(`${host.url}/v2/models/${model}/infer`, { method: 'POST', body: JSON.stringify(body) })
  return { status: answer.status, body: inferAnswer.parse(await answer.json()) }
}

async function get(path: string) {
  const answer = await fetch(host.url + path)
  return { status: answer.status, body: await answer.json() }
}
