import type { Knobs } from '../model-host/knobs.ts'
import type { BenchOptions } from './options.ts'

/** One line of questions: the same calls at each of the systems. */
export interface Scenario {
  /** What `--only` looks in: `whole-0ms-c64-w1`. */
  readonly name: string
  readonly title: string
  readonly streamed: boolean
  readonly knobs: Partial<Knobs>
  readonly connections: number
  /** Processes of the gateway, and of each pass-through. */
  readonly workers: number
}

interface Profile {
  readonly name: string
  readonly title: string
  readonly firstTokenMs: number
  readonly chunkMs: number | null
}

/** What a model host does to time. Waiting for one is free for a gateway; its answers in pieces are not. */
const profiles = {
  immediate: { name: '0ms', title: 'immediate host', firstTokenMs: 0, chunkMs: 0 },
  waiting: { name: '20ms', title: '20 ms to the first token', firstTokenMs: 20, chunkMs: 0 },
  paced: {
    name: 'paced',
    title: '20 ms to the first token, then 0, 1, 2 ms between chunks',
    firstTokenMs: 20,
    chunkMs: null,
  },
  /** A stream of two thirds of a second: what counts is how many are open at once. */
  sustained: {
    name: 'sustained',
    title: '20 ms to the first token, 10 ms between chunks',
    firstTokenMs: 20,
    chunkMs: 10,
  },
} satisfies Record<string, Profile>

const wholeAnswer = {
  /** A chat completion of 2 KB. */
  text: 'Confirm by echocardiography before anything is changed. '.repeat(29),
  chunks: null,
}
const streamedAnswer = { text: wholeAnswer.text, chunks: 64 }

/**
 * What this run measures, in the order of the table.
 * @throws TypeError when nothing is called as it was asked for.
 */
export function scenariosOf(options: BenchOptions): readonly Scenario[] {
  const { immediate, waiting, paced, sustained } = profiles
  const { size } = options
  const more = size === 'all' ? [256] : []
  const cores = options.workers ?? options.cores
  const one = options.workers ?? 1
  const all = [
    ...[1, 16, 64, ...more].map((connections) => scenario(immediate, 'whole', connections, one)),
    ...[1, 16, 64, ...more].map((connections) => scenario(immediate, 'stream', connections, one)),
    ...(size === 'quick' ? [] : [16]).map((connections) => scenario(waiting, 'whole', connections, one)),
    ...(size === 'quick' ? [16] : [1, 16, 64, ...more]).map((connections) =>
      scenario(waiting, 'stream', connections, one),
    ),
    ...(size === 'quick' ? [] : [16]).map((connections) => scenario(paced, 'stream', connections, one)),
    ...(size === 'all' ? [256, 512] : []).map((connections) => scenario(sustained, 'stream', connections, one)),
    ...[64, ...more].map((connections) => scenario(immediate, 'whole', connections, cores)),
    ...(size === 'quick' ? [] : [64, ...more]).map((connections) => scenario(immediate, 'stream', connections, cores)),
  ]
  const distinct = new Map(all.map((each) => [each.name, each]))
  const chosen = [...distinct.values()].filter(({ name }) => name.includes(options.only))
  if (chosen.length === 0) throw new TypeError(`--only ${options.only}: none of ${[...distinct.keys()].join(', ')}`)
  return chosen
}

/** What a system is warmed with. */
export const warmScenario = ({ streamed, workers }: Pick<Scenario, 'streamed' | 'workers'>): Scenario =>
  scenario(profiles.immediate, streamed ? 'stream' : 'whole', 64, workers)

function scenario(profile: Profile, kind: 'whole' | 'stream', connections: number, workers: number): Scenario {
  const { firstTokenMs, chunkMs } = profile
  const streamed = kind === 'stream'
  const what = streamed ? 'streams of 64 chunks' : '2 KB to 2 KB'
  const many = connections === 1 ? '1 connection' : `${connections} connections`
  return {
    name: `${kind}-${profile.name}-c${connections}-w${workers}`,
    title: `${what}, ${profile.title}, ${many}, ${workers} ${workers === 1 ? 'process' : 'processes'}`,
    streamed,
    // An answer of 1,600 characters is no stream: its pace would be waited for as a whole.
    knobs: { firstTokenMs, chunkMs: streamed ? chunkMs : 0, ...(streamed ? streamedAnswer : wholeAnswer) },
    connections,
    workers,
  }
}
