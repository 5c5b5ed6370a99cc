import { failCall, redirectCall } from './http-answers.ts'
import type { ScriptWrite } from './knobs.ts'
import type { ServedCall } from './served-call.ts'

/**
 * The fault that happens instead of an answer, in this order: an error status, a closed connection, a redirect, silence, a
 * script.
 * Null when there is none, which costs an immediate answer nothing. A host bills nothing for a call it refused or died
 * under; it does bill one its caller gave up on, so a silent call keeps its input tokens.
 */
export function faultInstead(call: ServedCall): Promise<void> | null {
  const { knobs } = call
  if (knobs.status !== null || knobs.closeBeforeHeaders) return refuse(call)
  if (knobs.redirectTo !== null) return redirect(call, knobs.redirectTo)
  if (knobs.stallBeforeHeaders) return silence(call)
  return knobs.script === null ? null : playScript(call, knobs.script)
}

function refuse(call: ServedCall): Promise<void> {
  const { status, retryAfterSeconds } = call.knobs
  call.inputTokens = 0
  if (status === null) call.cut('cut')
  else failCall(call, status, retryAfterSeconds)
  return Promise.resolve()
}

function redirect(call: ServedCall, location: string): Promise<void> {
  call.inputTokens = 0
  redirectCall(call, location)
  return Promise.resolve()
}

async function silence(call: ServedCall): Promise<void> {
  await call.silence()
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
