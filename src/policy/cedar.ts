import * as glue from '@cedar-policy/cedar-wasm/web'
import { assert } from '../kernel/index.ts'

/** Compiled code on Workers, where nothing may be compiled; its bytes on Node. */
export type CedarCode = Uint8Array | object

let load: (() => CedarCode) | undefined
let started = false

/**
 * Says where the code of Cedar is. Each runtime has it elsewhere, so its entry says so before the first policy is read;
 * the code is loaded when it is first needed. There is one Cedar in a process, because there is one in its package.
 */
export function provideCedar(loadCode: () => CedarCode): void {
  load ??= loadCode
}

/** Cedar, started. @throws Bug when nobody provided it. */
export function cedar(): typeof glue {
  if (!started) {
    assert(load !== undefined, 'Cedar was not provided: call provideCedar first')
    glue.initSync({ module: load() })
    started = true
  }
  return glue
}
