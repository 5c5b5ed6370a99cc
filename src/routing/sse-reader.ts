import { readUsage, type Delivered, type ReportedUsage } from './usage.ts'

/** An event may be this long; a host that sends more without an end of event is cut off. */
export const eventBytesMax = 4 * 1024 * 1024

const lf = 0x0a
const cr = 0x0d
const backslash = 0x5c
const decoder = new TextDecoder('latin1')

/**
 * Reads a stream of server-sent events (WHATWG HTML, section 9.2) on its way to the caller. Whole events pass byte for
 * byte as they came; only three things are ever kept back: the end of an event that has not come yet, the usage chunk
 * that the caller did not ask for, and `[DONE]`, which leaves after the call stands in the ledger.
 *
 * The bytes are looked at as latin1: every character that matters is ASCII, and an escaped quote inside content can
 * not look like a key.
 */
export class SseReader {
  /** The last usage of the host's that can be read and is a possible one: no zero for what was delivered. */
  reported: ReportedUsage | undefined
  /** `[DONE]` was seen. What comes after it is nobody's. */
  done = false
  /** The host sent an error event. It is not passed on: inside words stay inside. */
  hostError = false
  /** Choices that were given a finish reason. */
  finishedChoices = 0
  overflowed = false

  readonly #keepUsageChunk: boolean
  #pieces = 0
  #bytes = 0
  /** The beginning of an event that has not ended. */
  #held: Uint8Array[] = []
  #heldBytes = 0
  #lineBytes = 0
  #afterCr = false
  /** The line before ended in a CR without a LF. A stream of such lines is not kept waiting for one. */
  #loneCr = false
  /** The held event is whole but for the LF that may follow its last CR. */
  #lfMayFollow = false
  #tail: Uint8Array | undefined

  constructor(options: { keepUsageChunk: boolean }) {
    this.#keepUsageChunk = options.keepUsageChunk
  }

  get delivered(): Delivered {
    return { pieces: this.#pieces, bytes: this.#bytes }
  }

  /** The `[DONE]` event as it came. */
  get tail(): Uint8Array | undefined {
    return this.#tail
  }

  /** Takes what came and returns what may leave now, in order: views of the bytes that came, or copies of held ones. */
  feed(chunk: Uint8Array): readonly Uint8Array[] {
    const leaving: Uint8Array[] = []
    let eventStart = 0
    // Where the bytes begin that may leave and have not been put on the list.
    let leavingStart = 0
    if (this.#lfMayFollow && chunk.length > 0) {
      this.#lfMayFollow = false
      if (chunk[0] === lf) {
        eventStart = leavingStart = 1
        this.#afterCr = this.#loneCr = false
      }
      const event = this.#whole(chunk.subarray(0, eventStart))
      const verdict = this.#judge(event)
      if (verdict === 'end') return leaving
      if (verdict === 'pass') leaving.push(event)
    }
    const hasCr = chunk.includes(cr)
    for (let i = eventStart; i < chunk.length; i++) {
      const byte = chunk[i]
      if (byte !== lf && byte !== cr) {
        const lineEnd = hasCr ? i + 1 : endOfLine(chunk, i)
        this.#lineBytes += lineEnd - i
        this.#afterCr = false
        i = lineEnd - 1
        continue
      }
      if (byte === lf && this.#afterCr) {
        // The second half of a CR LF: the line has already ended.
        this.#afterCr = this.#loneCr = false
        continue
      }
      const wasLoneCr = this.#loneCr
      this.#afterCr = this.#loneCr = byte === cr
      if (this.#lineBytes > 0) {
        this.#lineBytes = 0
        continue
      }
      // An empty line ends the event. A line feed that belongs to it goes with it: the caller's bytes are the same
      // wherever the host's packets end.
      if (byte === cr && chunk[i + 1] === lf) {
        i++
        this.#afterCr = this.#loneCr = false
      } else if (byte === cr && i + 1 === chunk.length && !wasLoneCr) {
        this.#lfMayFollow = true
        break
      }
      const wasHeld = this.#heldBytes > 0
      const event = this.#whole(chunk.subarray(eventStart, i + 1))
      const verdict = this.#judge(event)
      if (verdict !== 'pass' || wasHeld) {
        if (eventStart > leavingStart) leaving.push(chunk.subarray(leavingStart, eventStart))
        if (verdict === 'pass') leaving.push(event)
        leavingStart = i + 1
      }
      eventStart = i + 1
      if (verdict === 'end') return leaving
    }
    if (eventStart > leavingStart) leaving.push(chunk.subarray(leavingStart, eventStart))
    this.#hold(chunk.subarray(eventStart))
    return leaving
  }

  /** The host has ended. An event without its empty line is judged like any other. */
  end(): readonly Uint8Array[] {
    if (this.#heldBytes === 0 || this.done || this.hostError) return []
    const event = this.#whole(new Uint8Array(0))
    return this.#judge(event) === 'pass' ? [event] : []
  }

  #whole(ending: Uint8Array): Uint8Array {
    if (this.#heldBytes === 0) return ending
    const event = new Uint8Array(this.#heldBytes + ending.length)
    let at = 0
    for (const part of this.#held) {
      event.set(part, at)
      at += part.length
    }
    event.set(ending, at)
    this.#held = []
    this.#heldBytes = 0
    return event
  }

  #hold(part: Uint8Array): void {
    if (part.length === 0) return
    this.#held.push(part)
    this.#heldBytes += part.length
    if (this.#heldBytes > eventBytesMax) this.overflowed = true
  }

  #judge(event: Uint8Array): 'pass' | 'drop' | 'end' {
    const text = decoder.decode(event)
    if (text.includes('[DONE]') && dataOf(text).trim() === '[DONE]') {
      this.done = true
      this.#tail = event
      return 'end'
    }
    if (text.includes('error') && isErrorEvent(text)) {
      this.hostError = true
      return 'end'
    }
    // Counted first: whether zero is a possible output depends on what was delivered until here.
    this.#count(text)
    const usageOnly = hasUsage(text) && this.#readUsage(text)
    return usageOnly && !this.#keepUsageChunk ? 'drop' : 'pass'
  }

  /** Returns whether the event is the extra chunk that carries usage and nothing else. */
  #readUsage(text: string): boolean {
    const chunk = parse(dataOf(text))
    if (typeof chunk !== 'object' || chunk === null || !('usage' in chunk) || chunk.usage === null) return false
    const usage = readUsage(chunk.usage)
    if (usage !== undefined && (usage.outputTokens > 0 || this.#bytes === 0)) this.reported = usage
    return 'choices' in chunk && Array.isArray(chunk.choices) && chunk.choices.length === 0
  }

  #count(text: string): void {
    const bytes = contentBytes(text)
    if (bytes > 0) {
      this.#pieces++
      this.#bytes += bytes
    }
    this.finishedChoices += text.match(finishPattern)?.length ?? 0
  }
}

/** What a model says, in the places where hosts put it: text, reasoning, refusals, the name and arguments of a tool. */
const contentStart = /"(?:content|reasoning_content|reasoning|refusal|arguments|name)"\s*:\s*"/g

/** Bytes of content in JSON text, escapes included. The text itself is no regex's: it may be longer than their stack. */
export function contentBytes(text: string): number {
  let bytes = 0
  contentStart.lastIndex = 0
  while (contentStart.test(text)) {
    const start = contentStart.lastIndex
    let end = text.indexOf('"', start)
    while (end !== -1 && isEscaped(text, end, start)) end = text.indexOf('"', end + 1)
    if (end === -1) break
    bytes += end - start
    contentStart.lastIndex = end + 1
  }
  return bytes
}

/** Whether an odd number of backslashes stands before a place in a string that begins at `start`. */
function isEscaped(text: string, at: number, start: number): boolean {
  let before = at
  while (before > start && text.charCodeAt(before - 1) === backslash) before--
  return (at - before) % 2 === 1
}

const finishPattern = /"finish_reason"\s*:\s*"/g

/** Whether there may be a usage to read: hosts write `"usage":null` into every chunk, which is none. */
const hasUsage = (text: string): boolean => {
  const at = text.indexOf('"usage"')
  return at !== -1 && (!text.startsWith('"usage":null', at) || text.includes('"usage"', at + 7))
}

/** Where the line that goes on at `from` ends, in bytes without a CR. Lines are long: the search is the engine's own. */
function endOfLine(chunk: Uint8Array, from: number): number {
  const at = chunk.indexOf(lf, from)
  return at === -1 ? chunk.length : at
}

/** The event's data: its `data:` lines without the name and one space, joined by line feeds. */
function dataOf(text: string): string {
  const lines: string[] = []
  for (const line of text.split(/\r\n|\r|\n/)) {
    // A byte order mark may stand before the very first line; here it is three latin1 characters.
    const field = line.startsWith('\u00ef\u00bb\u00bf') ? line.slice(3) : line
    if (field.startsWith('data:')) lines.push(field.startsWith('data: ') ? field.slice(6) : field.slice(5))
  }
  return lines.join('\n')
}

function isErrorEvent(text: string): boolean {
  if (/(?:^|[\r\n])event: ?error[ \t]*(?:[\r\n]|$)/.test(text)) return true
  if (!text.includes('"error"')) return false
  const chunk = parse(dataOf(text))
  return typeof chunk === 'object' && chunk !== null && 'error' in chunk && chunk.error !== null
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
