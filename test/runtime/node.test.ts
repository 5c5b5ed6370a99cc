import { afterAll, beforeAll, describe, test } from 'vitest'
import { cases } from './cases.ts'
import { openNode, type Runtime } from './runtimes.ts'
import { see } from './see.ts'

let node: Runtime
beforeAll(async () => {
  node = await openNode()
})
afterAll(() => node.stop())

describe('on Node', () => {
  test.each(cases)('$name', async (one) => {
    one.expect(await see(node, one))
  })
})
