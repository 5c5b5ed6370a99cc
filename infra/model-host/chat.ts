import { planAnswer, type ChatAnswer } from './chat-answer.ts'
import { readChatRequest, type ChatAsked } from './chat-request.ts'
import { streamChat } from './chat-stream.ts'
import { faultInstead } from './faults.ts'
import { refuseCall } from './http-answers.ts'
import { pauseBefore } from './pace.ts'
import { reportedUsage } from './reported-usage.ts'
import type { ServedCall } from './served-call.ts'
import { sendWhole } from './whole-answer.ts'

/** `POST /v1/chat/completions`. */
export async function serveChat(call: ServedCall): Promise<void> {
  const read = readChatRequest(call.body, call.bodyBytes)
  if (!read.ok) return refuseCall(call, 400, read.message)
  const { asked } = read
  call.model = asked.model
  call.user = asked.user
  call.maxTokens = asked.maxTokens
  call.inputTokens = call.knobs.promptTokens ?? asked.promptTokens
  const fault = faultInstead(call)
  if (fault !== null) return fault

  const answer = planAnswer(asked, call.knobs)
  if (call.knobs.firstTokenMs > 0 && !(await call.pause(call.knobs.firstTokenMs))) return
  if (asked.stream) return streamChat(call, asked, answer, nextId())
  if (call.knobs.chunkMs !== 0 && !(await generate(call, asked, answer))) return
  call.outputTokens = call.knobs.completionTokens ?? answer.deltas.length * asked.choices
  return sendWhole(call, wholeAnswer(call, asked, answer))
}

/**
 * Takes the time a stream of the same answer would take, token by token, so that a caller who leaves in the middle
 * finds in the host's log what was generated for nothing: the host bills it.
 */
async function generate(call: ServedCall, asked: ChatAsked, answer: ChatAnswer): Promise<boolean> {
  for (let index = 1; index < answer.deltas.length; index++) {
    call.outputTokens = index * asked.choices
    if (!(await call.pause(pauseBefore(index, call.knobs)))) return false
  }
  return true
}

let answered = 0

/** An id as OpenAI's look, unique in this process. */
function nextId(): string {
  answered += 1
  return `chatcmpl-standin${answered.toString(36).padStart(8, '0')}`
}

function wholeAnswer(call: ServedCall, asked: ChatAsked, answer: ChatAnswer): string {
  const usage = reportedUsage(call.knobs, call.inputTokens, call.outputTokens)
  let choices = ''
  for (let index = 0; index < asked.choices; index++) {
    choices += `${index === 0 ? '' : ','}{"index":${index},"message":${answer.message},"logprobs":null,"finish_reason":"${answer.finishReason}"}`
  }
  const created = Math.floor(call.startedAt / 1000)
  return `{"id":"${nextId()}","object":"chat.completion","created":${created},"model":${JSON.stringify(asked.model)},"choices":[${choices}]${
    usage === null ? '' : `,"usage":${usage}`
  },"system_fingerprint":"fp_stand_in"}`
}
