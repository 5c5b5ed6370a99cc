import { parseArgs } from 'node:util'
import pg from 'pg'
import { Agent, request } from 'undici'
import { benchModel } from './declarations.ts'
import { openGround, type Ground } from './ground.ts'
import { memoryOf, processTree } from './process-cost.ts'
import { startGateway, type System } from './systems.ts'

/**
 * Mixed load for a long time: whole answers, streams, callers that leave, hosts that fail, strangers, readers of usage.
 * It ends with status 1 when memory grew, when a call that was answered whole is not in the ledger exactly once, or when
 * something is left held. `npm run soak -- --minutes 60`.
 */
const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    callers: { type: 'string', default: '12' },
    pause: { type: 'string', default: '100' },
    tenants: { type: 'string', default: '20' },
    workers: { type: 'string', default: '2' },
  },
})
const minutes = Number(values.minutes)
/** V8 and its caches grow into their size in the first part of a run. */
const settlingPart = 0.25
/** What a process may have grown by between the end of the settling and the end of the run. */
const growthMax = 0.1

interface Tally {
  whole: number
  left: number
  refused: number
  failed: number
  strangers: number
  reads: number
}

async function main(): Promise<boolean> {
  const ground = await openGround({ tenants: Number(values.tenants) })
  let gateway: System | undefined
  try {
    // A host that now and then fails or is slow, so that no path of the gateway stays cold.
    await ground.setKnobs({ firstTokenMs: 10, chunkMs: 2, chunks: 20 })
    gateway = await startGateway(ground, { workers: Number(values.workers), environment: {} })
    const { port, pid } = gateway
    const until = performance.now() + minutes * 60_000
    const tally: Tally = { whole: 0, left: 0, refused: 0, failed: 0, strangers: 0, reads: 0 }
    const samples: Sample[] = []
    const watching = watch({ pid, until, samples, tally })
    const faults = faultNowAndThen(ground, until)
    const agent = new Agent({ connections: Number(values.callers) })
    const callers = Array.from({ length: Number(values.callers) }, (_, index) =>
      callFor({ origin: `http://127.0.0.1:${port}`, agent, keys: ground.keys, until, tally, index }),
    )
    await Promise.all([...callers, watching, faults])
    await agent.destroy()
    await gateway.stop()
    gateway = undefined
    const isFlat = judgeMemory(samples)
    return (await judgeLedger(ground, tally)) && isFlat
  } finally {
    await gateway?.stop()
    await ground.stop()
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function callFor(caller: {
  origin: string
  agent: Agent
  keys: readonly string[]
  until: number
  tally: Tally
  index: number
}): Promise<void> {
  const { keys, tally, until } = caller
  for (let turn = caller.index; performance.now() < until; turn++) {
    const key = keys[turn % keys.length] ?? ''
    const kind = turn % 20
    try {
      if (kind === 0) await stranger(caller, tally)
      else if (kind === 1) await read(caller, key, tally)
      else if (kind === 2) await malformed(caller, key, tally)
      else if (kind < 6) await leave(caller, key, tally)
      else await answer(caller, key, { stream: kind % 2 === 0 }, tally)
    } catch {
      tally.failed++
    }
    await pause(Number(values.pause) * (0.5 + Math.random()))
  }
}

interface Target {
  readonly origin: string
  readonly agent: Agent
}

const ask = (target: Target, key: string, body: object, signal?: AbortSignal) =>
  request(`${target.origin}/v1/chat/completions`, {
    dispatcher: target.agent,
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    ...(signal === undefined ? {} : { signal }),
  })

const chat = (stream: boolean) => ({
  model: benchModel,
  max_tokens: 64,
  stream,
  messages: [{ role: 'user', content: 'Chest pain for an hour. '.repeat(20 + Math.floor(Math.random() * 60)) }],
})

async function answer(target: Target, key: string, { stream }: { stream: boolean }, tally: Tally): Promise<void> {
  const { statusCode, body } = await ask(target, key, chat(stream))
  const text = await body.text()
  if (statusCode === 200 && (!stream || text.endsWith('data: [DONE]\n\n'))) tally.whole++
  else tally.failed++
}

/** Leaves at a random moment. A call that was faster is a whole one. */
async function leave(target: Target, key: string, tally: Tally): Promise<void> {
  const leaving = new AbortController()
  const timer = setTimeout(() => leaving.abort(), Math.random() * 60)
  try {
    const { statusCode, body } = await ask(target, key, chat(true), leaving.signal)
    const text = await body.text()
    if (statusCode === 200 && text.endsWith('data: [DONE]\n\n')) tally.whole++
    else tally.failed++
  } catch {
    tally.left++
  } finally {
    clearTimeout(timer)
  }
}

async function stranger(target: Target, tally: Tally): Promise<void> {
  const { statusCode, body } = await ask(target, `fk_${Math.random().toString(36).slice(2)}`, chat(false))
  await body.dump()
  if (statusCode === 401) tally.strangers++
  else tally.failed++
}

async function malformed(target: Target, key: string, tally: Tally): Promise<void> {
  const { statusCode, body } = await ask(target, key, { model: benchModel, messages: 'none' })
  await body.dump()
  if (statusCode === 400) tally.refused++
  else tally.failed++
}

async function read(target: Target, key: string, tally: Tally): Promise<void> {
  const path = Math.random() < 0.5 ? '/v1/usage?limit=50' : '/v1/models'
  const { statusCode, body } = await request(target.origin + path, {
    dispatcher: target.agent,
    headers: { authorization: `Bearer ${key}` },
  })
  await body.dump()
  if (statusCode === 200) tally.reads++
  else tally.failed++
}

/** Every half minute, for a second: errors, a stall, an early close, by turns. */
async function faultNowAndThen(ground: Ground, until: number): Promise<void> {
  const faults = [{ status: 500 }, { status: 429 }, { closeAfterChunks: 5 }, { usage: 'absent' as const }]
  const calm = { status: null, closeAfterChunks: null, usage: 'honest' as const }
  for (let turn = 0; performance.now() < until; turn++) {
    await pause(Math.max(0, Math.min(30_000, until - performance.now())))
    await ground.setKnobs(faults[turn % faults.length] ?? {})
    await pause(1_000)
    await ground.setKnobs(calm)
  }
}

/** Resident bytes of each process of the gateway, by pid. */
interface Sample {
  readonly atMs: number
  readonly bytes: ReadonlyMap<number, number>
}

async function watch(run: { pid: number; until: number; samples: Sample[]; tally: Tally }): Promise<void> {
  const began = performance.now()
  for (let next = began; performance.now() < run.until; next += 15_000) {
    await pause(Math.max(0, next - performance.now()))
    const bytes = new Map(processTree(run.pid).map((pid) => [pid, memoryOf(pid)?.nowBytes ?? 0]))
    run.samples.push({ atMs: performance.now() - began, bytes })
    if (run.samples.length % 20 === 1) {
      const shown = [...bytes.values()].map((one) => `${Math.round(one / 2 ** 20)} MB`).join(', ')
      process.stdout.write(`${Math.round((performance.now() - began) / 60_000)} min: ${shown}; ${inWords(run.tally)}\n`)
    }
  }
}

const inWords = (tally: Tally): string =>
  Object.entries(tally)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ')

/** Compares the median of the first minutes after the settling with that of the last ones. */
function judgeMemory(samples: readonly Sample[]): boolean {
  const last = samples.at(-1)
  if (last === undefined) return false
  const settledAt = samples.findIndex(({ atMs }) => atMs >= last.atMs * settlingPart)
  const settled = samples.slice(settledAt)
  const tenth = Math.max(1, Math.floor(settled.length / 6))
  let isFlat = true
  for (const pid of last.bytes.keys()) {
    const of = (some: readonly Sample[]) => median(some.map(({ bytes }) => bytes.get(pid) ?? 0))
    const [before, after] = [of(settled.slice(0, tenth)), of(settled.slice(-tenth))]
    const growth = after / before - 1
    if (!(growth <= growthMax)) isFlat = false
    const mb = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MB`
    process.stdout.write(`process ${pid}: ${mb(before)} after settling, ${mb(after)} at the end (${percent(growth)})\n`)
  }
  process.stdout.write(isFlat ? 'memory is flat\n' : `memory GREW by more than ${percent(growthMax)}\n`)
  return isFlat
}

const percent = (part: number): string => `${(part * 100).toFixed(1)} %`

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

/** Asked after the gateways have ended, as a superuser. */
async function judgeLedger(ground: Ground, tally: Tally): Promise<boolean> {
  const client = new pg.Client({ connectionString: ground.adminUrl })
  await client.connect()
  try {
    const { rows } = await client.query<Record<string, string>>(`
      select (select count(*) from usage_event where outcome = 'answered') as answered,
        (select count(*) from usage_event where requests = 1) as counted,
        (select count(distinct (tenant_id, request_id)) from usage_event where requests = 1) as calls,
        (select count(*) from usage_event where outcome = 'expired') as expired,
        (select coalesce(sum(input_tokens + output_tokens), 0) from usage_event) as tokens,
        (select coalesce(sum(settled), 0) from budget_account where budget like 'tokens/%') as settled,
        (select coalesce(sum(leased), 0) from budget_account) as leased,
        (select count(*) from reservation) as open, (select count(*) from usage_batch) as waiting,
        (select count(*) from usage_batch_refused) as refused`)
    const of = (name: string) => Number(rows[0]?.[name])
    const facts: readonly (readonly [string, boolean])[] = [
      // Who left may have been answered whole a moment before: the ledger may know of more whole answers, never of fewer.
      [`${of('answered')} answered in the ledger, ${tally.whole} received whole`, of('answered') >= tally.whole],
      [`${of('counted')} counted rows of ${of('calls')} calls`, of('counted') === of('calls')],
      [`${of('tokens')} tokens in the ledger, ${of('settled')} in the budgets`, of('tokens') === of('settled')],
      [
        `${of('leased')} leased, ${of('open')} open, ${of('expired')} expired`,
        of('leased') + of('open') + of('expired') === 0,
      ],
      [`${of('waiting')} batches waiting, ${of('refused')} refused`, of('waiting') + of('refused') === 0],
    ]
    for (const [what, holds] of facts) process.stdout.write(`${holds ? 'agrees' : 'DOES NOT AGREE'}: ${what}\n`)
    process.stdout.write(`${inWords(tally)}\n`)
    return facts.every(([, holds]) => holds)
  } finally {
    await client.end()
  }
}

process.exitCode = (await main()) ? 0 : 1
