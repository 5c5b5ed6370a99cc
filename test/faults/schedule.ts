import type { Knobs } from '../../infra/model-host/model-host.ts'
import { seeded } from '../support/seeded.ts'

export const slots = 3
/** An instance that is silent for so long is taken for dead; the shortest there is, so that a schedule is short. */
export const leaseSeconds = 1

/** What goes wrong. A fault with a duration is mended by the runner when it is over. */
export type Fault =
  /** `kill -9`, and a new process in its place. */
  | { readonly kind: 'gateway killed'; readonly slot: number }
  /** SIGTERM, and a new process when it has ended. */
  | { readonly kind: 'gateway replaced'; readonly slot: number }
  /** SIGSTOP, SIGCONT: a machine that swaps, a debugger, a virtual machine that is moved. */
  | { readonly kind: 'gateway asleep'; readonly slot: number; readonly forMs: number }
  /** The process's wall clock jumps. */
  | { readonly kind: 'clock stepped'; readonly slot: number; readonly byMs: number; readonly forMs: number }
  /** The whole server by SIGKILL, and its recovery. */
  | { readonly kind: 'database killed'; readonly forMs: number }
  /** One of its processes, as the kernel does when memory is short; all are thrown out, and it recovers. */
  | { readonly kind: 'database process killed' }
  | { readonly kind: 'database asleep'; readonly forMs: number }
  | { readonly kind: 'database out of connections'; readonly max: number; readonly forMs: number }
  /** Writes to the ledger wait for a lock. */
  | { readonly kind: 'database locked'; readonly forMs: number }
  | { readonly kind: 'database unreachable'; readonly slot: number | 'all'; readonly forMs: number }
  /** What is asked is done, and its answers never come: the connections break afterwards, or they come late. */
  | {
      readonly kind: 'database unheard'
      readonly slot: number | 'all'
      readonly what: 'everything' | 'answers'
      readonly forMs: number
      readonly breaks: boolean
    }
  | { readonly kind: 'database far'; readonly slot: number | 'all'; readonly delayMs: number; readonly forMs: number }
  | { readonly kind: 'host unreachable'; readonly way: Way | 'all'; readonly forMs: number }
  | { readonly kind: 'host unheard'; readonly way: Way | 'all'; readonly forMs: number; readonly breaks: boolean }
  | { readonly kind: 'host far'; readonly way: Way | 'all'; readonly delayMs: number; readonly forMs: number }
  | { readonly kind: 'host misbehaves'; readonly knobs: Partial<Knobs>; readonly forMs: number }

export type Way = 'east' | 'west'

export interface Schedule {
  readonly seed: number
  readonly steps: readonly { readonly atMs: number; readonly fault: Fault }[]
  /** How long callers call. */
  readonly loadMs: number
  readonly callers: number
  /** Tokens that the tenant with the tight budget may use in this schedule. */
  readonly tightTokens: number
}

const faultsMax = 3

/** The schedule of a seed: always the same. What the machine does between its steps is not. */
export function scheduleOf(seed: number): Schedule {
  const random = seeded(seed * 7_919 + 17)
  const whole = (from: number, to: number) => from + Math.floor(random() * (to - from + 1))
  const steps = Array.from({ length: whole(1, faultsMax) }, () => ({
    atMs: whole(20, 500),
    fault: faultOf(random),
  })).toSorted((a, b) => a.atMs - b.atMs)
  const endMs = Math.max(...steps.map(({ atMs, fault }) => atMs + ('forMs' in fault ? fault.forMs : 0)))
  return { seed, steps, loadMs: endMs + 250, callers: whole(4, 14), tightTokens: whole(500, 20_000) }
}

/** Whether the host is told to say something else than what it served. */
export const mayLie = (schedule: Schedule): boolean =>
  schedule.steps.some(({ fault }) => fault.kind === 'host misbehaves' && fault.knobs.usage !== undefined)

function faultOf(random: () => number): Fault {
  const whole = (from: number, to: number) => from + Math.floor(random() * (to - from + 1))
  const oneOf = <T>(all: readonly [T, ...T[]]): T => all[Math.floor(random() * all.length)] ?? all[0]
  // Mostly a moment; at times longer than a lease, so that whoever sleeps or is cut off is taken for dead.
  const duration = () => (random() < 0.85 ? whole(20, 500) : whole(900, 1_800))
  const slot = () => whole(0, slots - 1)
  const slotOrAll = () => (random() < 0.6 ? slot() : 'all')
  const way = () => oneOf<Way | 'all'>(['east', 'west', 'all'])
  const kinds: readonly [() => Fault, ...(() => Fault)[]] = [
    () => ({ kind: 'gateway killed', slot: slot() }),
    () => ({ kind: 'gateway killed', slot: slot() }),
    () => ({ kind: 'gateway replaced', slot: slot() }),
    () => ({ kind: 'gateway asleep', slot: slot(), forMs: duration() }),
    () => ({ kind: 'clock stepped', slot: slot(), byMs: oneOf([-1, 1]) * whole(50, 864_000_000), forMs: duration() }),
    () => ({ kind: 'database killed', forMs: whole(0, 300) }),
    () => ({ kind: 'database process killed' }),
    () => ({ kind: 'database asleep', forMs: duration() }),
    () => ({ kind: 'database out of connections', max: whole(0, 6), forMs: duration() }),
    () => ({ kind: 'database locked', forMs: duration() }),
    () => ({ kind: 'database unreachable', slot: slotOrAll(), forMs: duration() }),
    () => ({
      kind: 'database unheard',
      slot: slotOrAll(),
      what: oneOf(['answers', 'everything']),
      forMs: duration(),
      breaks: random() < 0.6,
    }),
    () => ({ kind: 'database far', slot: slotOrAll(), delayMs: whole(5, 120), forMs: duration() }),
    () => ({ kind: 'host unreachable', way: way(), forMs: whole(20, 500) }),
    () => ({ kind: 'host unheard', way: way(), forMs: duration(), breaks: random() < 0.5 }),
    () => ({ kind: 'host far', way: way(), delayMs: whole(5, 150), forMs: duration() }),
    () => ({ kind: 'host misbehaves', knobs: mischief(oneOf, whole), forMs: whole(100, 600) }),
    () => ({ kind: 'host misbehaves', knobs: mischief(oneOf, whole), forMs: whole(100, 600) }),
  ]
  return oneOf(kinds)()
}

function mischief(
  oneOf: <T>(all: readonly [T, ...T[]]) => T,
  whole: (from: number, to: number) => number,
): Partial<Knobs> {
  return oneOf<Partial<Knobs>>([
    { usage: 'absent' },
    { usage: 'zero' },
    { usage: 'negative' },
    { usage: 'huge' },
    { usage: 'null' },
    { usage: 'everyChunk' },
    { ignoreCap: true, chunks: 60 },
    { stallAfterChunks: whole(0, 9) },
    { stallBeforeHeaders: true },
    { closeBeforeHeaders: true },
    { closeAfterChunks: whole(0, 9) },
    { errorEventAfterChunks: whole(0, 9) },
    { malformedAfterChunks: whole(0, 9) },
    { status: oneOf([500, 502, 503, 429]), statusTimes: whole(1, 40) },
    { splitBytes: whole(1, 7) },
    { crlf: true, comments: true },
    { firstTokenMs: whole(50, 300) },
  ])
}

/** A schedule as a person reads it, with how to run it again. */
export function describe(schedule: Schedule): string {
  const lines = schedule.steps.map(({ atMs, fault: { kind, ...details } }) => {
    const said = Object.entries(details).map(([name, value]) => `${name} ${JSON.stringify(value)}`)
    return `  at ${String(atMs).padStart(4)} ms  ${[kind, ...said].join(', ')}`
  })
  return [
    `seed ${schedule.seed}: ${schedule.callers} callers for ${schedule.loadMs} ms, ${schedule.tightTokens} tokens for prairie`,
    ...lines,
    `  again: FIRST_SEED=${schedule.seed} SCHEDULES=1 npx vitest run test/faults/schedules.test.ts`,
  ].join('\n')
}
