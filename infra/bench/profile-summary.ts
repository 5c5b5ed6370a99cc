import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { z } from 'zod'

/** What V8 writes into a .cpuprofile, as far as it is read here. Times are microseconds. */
const Profile = z.object({
  nodes: z.array(
    z.object({
      id: z.number(),
      callFrame: z.object({ functionName: z.string(), url: z.string(), lineNumber: z.number() }),
      children: z.array(z.number()).optional(),
    }),
  ),
  startTime: z.number(),
  samples: z.array(z.number()),
  timeDeltas: z.array(z.number()),
})
export type Profile = z.infer<typeof Profile>

export interface Summary {
  /** Time in which the process did something, and all of the time. */
  readonly busyMicros: number
  readonly allMicros: number
  /** Self time in microseconds, most first. */
  readonly functions: readonly Share[]
  readonly files: readonly Share[]
  readonly packages: readonly Share[]
  /** The same time, but what Node, V8 and the system do is counted for the package that made them do it. */
  readonly causes: readonly Share[]
  /** The same time by the stage of a call in whose service it was spent. */
  readonly stages: readonly Share[]
}
export interface Share {
  readonly name: string
  readonly micros: number
}

export const readProfile = (path: string): Profile => Profile.parse(JSON.parse(readFileSync(path, 'utf8')))

/** A stretch of the profile's clock. */
export interface Window {
  readonly from: number
  readonly to: number
}

/** Where the time went while it was measured. */
export function summarize(profile: Profile, windows: readonly Window[]): Summary {
  const nodes = new Map(profile.nodes.map((node) => [node.id, { ...node, place: placeOf(node.callFrame) }]))
  const parents = new Map(
    profile.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)),
  )
  const causeOf = (id: number): string | undefined => {
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const place = nodes.get(at)?.place
      if (place?.isOurs === true) return place.package
    }
    return undefined
  }
  const stageOf = (id: number): string => {
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const file = nodes.get(at)?.place.file ?? ''
      const stage = stages.find(({ files }) => files.test(file))
      if (stage !== undefined) return stage.name
    }
    return 'the runtime itself (event loop, garbage collector)'
  }
  const sums = {
    functions: new Map(),
    files: new Map(),
    packages: new Map(),
    causes: new Map(),
    stages: new Map(),
  } satisfies Record<string, Map<string, number>>
  let busyMicros = 0
  let allMicros = 0
  let at = profile.startTime
  profile.samples.forEach((id, index) => {
    at += profile.timeDeltas[index] ?? 0
    // A sample stands for the time until the next one.
    const micros = profile.timeDeltas[index + 1] ?? 0
    const node = nodes.get(id)
    if (node === undefined || !windows.some(({ from, to }) => at >= from && at < to)) return
    allMicros += micros
    if (node.callFrame.functionName === '(idle)') return
    busyMicros += micros
    const { place } = node
    const cause = causeOf(id)
    add(sums.functions, place.isOurs || cause === undefined ? place.function : `${place.function}  < ${cause}`, micros)
    add(sums.files, place.file, micros)
    add(sums.packages, place.package, micros)
    add(sums.causes, cause ?? place.package, micros)
    add(sums.stages, stageOf(id), micros)
  })
  return {
    busyMicros,
    allMicros,
    functions: inOrder(sums.functions),
    files: inOrder(sums.files),
    packages: inOrder(sums.packages),
    causes: inOrder(sums.causes),
    stages: inOrder(sums.stages),
  }
}

/**
 * The stages of a call, by the files in which their work is done. What serves all of them (kernel, ports of the platform,
 * zod) is counted for whoever asked for it.
 */
const stages: readonly { readonly name: string; readonly files: RegExp }[] = [
  { name: 'authenticate', files: /^src\/identity\// },
  { name: 'parse', files: /^src\/gateway\/(read-request|json-members|read-headers)/ },
  { name: 'requireLicense', files: /^src\/licensing\// },
  { name: 'decide', files: /^(src\/policy|@cedar-policy)\// },
  { name: 'reserve', files: /^(src\/quota|rate-limiter-flexible)\// },
  { name: 'protect', files: /^src\/privacy\/protect/ },
  {
    name: 'call',
    files:
      /^(src\/gateway\/upstream-request|src\/routing\/(choose|call-|circuit|upstream)|src\/platform\/node\/upstream|undici\/)/,
  },
  { name: 'relay', files: /^(src\/gateway\/deliver|src\/routing\/)/ },
  {
    name: 'rate and settle',
    files: /^(src\/metering|src\/billing|src\/gateway\/held-call|pg|pg-pool|pg-protocol|kysely)(\/|$|\.)/,
  },
  { name: 'log and figures', files: /^(pino|sonic-boom|prom-client|src\/platform\/node\/(log|metrics|line-output))/ },
  {
    name: 'transport (HTTP in and out)',
    files:
      /^(hono\/|@hono\/|node:_http|src\/gateway\/(routes|transport|answer|call)|src\/platform\/node\/(transport|serve))/,
  },
]

interface Place {
  readonly function: string
  readonly file: string
  readonly package: string
  /** Ours or a package's: somebody can change it. */
  readonly isOurs: boolean
}

const root = new URL('../..', import.meta.url).href

function placeOf(frame: Profile['nodes'][number]['callFrame']): Place {
  const name = frame.functionName === '' ? '(anonymous)' : frame.functionName
  const { file, package: pack, isOurs } = fileOf(frame.url, name)
  const line = frame.url === '' ? '' : `:${frame.lineNumber + 1}`
  return { function: `${name}  ${file}${line}`, file, package: pack, isOurs }
}

function fileOf(url: string, name: string): Omit<Place, 'function'> {
  const inPackage = /^.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\/(.*)$/.exec(url)
  if (inPackage !== null) {
    const [, pack = '', path = ''] = inPackage
    return { file: `${pack}/${path}`, package: pack, isOurs: true }
  }
  if (url.startsWith(root)) {
    const file = url.slice(root.length)
    return { file, package: file.split('/').slice(0, 2).join('/'), isOurs: true }
  }
  if (url.startsWith('node:')) return { file: url, package: url.split('/').slice(0, 2).join('/'), isOurs: false }
  if (url.startsWith('wasm:')) return { file: 'wasm', package: 'wasm', isOurs: false }
  const own = name.startsWith('(') && name !== '(anonymous)' ? name : '(native)'
  return { file: own, package: own, isOurs: false }
}

const add = (sums: Map<string, number>, name: string, micros: number): void =>
  void sums.set(name, (sums.get(name) ?? 0) + micros)

const inOrder = (sums: ReadonlyMap<string, number>): readonly Share[] =>
  [...sums].map(([name, micros]) => ({ name, micros })).toSorted((a, b) => b.micros - a.micros)

/** Percent of the busy time, and microseconds per call when the calls are known. */
export function formatSummary(summary: Summary, options: { calls?: number; functionsMax?: number } = {}): string {
  const { busyMicros, allMicros } = summary
  const table = (title: string, shares: readonly Share[], most: number) => [
    `  ${title}`,
    ...shares.slice(0, most).map(({ name, micros }) => {
      const perCall = options.calls === undefined ? '' : `${(micros / options.calls).toFixed(1).padStart(8)} µs`
      return `  ${((100 * micros) / busyMicros).toFixed(1).padStart(6)} %${perCall}  ${name}`
    }),
  ]
  return [
    `  busy ${((100 * busyMicros) / allMicros).toFixed(0)} % of ${(allMicros / 1e6).toFixed(1)} s`,
    ...table('by stage of a call', summary.stages, 20),
    ...table('self time by function', summary.functions, options.functionsMax ?? 40),
    ...table('self time by package', summary.packages, 20),
    ...table('by the package on whose behalf', summary.causes, 20),
    ...table('self time by file', summary.files, 25),
  ].join('\n')
}

// `node infra/bench/profile-summary.ts <file.cpuprofile>`: all of a profile, wherever it came from.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { positionals } = parseArgs({ allowPositionals: true })
  for (const path of positionals)
    process.stdout.write(`${formatSummary(summarize(readProfile(path), [{ from: 0, to: Infinity }]))}\n`)
}
