import { writeFileSync } from 'node:fs'
import { checkLedger } from './check-ledger.ts'
import { figuresOf } from './figures.ts'
import { gatewayWarnings } from './gateway-warnings.ts'
import { openGround, type Ground } from './ground.ts'
import { describeMachine } from './machine.ts'
import { measure, type Pace } from './measure.ts'
import { readOptions, usage, type BenchOptions } from './options.ts'
import { Patience } from './patience.ts'
import { memoryOf, processTree } from './process-cost.ts'
import { profileGateway } from './profile-gateway.ts'
import { scenariosOf, type Scenario } from './scenarios.ts'
import { startSystems, stopSystems, type System } from './systems.ts'
import { formatAgreement, formatMachine, formatScenario, legend } from './table.ts'

const paces: Record<BenchOptions['size'], Pace> = {
  quick: { rounds: 3, sliceMs: 400, warmCalls: 2_000 },
  default: { rounds: 5, sliceMs: 700, warmCalls: 6_000 },
  all: { rounds: 5, sliceMs: 700, warmCalls: 6_000 },
}

const say = (text: string) => process.stdout.write(`${text}\n`)

/** Progress, on a terminal only: a table in a file has none. */
const note = (text: string) => {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}

/** Compares, prints, checks. @returns the exit status: 1 when the ledger and the load generator do not agree. */
async function compare(ground: Ground, scenarios: readonly Scenario[], options: BenchOptions): Promise<0 | 1> {
  const machine = await describeMachine(ground.adminUrl)
  const fleets = new Map<number, readonly System[]>()
  let answered = 0
  let refused = 0
  let refusal: string | undefined
  try {
    for (const workers of new Set(scenarios.map((scenario) => scenario.workers)))
      fleets.set(workers, await startSystems(ground, { workers, portkey: options.portkey }))
    const pace = { ...paces[options.size], ...(options.sliceMs === undefined ? {} : { sliceMs: options.sliceMs }) }
    const patience = new Patience({ minutes: options.patienceMinutes, cores: options.cores })
    const results = await measure(ground, {
      scenarios,
      systems: ({ workers, streamed }) =>
        (fleets.get(workers) ?? []).filter(({ name }) => !(streamed && name === 'portkey')),
      pace,
      patience,
      onSlice(system, slice) {
        if (system.name !== 'formulary' && slice.refused > 0)
          throw new Error(`${system.name} refuses: ${slice.refusal ?? ''}`)
        if (system.name !== 'formulary') return
        answered += slice.answered
        refused += slice.refused
        refusal ??= slice.refusal
      },
      onRound: (round) => note(round === 0 ? 'warming up' : `round ${round} of ${pace.rounds}`),
    })
    const others = patience.othersShare
    note('')
    const table = [...results].map(([scenario, measured]) => [scenario, figuresOf(measured)] as const)
    say(`${formatMachine(machine)}\n${pace.rounds} rounds of ${pace.sliceMs} ms, ${options.tenants} tenant(s)\n`)
    for (const [scenario, figures] of table) say(`${formatScenario(scenario, figures)}\n`)
    say(legend)
    say(formatAgreement(table))
    if (others !== undefined)
      say(
        `others used ${Math.round(others * 100)} % of the machine's cores meanwhile; ${patience.again} slices were made again`,
      )
    const memory = [...fleets].map(([workers, systems]) => ({ workers, processes: gatewayMemory(systems) }))
    for (const { workers, processes } of memory)
      say(`memory of a gateway process, ${workers} started: ${processes.map(megabytes).join(', ')}`)

    for (const systems of fleets.values()) await stopSystems(systems)
    fleets.clear()
    const ledger = await checkLedger({ adminUrl: ground.adminUrl, answered, refused })
    for (const line of [...ledger.lines, ...gatewayWarnings(ground.logPath)]) say(line)
    if (refusal !== undefined) say(`the first refusal:\n${refusal}`)
    if (options.json !== undefined) {
      const figures = table.map(([scenario, systems]) => ({ scenario, systems }))
      writeFileSync(
        options.json,
        `${JSON.stringify({ machine, pace, options, others, figures, memory, ledger }, null, 2)}\n`,
      )
    }
    return ledger.agrees ? 0 : 1
  } finally {
    for (const systems of fleets.values()) await stopSystems(systems)
  }
}

/** The supervisor is the first of its tree, and serves nothing. */
const gatewayMemory = (systems: readonly System[]) =>
  systems
    .filter(({ name }) => name === 'formulary')
    .flatMap(({ pid }) => processTree(pid).slice(1))
    .map(memoryOf)
    .filter((memory) => memory !== undefined)

const megabytes = ({ nowBytes, mostBytes }: { nowBytes: number; mostBytes: number }) =>
  `${Math.round(nowBytes / 2 ** 20)} MB (at most ${Math.round(mostBytes / 2 ** 20)})`

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2))
  if (options === 'help') {
    say(usage)
    return 0
  }
  const scenarios = scenariosOf(options)
  const ground = await openGround(options)
  // Without a load generator the slice in progress fails, and everything is stopped on the way out.
  const interrupt = () => {
    process.stderr.write('interrupted: stopping what was started\n')
    ground.loadGenerator.process.kill('SIGKILL')
  }
  process.once('SIGINT', interrupt)
  process.once('SIGTERM', interrupt)
  try {
    return options.profile === undefined
      ? await compare(ground, scenarios, options)
      : await profileGateway(ground, scenarios, { ...options, folder: options.profile, say })
  } finally {
    await ground.stop()
  }
}

main().then(
  (status) => process.exit(status),
  (error: unknown) => {
    process.stderr.write(
      `${error instanceof TypeError ? error.message : error instanceof Error ? error.stack : 'failed'}\n`,
    )
    process.exit(error instanceof TypeError ? 2 : 1)
  },
)
