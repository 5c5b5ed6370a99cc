// What a call and an administrator's look cost as the ledger grows: `npm run bench:growth`, and with `--tenants` as the
// tenants do. One gateway process, 16 connections, an immediate host.
import { parseArgs } from 'node:util'
import pg from 'pg'
import { openDatabase, systemTransaction, type Database } from '../../src/db/index.ts'
import { loadOverview } from '../../src/console/load-overview.ts'
import { instant, plusDays } from '../../src/kernel/index.ts'
import { reportUsage } from '../../src/metering/index.ts'
import { median } from './figures.ts'
import { fillLedger, filledDays } from './fill-ledger.ts'
import { openGround, type Ground } from './ground.ts'
import { describeMachine } from './machine.ts'
import { measureSlice } from './measure.ts'
import { scenariosOf, type Scenario } from './scenarios.ts'
import { startGateway, type System } from './systems.ts'
import { formatMachine } from './table.ts'

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '10000,100000,1000000,10000000' },
    tenants: { type: 'string', default: '100' },
    rounds: { type: 'string', default: '6' },
  },
})
const steps = values.rows.split(',').map(Number)
const tenants = Number(values.tenants)
const rounds = Number(values.rounds)
const sliceMs = 1_500
const looksPerKind = 40

const say = (text: string) => process.stdout.write(`${text}\n`)

interface Look {
  readonly what: string
  take(): Promise<unknown>
}

async function main(): Promise<void> {
  const began = performance.now()
  const ground = await openGround({ tenants })
  say(`${tenants} tenants declared, with a key each: ${((performance.now() - began) / 1000).toFixed(1)} s`)
  const client = new pg.Client({ connectionString: ground.adminUrl })
  await client.connect()
  // As the control plane reads: a small pool of its own, five seconds at most.
  const database = openDatabase({
    url: ground.appUrl,
    applicationName: 'looks',
    tenantConnectionsMax: 1,
    systemConnectionsMax: 2,
    connectTimeoutMs: 5_000,
    statementTimeoutMs: 5_000,
  })
  try {
    say(`${formatMachine(await describeMachine(ground.adminUrl))}\n`)
    for (const rows of steps) await measureStep(ground, { client, database, rows })
  } finally {
    await client.end()
    await database.close()
    await ground.stop()
  }
}

async function measureStep(
  ground: Ground,
  { client, database, rows }: { client: pg.Client; database: Database; rows: number },
): Promise<void> {
  const { seconds } = await fillLedger(client, { rows })
  // A gateway of its own for each step: it reads the declarations anew, and has no past.
  const gateway = await startGateway(ground, { workers: 1, environment: {} })
  try {
    const [scenario] = scenariosOf({ ...scenarioOptions, only: 'whole-0ms-c16-w1' })
    if (scenario === undefined) throw new Error('the scenario is gone')
    await ground.setKnobs(scenario.knobs)
    await measureSlice(ground, { system: gateway, scenario, ms: 4_000 })
    const looks = looksAt(ground, gateway, database)
    say(`${rows.toLocaleString('en-US')} rows over ${filledDays} days (filled in ${seconds.toFixed(0)} s)`)
    for (const look of looks) say(`  ${look.what.padEnd(52)} ${inWords(await timesOf(look))}`)
    await compareServing(ground, { gateway, scenario, looks })
  } finally {
    await gateway.stop()
  }
}

const scenarioOptions = {
  size: 'default',
  only: '',
  json: undefined,
  workers: undefined,
  cores: 2,
  tenants: 1,
  sliceMs: undefined,
  patienceMinutes: 0,
  profile: undefined,
  portkey: undefined,
} as const

function looksAt(ground: Ground, gateway: System, database: Database): readonly Look[] {
  const now = instant(Date.now())
  const [key = ''] = ground.keys
  const get = async (path: string) => {
    const answer = await fetch(`http://127.0.0.1:${gateway.port}${path}`, {
      headers: { authorization: `Bearer ${key}` },
    })
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`)
    return answer.text()
  }
  const dayText = (daysAgo: number) => new Date(now - daysAgo * 86_400_000).toISOString()
  const report = (days: number) =>
    systemTransaction(database, 'administer', (tx) =>
      reportUsage(tx, { from: plusDays(now, -days), to: now, tenant: undefined }),
    )
  return [
    { what: 'usage report of all tenants, 30 days', take: () => report(30) },
    { what: 'usage report of all tenants, 60 days', take: () => report(60) },
    { what: 'the console’s overview', take: () => loadOverview(database, undefined, now) },
    {
      what: 'a tenant’s ledger, a page of 100 (/v1/usage)',
      take: () => get(`/v1/usage?from=${dayText(40)}&limit=100`),
    },
    { what: 'a tenant’s ledger, a page of 1,000', take: () => get(`/v1/usage?from=${dayText(20)}&limit=1000`) },
    { what: 'a tenant’s license and budgets (/v1/license)', take: () => get('/v1/license') },
  ]
}

async function timesOf(look: Look): Promise<readonly number[]> {
  const times: number[] = []
  // The first one fills caches.
  for (let index = -1; index < looksPerKind; index++) {
    const began = performance.now()
    await look.take()
    if (index >= 0) times.push(performance.now() - began)
  }
  return times
}

const quantile = (times: readonly number[], part: number): number =>
  times.toSorted((a, b) => a - b)[Math.ceil(times.length * part) - 1] ?? NaN

const inWords = (times: readonly number[]): string =>
  `p50 ${quantile(times, 0.5).toFixed(1).padStart(6)} ms, p95 ${quantile(times, 0.95).toFixed(1).padStart(6)} ms`

/** Slices with and without somebody who looks at everything all the time, by turns. */
async function compareServing(
  ground: Ground,
  { gateway, scenario, looks }: { gateway: System; scenario: Scenario; looks: readonly Look[] },
): Promise<void> {
  const taken = { alone: [] as Taken[], watched: [] as Taken[] }
  for (let round = 0; round < rounds; round++)
    for (const kind of round % 2 === 0 ? (['alone', 'watched'] as const) : (['watched', 'alone'] as const)) {
      const watching = kind === 'watched' ? lookOnAndOn(looks) : undefined
      const slice = await measureSlice(ground, { system: gateway, scenario, ms: sliceMs })
      const looked = await watching?.stop()
      taken[kind].push({ ...slice, looked: looked ?? 0 })
    }
  const of = (kind: 'alone' | 'watched') => {
    const all = taken[kind].flatMap(({ totalMs }) => [...totalMs])
    const rate = median(taken[kind].map(({ callsPerSecond }) => callsPerSecond))
    const cpu = median(taken[kind].map(({ cpuMs, answered }) => (1000 * (cpuMs ?? NaN)) / answered))
    const database = median(
      taken[kind].map(({ databaseCpuMs, answered }) => (1000 * (databaseCpuMs ?? NaN)) / answered),
    )
    return { rate, p50: quantile(all, 0.5), p99: quantile(all, 0.99), cpu, database }
  }
  const [alone, watched] = [of('alone'), of('watched')]
  const looked = taken.watched.reduce((sum, slice) => sum + slice.looked, 0)
  const line = (name: string, { rate, p50, p99, cpu, database }: typeof alone) =>
    `  ${name.padEnd(34)} ${Math.round(rate)} calls/s, p50 ${p50.toFixed(2)}, p99 ${p99.toFixed(2)} ms, ` +
    `CPU ${Math.round(cpu)} µs a call, database ${Math.round(database)} µs`
  say(line('serving, nobody looks', alone))
  say(line(`serving, beside ${looked} looks`, watched))
  say(`  p99 beside looks, as a part of alone  ${(watched.p99 / alone.p99).toFixed(2)}\n`)
}

type Taken = Awaited<ReturnType<typeof measureSlice>> & { readonly looked: number }

/** An administrator who takes ten looks a second, one after the other. */
function lookOnAndOn(looks: readonly Look[]): { stop(): Promise<number> } {
  let isOver = false
  let looked = 0
  const running = (async () => {
    while (!isOver) {
      await looks[looked % looks.length]?.take()
      looked++
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  })()
  return {
    async stop() {
      isOver = true
      await running
      return looked
    },
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : 'failed'}\n`)
  process.exitCode = 1
})
