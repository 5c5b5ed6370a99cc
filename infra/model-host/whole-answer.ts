import { errorEvent } from './http-answers.ts'
import type { ServedCall } from './served-call.ts'

/**
 * Sends an answer that is not streamed. The faults "after so many chunks" have a meaning here too: a cut or a stall
 * comes after half the body, an error event becomes the body of a 200, and malformed JSON lacks its end.
 */
export async function sendWhole(call: ServedCall, body: string): Promise<void> {
  const { knobs } = call
  if (knobs.errorEventAfterChunks !== null) return endWhole(call, errorEvent, 'error')
  if (knobs.malformedAfterChunks !== null) return endWhole(call, body.slice(0, -2), 'complete')
  if (knobs.closeAfterChunks === null && knobs.stallAfterChunks === null) return endWhole(call, body, 'complete')

  call.response.writeHead(200, headersFor(body))
  call.write(Buffer.from(body).subarray(0, body.length / 2))
  if (knobs.closeAfterChunks !== null) call.cut('cut')
  else await call.silence()
}

function endWhole(call: ServedCall, body: string, outcome: 'complete' | 'error'): void {
  call.response.writeHead(200, headersFor(body))
  call.sentChunks = outcome === 'complete' ? 1 : 0
  call.end(body, outcome)
}

function headersFor(body: string): Record<string, string | number> {
  return { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
}
