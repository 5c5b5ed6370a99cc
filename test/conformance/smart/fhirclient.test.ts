import { beforeAll, describe, expect, test, type TestContext } from 'vitest'
import { systemTransaction } from '../../../src/db/index.ts'
import { clientYaml, makeClientKey, signAssertion, type ClientKey } from '../../support/client-keys.ts'
import { openHouse, type House } from '../../support/house.ts'
import { readLedger } from '../../support/ledger.ts'
import { openPython, type LacksPython, type Python } from '../../support/python.ts'

/**
 * smart-on-fhir's client of Python, unmodified. It takes an assertion that is signed already, and everything that is done
 * with it is its own: the token, and two calls that carry it.
 */
const callModel = new URL('python/call_model.py', import.meta.url)
const clientId = 'lakeside.ehr'
const key = makeClientKey('ES384')
let house: House
let opened: Python | LacksPython

beforeAll(async () => {
  const python = await openPython(new URL('python/requirements.txt', import.meta.url))
  opened = python
  if ('run' in python) return () => python.remove()
  // Not every reporter shows why a test was skipped.
  return console.warn(`fhirclient is not tried here: ${python.lacks}`)
}, 300_000)

beforeAll(async () => {
  if ('lacks' in opened) return
  house = await openHouse({
    replace: {
      'lakeside/tenant.yaml': (text) =>
        text.replace(
          'scopes: [chat, embeddings] }',
          `scopes: [chat, embeddings], client: ${clientYaml('smart', [key])} }`,
        ),
    },
  })
  return () => house.stop()
})

describe('fhirclient of Python, unmodified', () => {
  test('gets a token by its assertion, lists the models and calls one, and its application is charged', async (context) => {
    const seen = await fhirclient(pythonOr(context), key)
    expect(seen).toMatchObject({
      ready: true,
      granted: { token_type: 'bearer', scope: 'chat' },
      models: expect.arrayContaining(['scribe']),
      answer: { object: 'chat.completion', choices: [{ finish_reason: 'stop', message: { role: 'assistant' } }] },
    })
    expect(await readCallers()).toEqual([
      { tenant: 'lakeside', application: 'ehr', model: 'scribe', outcome: 'answered', request: seen['request_id'] },
    ])
  })

  test('with a key that is not registered raises its own error, for invalid_client, and no call is made', async (context) => {
    const python = pythonOr(context)
    const before = { calls: await readLedger(house.database), host: house.host.stats() }
    const seen = await fhirclient(python, makeClientKey('ES384'))
    expect(seen).toMatchObject({ ready: false, raised: 'FHIRUnauthorizedException', error: 'invalid_client' })
    expect({ calls: await readLedger(house.database), host: house.host.stats() }).toEqual(before)
  })
})

/** Skips the test where Python or its packages cannot be had. */
const pythonOr = ({ skip }: TestContext): Python => ('lacks' in opened ? skip(opened.lacks) : opened)

async function fhirclient(python: Python, signer: ClientKey): Promise<Record<string, unknown>> {
  const tokenUrl = `${house.url}/oauth/token`
  const seen = await python.run(callModel, {
    client_id: clientId,
    token_url: tokenUrl,
    base_url: `${house.url}/v1/`,
    scope: 'chat',
    assertion: await signAssertion(signer, { clientId, audience: tokenUrl }),
    chat: { model: 'scribe', messages: [{ role: 'user', content: 'hello' }] },
  })
  return { ...(seen as object) }
}

/** Whose calls stand in the ledger. */
async function readCallers() {
  await readLedger(house.database)
  return systemTransaction(house.database, 'maintain', async (tx) => {
    const rows = await tx
      .selectFrom('usage_event')
      .innerJoin('tenant', 'tenant.tenant_id', 'usage_event.tenant_id')
      .select(['tenant', 'application', 'model', 'outcome', 'request_id'])
      .execute()
    return rows.map(({ request_id, ...row }) => ({ ...row, request: `req_${request_id.replaceAll('-', '')}` }))
  })
}
