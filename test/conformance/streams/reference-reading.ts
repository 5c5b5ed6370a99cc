import { z } from 'zod'
import { upstreamBytes, type StreamCase, type StreamExpectation } from './load-corpus.ts'

/** What a case expects, and the very bytes its caller gets when it is answered. */
export type ReferenceReading = StreamExpectation & { callerBytes: Buffer }

/**
 * Reads a case the slow and simple way: all bytes at once, as text, line by line. It shares nothing with the gateway, so
 * that the two agree only when both follow the rules. Bytes after a failure are not foretold: `callerBytes` ends there.
 */
export function readByReference(streamCase: StreamCase): ReferenceReading {
  const upstream = upstreamBytes(streamCase)
  const reading: Reading = {
    passed: '',
    text: '',
    anythingDelivered: false,
    usage: null,
    usageChunkDelivered: false,
    choices: new Map(),
    failed: false,
    done: false,
  }
  for (const event of eventsOf(upstream.toString())) {
    const ending = readEvent(reading, event, streamCase.callerAskedForUsage)
    if (ending === 'error') break
    if (ending !== 'removed') reading.passed += event.raw
    if (ending === 'done') break
  }
  const outcome = outcomeOf(reading, streamCase.end)
  const callerBytes = Buffer.from(reading.passed)
  return {
    outcome,
    ...(reading.usage === null
      ? { usageSource: 'estimated' }
      : { usageSource: 'host', inputTokens: reading.usage.input, outputTokens: reading.usage.output }),
    deliveredText: reading.text,
    usageChunkDelivered: reading.usageChunkDelivered,
    done: reading.done,
    bytesEqual: outcome === 'answered' && callerBytes.equals(upstream),
    callerBytes,
  }
}

type Reading = {
  passed: string
  text: string
  anythingDelivered: boolean
  usage: { input: number; output: number } | null
  usageChunkDelivered: boolean
  choices: Map<number, { finished: boolean }>
  failed: boolean
  done: boolean
}

type Event = { raw: string; data: string | null }

/** Events with every character that belongs to them, line ends included; last, what no blank line ended. */
function eventsOf(text: string): Event[] {
  const events: Event[] = []
  let raw = ''
  let data: string[] = []
  for (const [line, content = '', ending = ''] of text.matchAll(/([^\r\n]*)(\r\n|\n|\r|$)/gu)) {
    raw += line
    const field = raw === line && events.length === 0 ? content.replace(/^\u{feff}/u, '') : content
    if (field === 'data') data.push('')
    if (field.startsWith('data:')) data.push(field.slice(5).replace(/^ /u, ''))
    if (content !== '' || ending === '') continue
    events.push({ raw, data: data.length === 0 ? null : data.join('\n') })
    raw = ''
    data = []
  }
  if (raw !== '') events.push({ raw, data: null })
  return events
}

const chunk = z.object({
  choices: z.array(
    z.object({
      index: z.number().default(0),
      delta: z.record(z.string(), z.unknown()).nullish(),
      finish_reason: z.string().nullish(),
    }),
  ),
  usage: z.record(z.string(), z.unknown()).nullish(),
})

const failure = z.object({ error: z.union([z.string(), z.record(z.string(), z.unknown())]) })

const validUsage = z.object({ prompt_tokens: z.number().int().min(0), completion_tokens: z.number().int().min(0) })

function readEvent(reading: Reading, event: Event, askedForUsage: boolean): 'passed' | 'removed' | 'done' | 'error' {
  if (event.data === null) return 'passed'
  if (event.data.trim() === '[DONE]') {
    reading.done = true
    return 'done'
  }
  const json = jsonOf(event.data)
  if (failure.safeParse(json).success) {
    reading.failed = true
    return 'error'
  }
  const read = chunk.safeParse(json)
  if (!read.success) return 'passed'
  for (const choice of read.data.choices) readChoice(reading, choice)
  const { usage } = read.data
  if (usage === null || usage === undefined) return 'passed'
  const valid = validUsage.safeParse(usage)
  if (valid.success && (valid.data.completion_tokens > 0 || !reading.anythingDelivered)) {
    reading.usage = { input: valid.data.prompt_tokens, output: valid.data.completion_tokens }
  }
  if (read.data.choices.length > 0) return 'passed'
  if (askedForUsage) reading.usageChunkDelivered = true
  return askedForUsage ? 'passed' : 'removed'
}

function readChoice(reading: Reading, choice: z.infer<typeof chunk>['choices'][number]): void {
  const known = reading.choices.get(choice.index) ?? { finished: false }
  reading.choices.set(choice.index, known)
  if (typeof choice.finish_reason === 'string') known.finished = true
  const { role: _, ...delivered } = choice.delta ?? {}
  if (typeof delivered['content'] === 'string') reading.text += delivered['content']
  if (Object.values(delivered).some((value) => value !== null && value !== '')) reading.anythingDelivered = true
}

function outcomeOf(reading: Reading, end: StreamCase['end']): StreamExpectation['outcome'] {
  if (reading.failed) return 'host_error'
  if (reading.done) return 'answered'
  if (end === 'stall') return 'host_timeout'
  const finished = reading.choices.size > 0 && [...reading.choices.values()].every((choice) => choice.finished)
  return finished && end === 'close' ? 'answered' : 'host_closed'
}

function jsonOf(data: string): unknown {
  try {
    return JSON.parse(data)
  } catch {
    return undefined
  }
}
