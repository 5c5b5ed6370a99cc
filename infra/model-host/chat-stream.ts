import type { ChatAnswer } from './chat-answer.ts'
import type { ChatAsked } from './chat-request.ts'
import { openEventWriter, type EventWriter } from './event-writer.ts'
import { faultAfter } from './faults.ts'
import { errorEvent } from './http-answers.ts'
import { pauseBefore } from './pace.ts'
import { reportedUsage } from './reported-usage.ts'
import type { ServedCall } from './served-call.ts'

/**
 * Streams an answer: for each choice a chunk with the role, the pieces of all choices in turn, a chunk with the finish
 * reason, then the usage chunk if it was asked for, then `[DONE]`. A fault is due after its number of content chunks.
 */
export async function streamChat(call: ServedCall, asked: ChatAsked, answer: ChatAnswer, id: string): Promise<void> {
  call.response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' })
  const events = openEventWriter(call)
  const chunk = chunkWriter(call, asked, id)

  for (let choice = 0; choice < asked.choices; choice++) {
    if (!(await events.event(chunk(choice, '{"role":"assistant","content":""}', null)))) return
  }
  if (await faultEnds(call, events)) return
  for (let index = 0; index < answer.deltas.length; index++) {
    if (index > 0 && !(await pauseFor(index, call))) return
    for (let choice = 0; choice < asked.choices; choice++) {
      // Counted first: the chunk may report it, and once written it may have been read.
      call.sentChunks += 1
      call.outputTokens += 1
      const written = events.event(chunk(choice, answer.deltas[index] ?? '{}', null))
      if (written !== true && !(await written)) return
      if (faultAfter(call) !== null && (await faultEnds(call, events))) return
    }
  }
  call.outputTokens = call.knobs.completionTokens ?? call.outputTokens
  for (let choice = 0; choice < asked.choices; choice++) {
    if (!(await events.event(chunk(choice, '{}', answer.finishReason)))) return
  }
  const usage = asked.includeUsage ? reportedUsage(call.knobs, call.inputTokens, call.outputTokens) : null
  if (usage !== null && !(await events.event(`${chunkHead(call, asked, id)}"choices":[],"usage":${usage}}`))) return
  await events.end('[DONE]', 'complete')
}

function pauseFor(index: number, call: ServedCall): true | Promise<boolean> {
  const milliseconds = pauseBefore(index, call.knobs)
  return milliseconds === 0 && !call.gone ? true : call.pause(milliseconds)
}

/** Does what a fault that is due does. True when the answer is over with it. */
async function faultEnds(call: ServedCall, events: EventWriter): Promise<boolean> {
  const fault = faultAfter(call)
  if (fault === null) return false
  if (fault === 'malformed') return !(await events.event('{"choices":[{"index":0,"delta":{"content":"brok'))
  if (fault === 'error') {
    await events.event(errorEvent)
    await events.end(null, 'error')
  } else if (await events.flush()) {
    if (fault === 'close') call.cut('cut')
    else await call.silence()
  }
  return true
}

/** Everything in a chunk that does not change is made once per stream. */
function chunkWriter(call: ServedCall, asked: ChatAsked, id: string) {
  const head = `${chunkHead(call, asked, id)}"choices":[{"index":`
  const { usage } = call.knobs
  // OpenAI sends `usage: null` in ordinary chunks when the caller asked for usage; vLLM can send it cumulatively.
  const constantTail = usage === 'null' || (asked.includeUsage && usage !== 'absent') ? ',"usage":null}' : '}'
  return (choice: number, delta: string, finishReason: string | null): string => {
    const tail =
      usage === 'everyChunk'
        ? `,"usage":${reportedUsage(call.knobs, call.inputTokens, call.outputTokens)}}`
        : constantTail
    const reason = finishReason === null ? 'null' : `"${finishReason}"`
    return `${head}${choice},"delta":${delta},"logprobs":null,"finish_reason":${reason}}]${tail}`
  }
}

function chunkHead(call: ServedCall, asked: ChatAsked, id: string): string {
  const created = Math.floor(call.startedAt / 1000)
  return `{"id":"${id}","object":"chat.completion.chunk","created":${created},"model":${JSON.stringify(asked.model)},"system_fingerprint":"fp_stand_in",`
}
