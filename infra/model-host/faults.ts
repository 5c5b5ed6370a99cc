import { failCall } from './http-answers.ts'
import type { ScriptWrite } from './knobs.ts'
import type { ServedCall } from './served-call.ts'

/**
 * The faults that happen instead of an answer, in this order: an error status, a closed connection, silence, a script.
 * True when one did. A host bills nothing for a call it refused or died under; it does bill one its caller gave up on,
 * so a silent call keeps its input tokens.
 */
export async function failsInstead(call: ServedCall): Promise<boolean> {
  const { knobs } = call
  if (knobs.status !== null) {
    call.inputTokens = 0
    failCall(call, knobs.status, knobs.retryAfterSeconds)
    return true
  }
  if (knobs.closeBeforeHeaders) {
    call.inputTokens = 0
    call.cut('cut')
    return true
  }
  if (knobs.stallBeforeHeaders) {
    await call.silence()
    return true
  }
  if (knobs.script !== null) {
    await playScript(call, knobs.script)
    return true
  }
  return false
}

async function playScript(call: ServedCall, script: readonly ScriptWrite[]): Promise<void> {
  call.outputTokens = call.knobs.completionTokens ?? 0
  call.response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' })
  call.response.flushHeaders()
  for (const write of script) {
    if (!(await call.pause(write.delayMs ?? 0))) return
    const part = write.base64 === undefined ? (write.text ?? '') : Buffer.from(write.base64, 'base64')
    if (part.length === 0) continue
    if (!call.write(part) && !(await call.drained())) return
    call.sentChunks += 1
    if (!(await call.turn())) return
  }
  if (call.knobs.scriptEnd === 'stall') await call.silence()
  else if (call.knobs.scriptEnd === 'destroy') call.cut('cut')
  else call.end('', 'complete')
}

export type ChunkFault = 'stall' | 'close' | 'error' | 'malformed'

/** Which fault is due now that so many content chunks have left. */
export function faultAfter(call: ServedCall): ChunkFault | null {
  const { knobs, sentChunks } = call
  if (sentChunks === knobs.malformedAfterChunks) return 'malformed'
  if (sentChunks === knobs.errorEventAfterChunks) return 'error'
  if (sentChunks === knobs.closeAfterChunks) return 'close'
  if (sentChunks === knobs.stallAfterChunks) return 'stall'
  return null
}
