import { mkdirSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { median } from './figures.ts'
import type { Ground } from './ground.ts'
import { measureSlice } from './measure.ts'
import type { BenchOptions } from './options.ts'
import { Patience } from './patience.ts'
import { processTree } from './process-cost.ts'
import { formatSummary, readProfile, summarize } from './profile-summary.ts'
import type { Scenario } from './scenarios.ts'
import { startGateway } from './systems.ts'

const warmMs = 8_000
/** Short slices, so that quiet ones can be found between what others do. */
const sliceMs = 500
const slices = 12
const sampleEveryMicros = 500

/** What is profiled when nobody says what. */
const usual = ['whole-0ms-c64-w1', 'stream-0ms-c16-w1']

/**
 * Runs a gateway of one process under V8's profiler, for each scenario a new one, and says where its time went. The
 * profile is written when the process ends; of it only the time of the load is read, without start and end.
 */
export async function profileGateway(
  ground: Ground,
  scenarios: readonly Scenario[],
  options: BenchOptions & { folder: string; say: (text: string) => void },
): Promise<0> {
  const { folder, only, say } = options
  const chosen = scenarios.filter(({ name, workers }) => workers === 1 && (only !== '' || usual.includes(name)))
  if (chosen.length === 0) throw new TypeError(`--profile takes scenarios of one process only`)
  const patience = new Patience({ minutes: options.patienceMinutes, cores: options.cores })
  for (const scenario of chosen) {
    const into = resolve(folder, scenario.name)
    mkdirSync(into, { recursive: true })
    const flags = [`--cpu-prof`, `--cpu-prof-dir=${into}`, `--cpu-prof-interval=${sampleEveryMicros}`]
    const gateway = await startGateway(ground, { workers: 1, environment: { NODE_OPTIONS: flags.join(' ') } })
    const [, worker] = processTree(gateway.pid)
    await ground.setKnobs(scenario.knobs)
    await measureSlice(ground, { system: gateway, scenario, ms: warmMs })
    const taken = []
    for (let index = 0; index < slices; index++) {
      taken.push(
        await patience.quietly(async () => {
          const from = monotonicMicros()
          const slice = await measureSlice(ground, { system: gateway, scenario, ms: sliceMs })
          return { ...slice, from, to: monotonicMicros() }
        }),
      )
    }
    await gateway.stop()

    const name = readdirSync(into).find((file) => file.includes(`.${worker}.`))
    if (name === undefined) throw new Error(`no profile of process ${worker} in ${into}`)
    const calls = taken.reduce((sum, { answered }) => sum + answered, 0)
    const rate = median(taken.map(({ callsPerSecond }) => callsPerSecond))
    say(`${scenario.title}  [${scenario.name}]: ${Math.round(rate)} calls/s under the profiler, ${name}`)
    say(`${formatSummary(summarize(readProfile(join(into, name)), taken), { calls })}\n`)
  }
  const others = Math.round((patience.othersShare ?? 0) * 100)
  say(`others used ${others} % of the machine's cores meanwhile; ${patience.again} slices were made again`)
  return 0
}

/** The clock of V8's profiles. */
const monotonicMicros = (): number => Number(process.hrtime.bigint() / 1000n)
