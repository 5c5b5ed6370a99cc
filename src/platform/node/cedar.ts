import { readFileSync } from 'node:fs'
import { findPackageJSON } from 'node:module'
import { dirname, join } from 'node:path'
import { provideCedar } from '../../policy/index.ts'
import { assert } from '../../kernel/index.ts'

/** Lets policies be read and asked in this process. Nothing is loaded before the first of them. */
export function provideNodeCedar(): void {
  provideCedar(() => {
    const described = findPackageJSON('@cedar-policy/cedar-wasm', import.meta.url)
    assert(described !== undefined, '@cedar-policy/cedar-wasm is not installed')
    return readFileSync(join(dirname(described), 'web/cedar_wasm_bg.wasm'))
  })
}
