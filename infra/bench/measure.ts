import type { Measured, Rounds } from './figures.ts'
import type { Ground } from './ground.ts'
import type { SliceAnswer } from './load-generator.ts'
import type { Patience } from './patience.ts'
import { cpuMsBetween, cpuTimesOf, processesBelow, processTree } from './process-cost.ts'
import { requestsFor } from './requests.ts'
import type { Slice, SliceOrder } from './run-slice.ts'
import { warmScenario, type Scenario } from './scenarios.ts'
import type { System, SystemName } from './systems.ts'

export interface Pace {
  readonly rounds: number
  readonly sliceMs: number
  /** Calls of each kind that each process answers before the first round. */
  readonly warmCalls: number
}

export type Results = ReadonlyMap<Scenario, ReadonlyMap<SystemName, Rounds>>

export interface MeasureOptions {
  readonly scenarios: readonly Scenario[]
  systems(scenario: Scenario): readonly System[]
  readonly pace: Pace
  readonly patience: Patience
  /** After each slice that was answered; also one that only warms, or that is made again. */
  onSlice(system: System, slice: Slice): void
  /** Round 0 is the warming. */
  onRound(round: number): void
}

const warmSliceMs = 500
/** A machine that is so slow is measured as it is. */
const warmSlicesMax = 40

/** The part of each slice before its calls count: connections are fresh and all at one place. */
const unevenPart = 0.1

/**
 * Round after round, in each round scenario after scenario, in each scenario one short slice of every system. What the
 * machine does besides hits all systems alike, and each round begins with another system, so that none is always first.
 */
export async function measure(ground: Ground, options: MeasureOptions): Promise<Results> {
  const { pace, scenarios } = options
  const results = new Map(scenarios.map((scenario) => [scenario, new Map<SystemName, Measured[]>()]))
  options.onRound(0)
  await warmUp(ground, options)
  for (let round = 1; round <= pace.rounds; round++) {
    options.onRound(round)
    for (const [scenario, measured] of results) {
      await ground.setKnobs(scenario.knobs)
      const systems = options.systems(scenario)
      for (let turn = 0; turn < systems.length; turn++) {
        const system = systems[(turn + round) % systems.length]
        if (system === undefined) continue
        const slice = await options.patience.quietly(async () => {
          const taken = await measureSlice(ground, { system, scenario, ms: pace.sliceMs })
          options.onSlice(system, taken)
          return taken
        })
        measured.set(system.name, [...(measured.get(system.name) ?? []), slice])
      }
    }
  }
  // The order of the table is that of the systems, whoever was first.
  return new Map(
    [...results].map(([scenario, measured]) => [
      scenario,
      new Map(options.systems(scenario).map(({ name }) => [name, measured.get(name) ?? []])),
    ]),
  )
}

/**
 * A gateway's first calls cost five times its ten-thousandth, because V8 compiles what it has seen often. So the warming is
 * counted in calls: a slow system would otherwise be measured cold, and compared with warm ones.
 */
async function warmUp(ground: Ground, options: MeasureOptions): Promise<void> {
  const kinds = new Map(
    options.scenarios.map(({ workers, streamed }) => [`${workers}/${streamed}`, { workers, streamed }]),
  )
  for (const { workers, streamed } of kinds.values()) {
    const scenario = warmScenario({ workers, streamed })
    await ground.setKnobs(scenario.knobs)
    const wanted = options.pace.warmCalls * workers
    for (const system of options.systems(scenario)) {
      let answered = 0
      for (let slices = 0; answered < wanted && slices < warmSlicesMax; slices++) {
        const slice = await measureSlice(ground, { system, scenario, ms: warmSliceMs })
        options.onSlice(system, slice)
        answered += slice.answered
      }
    }
  }
}

export async function measureSlice(
  ground: Ground,
  options: { system: System; scenario: Scenario; ms: number },
): Promise<Measured> {
  const { system, scenario, ms } = options
  const { streamed, connections } = scenario
  const requests = requestsFor({ keys: ground.keys, streamed, headers: system.headers })
  const own = () => cpuTimesOf(processTree(system.pid))
  const [ownBefore, databaseBefore] = [own(), databaseTimes()]
  const slice = await orderSlice(ground, {
    port: system.port,
    streamed,
    requests,
    connections,
    warmMs: ms * unevenPart,
    ms: ms * (1 - unevenPart),
  })
  return {
    ...slice,
    cpuMs: cpuMsBetween(ownBefore, own()),
    databaseCpuMs: system.name === 'formulary' ? cpuMsBetween(databaseBefore, databaseTimes()) : undefined,
  }
}

const databaseTimes = () => cpuTimesOf(processesBelow(process.pid, 'postgres'))

/** @throws Error when a connection broke: whatever is measured then is not an answer. */
function orderSlice(ground: Ground, order: SliceOrder): Promise<Slice> {
  const { process: generator } = ground.loadGenerator
  return new Promise((resolve, reject) => {
    const onExit = () => reject(new Error('the load generator has ended'))
    generator.once('exit', onExit)
    generator.once('message', (answer: SliceAnswer) => {
      generator.off('exit', onExit)
      if ('slice' in answer) resolve(answer.slice)
      else reject(new Error(answer.error))
    })
    generator.send(order, (error) => {
      if (error !== null) reject(error)
    })
  })
}
