import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cases } from './cases.ts'
import { openNode, openWorkerd, type Runtime, type Workerd } from './runtimes.ts'
import { see } from './see.ts'
import { bundleWorker, type Bundle } from './workerd.ts'

let bundle: Bundle
let node: Runtime
let workerd: Workerd
beforeAll(async () => {
  bundle = await bundleWorker()
  node = await openNode()
  workerd = await openWorkerd(bundle)
})
afterAll(async () => {
  await workerd?.stop()
  await node?.stop()
  await bundle?.remove()
})

describe('in workerd: what holds on Node, and nothing to be told apart by', () => {
  test.each(cases)('$name', async (one) => {
    const [there, here] = await Promise.all([see(node, one), see(workerd, one)])
    one.expect(here)
    expect(here).toEqual(there)
  })
})
