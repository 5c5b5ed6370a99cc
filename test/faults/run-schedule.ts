import { setTimeout as sleep } from 'node:timers/promises'
import { seeded } from '../support/seeded.ts'
import { applyFault } from './apply-fault.ts'
import { monthOf, type Finding } from './check.ts'
import { call, type Wish } from './client.ts'
import { begin, conclude } from './evidence-of.ts'
import type { CallSeen, Evidence } from './evidence.ts'
import { describe, leaseSeconds, mayLie, type Schedule } from './schedule.ts'
import { untilReady, type Seat, type World } from './world.ts'

export interface Ran {
  readonly findings: readonly Finding[]
  readonly evidence: Evidence
  /** From the end of the last fault to nothing held and nothing open. */
  readonly settledInMs: number
  readonly milliseconds: number
}

/** The processes are up again, after what may be a recovery of the server. */
const readyWithinMs = 40_000
/** After the lease time nothing is held. A busy machine is slow, and what is held for ever is held after this as well. */
const settledWithinMs = leaseSeconds * 1_000 * 12

/** One schedule on a world that is at rest, and is at rest afterwards. */
export async function runSchedule(world: World, schedule: Schedule): Promise<Ran> {
  const began = performance.now()
  const beginning = await begin(world)
  const tight = beginning.books.accounts.filter(
    ({ tenant, budget }) => tenant === 'prairie' && budget === 'tokens/month',
  )
  // One limit holds for every month, and a stepped clock may stand in another one.
  const most = tight.reduce((max, { settled }) => (settled > max ? settled : max), 0n)
  const limit = most + BigInt(schedule.tightTokens)
  await world.declareTight(limit)

  for (const { seat } of world.slots) if (seat !== undefined) seat.hasWrongClock = false
  const noted: Noted[] = []
  const load = { isOver: false }
  const callers = Array.from({ length: schedule.callers }, (_, index) =>
    keepCalling(world, schedule, index, load, noted),
  )
  const faults = schedule.steps.map(async ({ atMs, fault }) => {
    await sleep(atMs)
    await applyFault(world, fault)
  })
  await sleep(schedule.loadMs)
  await Promise.all(faults)
  load.isOver = true
  await Promise.all(callers)

  const mended = performance.now()
  await untilReady(world, readyWithinMs)
  const concluded = await conclude(world, beginning, {
    calls: () => noted.map(asSeen),
    hostMayLie: mayLie(schedule),
    withinMs: settledWithinMs,
    allowances: [
      {
        tenant: 'prairie',
        tokens: limit,
        usedBefore: new Map(tight.map(({ periodStartMs, settled }) => [monthOf(periodStartMs), settled])),
      },
    ],
  })
  return {
    ...concluded,
    settledInMs: Math.round(performance.now() - mended),
    milliseconds: Math.round(performance.now() - began),
  }
}

interface Noted {
  readonly seen: Omit<CallSeen, 'gatewayDied' | 'wrongClock'>
  readonly seat: Seat
  readonly beganAt: number
  readonly endedAt: number
}

/** A process writes its log half a second late, and a busy machine reads it later still. */
const logDelayMs = 5_000

const asSeen = ({ seen, seat, beganAt, endedAt }: Noted): CallSeen => ({
  ...seen,
  gatewayDied: seat.deaths.some((at) => at >= beganAt && at <= endedAt + logDelayMs),
  wrongClock: seat.hasWrongClock,
})

/** One caller: call after call, until the load is over. What it wishes comes from the seed. */
async function keepCalling(
  world: World,
  schedule: Schedule,
  index: number,
  load: { readonly isOver: boolean },
  noted: Noted[],
): Promise<void> {
  const random = seeded(schedule.seed * 1_000 + index)
  while (!load.isOver) {
    const slot = world.slots[Math.floor(random() * world.slots.length)]
    const wish = wishOf(world, random)
    const { seat } = slot ?? {}
    if (seat === undefined) {
      await sleep(10)
      continue
    }
    const beganAt = performance.now()
    const seen = await call(world.agent, seat.gateway.url, wish)
    noted.push({ seen, seat, beganAt, endedAt: performance.now() })
    if (seen.status !== 200) await sleep(10)
  }
}

function wishOf({ keys }: World, random: () => number): Wish {
  const who = random()
  const [tenant, application, key] =
    who < 0.4
      ? (['prairie', 'trial', keys.trial] as const)
      : who < 0.7
        ? (['lakeside', 'ehr', keys.ehr] as const)
        : who < 0.85
          ? (['lakeside', 'portal', keys.portal] as const)
          : (['lakeside', 'reader', keys.reader] as const)
  const operation = application === 'reader' ? 'infer' : 'chat'
  return {
    tenant,
    application,
    key,
    operation,
    streamed: operation === 'chat' && random() < 0.6,
    wantsUsage: random() < 0.5,
    outputMax: random() < 0.8 ? 20 : 6,
    promptLength: 40 + Math.floor(random() * 400),
    leaveAfterMs: random() < 0.12 ? random() * 40 : undefined,
  }
}

/** What a person needs to look for the cause. */
export function reportOf(world: World, schedule: Schedule, ran: Ran): string {
  const shown = ran.findings.slice(0, 20).map(({ rule, about, detail }) => `  ${rule}: ${about}: ${detail}`)
  const requests = new Set(ran.findings.map(({ about }) => about.split(' ')[0]))
  const rows = ran.evidence.ledger
    .filter(({ requestId }) => requests.has(requestId))
    .slice(0, 20)
    .map((row) => `  row ${row.requestId} attempt ${row.attempt} ${row.outcome} ${row.inputTokens}+${row.outputTokens}`)
  const seen = ran.evidence.calls
    .filter(({ requestId }) => requestId !== undefined && requests.has(requestId))
    .slice(0, 20)
    .map((one) => `  call ${JSON.stringify(one)}`)
  const served = ran.evidence.host
    .filter(({ requestId }) => requestId !== null && requests.has(requestId))
    .slice(0, 20)
    .map((said) => `  host ${JSON.stringify(said)}`)
  const logs = world.slots.flatMap(({ index, seat }) =>
    (seat?.log ?? []).slice(-12).map((line) => `  gateway ${index}: ${line}`),
  )
  return [describe(schedule), ...shown, ...seen, ...served, ...rows, ...logs].join('\n')
}
