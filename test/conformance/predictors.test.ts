import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openHouse, type House } from '../support/house.ts'
import { rowsOfCall } from './call-rows.ts'
import { knownKey } from './known-key.ts'
import { recordingClients, type RecordingClients } from './recording-clients.ts'

let house: House
let clients: RecordingClients
beforeAll(async () => {
  house = await openHouse()
  clients = recordingClients(house)
})
afterAll(() => house.stop())
beforeEach(() => house.host.resetKnobs())
afterEach(() => clients.checkAnswers())

/** Ten samples of twelve leads, in the digits in which an instrument wrote them. */
const samples = Array.from({ length: 120 }, (_, index) => `${index % 7}.${index}0`).join(', ')
const tensor = `{"id":"study-1", "inputs":[{"name":"ecg","shape":[1,12,10],"datatype":"FP32","data":[${samples}]}]}`

async function send(path: string, options: { body?: string; application?: string } = {}): Promise<Response> {
  const key = await knownKey(house, options.application ?? 'lakeside/reader')
  return clients.fetch(`${house.url}/v2/models/${path}`, {
    headers: { authorization: `Bearer ${key}` },
    ...(options.body === undefined ? {} : { method: 'POST', body: options.body }),
  })
}
const errorIn = async (response: Response): Promise<unknown> => ({
  status: response.status,
  ...(await bodyOf(response)),
})
const bodyOf = async (response: Response): Promise<object> => {
  const body: unknown = await response.json()
  return typeof body === 'object' && body !== null ? body : {}
}

describe('a prediction', () => {
  test.each(['ecg-low-ef/infer', 'ecg-low-ef/versions/3.0.0/infer'])(
    'at %s is answered and charged as one inference',
    async (path) => {
      const response = await send(path, { body: tensor })
      expect(response.status).toBe(200)
      expect(response.headers.get('formulary-model-version')).toBe('ecg-low-ef@3.0.0')
      expect(await bodyOf(response)).toMatchObject({ id: 'study-1', outputs: [{ name: 'probability', shape: [1, 1] }] })
      expect(await rowsOfCall(house.database, response.headers.get('x-request-id') ?? '')).toMatchObject([
        { outcome: 'answered', usageSource: 'none', inputTokens: 0, outputTokens: 0, charge: 500_000_000_000n },
      ])
    },
  )

  test('reaches the host byte for byte', async () => {
    await send('ecg-low-ef/infer', { body: tensor })
    expect(house.host.last()?.body.toString()).toBe(tensor)
    expect(house.host.last()?.path).toBe('/v2/models/ecg-low-ef/infer')
  })

  test('that the host fails or refuses is not charged, and its words stay inside', async () => {
    house.host.setKnobs({ status: 500 })
    expect(await errorIn(await send('ecg-low-ef/infer', { body: tensor }))).toMatchObject({
      status: 502,
      error: { code: 'model_host_error' },
    })
    house.host.resetKnobs()
    house.host.setKnobs({ errorEventAfterChunks: 0 })
    expect(await errorIn(await send('ecg-low-ef/infer', { body: tensor }))).toMatchObject({ status: 502 })
    house.host.resetKnobs()
    expect(
      await errorIn(await send('ecg-low-ef/infer', { body: tensor.replace('[1,12,10]', '[1,12,11]') })),
    ).toMatchObject({
      status: 400,
      error: { code: 'invalid_request' },
    })
  })

  test.each([
    ['no inputs', '{"inputs":[]}', 'inputs'],
    ['an input without a shape', '{"inputs":[{"name":"ecg","datatype":"FP32","data":[]}]}', 'inputs[0].shape'],
    ['a name twice', '{"inputs":[{"name":"a","shape":[1],"datatype":"FP32","data":[1]}],"inputs":[]}', 'inputs'],
  ])('with %s is refused by name', async (_, body, param) => {
    expect(await errorIn(await send('ecg-low-ef/infer', { body }))).toMatchObject({
      status: 400,
      error: { code: 'invalid_request', param },
    })
  })
})

describe('who may not', () => {
  test.each([
    ['an application without the scope', 'ecg-low-ef/infer', 'lakeside/ehr', 403, 'policy_denied'],
    ['a license without the model', 'ecg-low-ef/infer', 'prairie/trial', 403, 'model_not_licensed'],
    ['a version that is none', 'ecg-low-ef/versions/9.9.9/infer', 'lakeside/reader', 404, 'model_not_found'],
    ['a model that is none', 'nobody/infer', 'lakeside/reader', 404, 'model_not_found'],
  ])('%s gets a reason, and the host is not asked', async (_, path, application, status, code) => {
    const before = house.host.stats().opened
    expect(await errorIn(await send(path, { body: tensor, application }))).toMatchObject({ status, error: { code } })
    expect(house.host.stats().opened).toBe(before)
  })
})

describe('metadata and readiness', () => {
  test.each(['ecg-low-ef', 'ecg-low-ef/versions/3.0.0'])('of %s are told to who may call it', async (path) => {
    expect(await bodyOf(await send(path))).toMatchObject({ name: 'ecg-low-ef', versions: ['3.0.0'] })
    expect(await bodyOf(await send(`${path}/ready`))).toEqual({ name: 'ecg-low-ef', ready: true })
  })

  test('are not told to others', async () => {
    for (const path of ['ecg-low-ef', 'ecg-low-ef/ready'])
      expect((await send(path, { application: 'prairie/trial' })).status).toBe(403)
    expect((await send('nobody/ready')).status).toBe(404)
  })

  test('a predictor whose only deployment fails again and again is not ready', async () => {
    house.host.setKnobs({ status: 500 })
    for (let failure = 0; failure < 5; failure++) await send('ecg-low-ef/infer', { body: tensor })
    const response = await send('ecg-low-ef/ready')
    expect(response.headers.get('retry-after')).toBe('5')
    expect(await errorIn(response)).toMatchObject({ status: 503, error: { code: 'unavailable' } })
  })
})
