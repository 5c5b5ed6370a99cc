import { z } from 'zod'

const milliseconds = z.number().min(0).max(600_000)
const count = z.number().int().min(0).max(1_000_000)
const tokens = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)

const scriptWrite = z.strictObject({
  delayMs: milliseconds.optional(),
  text: z.string().optional(),
  base64: z.base64().optional(),
})

const knobsSchema = z.strictObject({
  // How the answer is paced and what it says.
  firstTokenMs: milliseconds,
  chunkMs: milliseconds.nullable(),
  chunks: count.nullable(),
  text: z.string().max(1_000_000).nullable(),
  ignoreCap: z.boolean(),
  // Faults before the answer.
  status: z.number().int().min(400).max(599).nullable(),
  statusTimes: count.nullable(),
  retryAfterSeconds: z.number().min(0).max(86_400).nullable(),
  redirectTo: z.url().nullable(),
  stallBeforeHeaders: z.boolean(),
  closeBeforeHeaders: z.boolean(),
  refuseConnections: z.union([z.boolean(), count]),
  ready: z.boolean(),
  // Faults inside the answer, after so many content chunks.
  stallAfterChunks: count.nullable(),
  closeAfterChunks: count.nullable(),
  errorEventAfterChunks: count.nullable(),
  malformedAfterChunks: count.nullable(),
  // What the answer claims to have used.
  usage: z.enum(['honest', 'absent', 'zero', 'negative', 'everyChunk', 'huge', 'null']),
  promptTokens: tokens.nullable(),
  completionTokens: tokens.nullable(),
  // How the events are put on the wire.
  crlf: z.boolean(),
  comments: z.boolean(),
  splitBytes: z.number().int().min(1).max(1_000_000).nullable(),
  script: z.array(scriptWrite).max(10_000).nullable(),
  scriptEnd: z.enum(['close', 'destroy', 'stall']),
})

/** How the host behaves. The README's table says what each one does; null is "off". */
export type Knobs = z.infer<typeof knobsSchema>
export type ScriptWrite = z.infer<typeof scriptWrite>

export const defaultKnobs: Knobs = {
  firstTokenMs: 20,
  chunkMs: null,
  chunks: null,
  text: null,
  ignoreCap: false,
  status: null,
  statusTimes: null,
  retryAfterSeconds: null,
  redirectTo: null,
  stallBeforeHeaders: false,
  closeBeforeHeaders: false,
  refuseConnections: false,
  ready: true,
  stallAfterChunks: null,
  closeAfterChunks: null,
  errorEventAfterChunks: null,
  malformedAfterChunks: null,
  usage: 'honest',
  promptTokens: null,
  completionTokens: null,
  crlf: false,
  comments: false,
  splitBytes: null,
  script: null,
  scriptEnd: 'close',
}

export type KnobsReading = { ok: true; knobs: Knobs } | { ok: false; message: string }

/** Lays a stranger's patch over the knobs as they are. Nothing changes when any of it is wrong. */
export function turnKnobs(knobs: Knobs, patch: unknown): KnobsReading {
  const fields = z.record(z.string(), z.unknown()).safeParse(patch)
  if (!fields.success) return { ok: false, message: 'knobs must be a JSON object' }
  const unknown = Object.keys(fields.data).filter((name) => !(name in defaultKnobs))
  if (unknown.length > 0) {
    return {
      ok: false,
      message: `unknown knob ${unknown.join(', ')}; the knobs are ${Object.keys(defaultKnobs).join(', ')}`,
    }
  }
  const read = knobsSchema.safeParse({ ...knobs, ...fields.data })
  if (!read.success) return { ok: false, message: z.prettifyError(read.error) }
  return { ok: true, knobs: read.data }
}

/** The knobs of one running host: what the process was given, what was turned since, what one request asks for. */
export type KnobBoard = {
  current(): Knobs
  turn(patch: unknown): KnobsReading
  reset(): void
  /** The knobs one model call is served with. Spends one of `statusTimes`. */
  forCall(header: string | null): KnobsReading
  /** Whether the connection just accepted is to be closed. Spends one when the knob is a number. */
  refusesConnection(): boolean
}

export function openKnobBoard(initial: Knobs): KnobBoard {
  let current = initial
  return {
    current: () => current,
    turn(patch) {
      const read = turnKnobs(current, patch)
      if (read.ok) current = read.knobs
      return read
    },
    reset() {
      current = initial
    },
    forCall(header) {
      const shared = current
      current = spendStatus(current)
      const served = shared.statusTimes === 0 ? { ...shared, status: null } : shared
      if (header === null) return { ok: true, knobs: served }
      const patch = parseJson(header)
      return patch === undefined
        ? { ok: false, message: 'x-host-knobs must be a JSON object' }
        : turnKnobs(served, patch)
    },
    refusesConnection() {
      const refused = current.refuseConnections
      if (typeof refused === 'boolean') return refused
      if (refused === 0) return false
      current = { ...current, refuseConnections: refused - 1 }
      return true
    },
  }
}

function spendStatus(knobs: Knobs): Knobs {
  if (knobs.status === null || knobs.statusTimes === null || knobs.statusTimes === 0) return knobs
  return { ...knobs, statusTimes: knobs.statusTimes - 1 }
}

/** JSON or undefined, which JSON cannot say. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
