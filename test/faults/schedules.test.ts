import { afterAll, beforeAll, expect, test } from 'vitest'
import { hasProcesses } from '../support/command.ts'
import { reportOf, runSchedule, type Ran } from './run-schedule.ts'
import { describe, scheduleOf } from './schedule.ts'
import { openWorld, type World } from './world.ts'

/** A suite that everybody runs sees a few; SCHEDULES=1000 sees many. */
const schedules = Number(process.env['SCHEDULES'] ?? 8)
const firstSeed = Number(process.env['FIRST_SEED'] ?? 1)
const isVerbose = process.env['FAULTS_VERBOSE'] !== undefined
/** After so many seeds with findings the rest would only repeat them. */
const failuresMax = 5
/** What one schedule may take at most: faults, recovery, the lease time. */
const scheduleMsMax = 90_000

let world: World | undefined
beforeAll(async () => {
  if (hasProcesses) world = await openWorld()
}, 120_000)
afterAll(async () => {
  await world?.stop()
}, 120_000)

// Who is to be stopped and killed is found in /proc.
test.skipIf(!hasProcesses)(
  `${schedules} seeded schedules of faults: nothing is lost, doubled, overspent or held`,
  async () => {
    if (world === undefined) throw new Error('no world')
    const failures: string[] = []
    const total = new Tally()
    for (let seed = firstSeed; seed < firstSeed + schedules && failures.length < failuresMax; seed++) {
      const schedule = scheduleOf(seed)
      if (isVerbose) console.log(describe(schedule))
      const ran = await runSchedule(world, schedule)
      if (isVerbose) console.log(`  ${ran.milliseconds} ms, settled in ${ran.settledInMs} ms`)
      total.add(
        ran,
        schedule.steps.map(({ fault }) => fault.kind),
      )
      if (ran.findings.length === 0) continue
      failures.push(reportOf(world, schedule, ran))
      console.log(failures.at(-1))
    }
    console.log(total.text())
    expect(failures.length, 'seeds with findings, printed above').toBe(0)
    // A run in which hardly anything was answered would prove nothing.
    expect(total.whole).toBeGreaterThan(schedules * 10)
  },
  schedules * scheduleMsMax,
)

class Tally {
  schedules = 0
  calls = 0
  whole = 0
  rows = 0
  expired = 0
  hostOnly = 0
  notDelivered = 0
  milliseconds = 0
  settledInMsMax = 0
  readonly kinds = new Map<string, number>()
  readonly statuses = new Map<string, number>()

  add({ evidence, milliseconds, settledInMs }: Ran, kinds: readonly string[]): void {
    this.schedules++
    this.calls += evidence.calls.length
    this.whole += evidence.calls.filter(({ isWhole }) => isWhole).length
    this.rows += evidence.ledger.length
    this.expired += evidence.ledger.filter(({ outcome }) => outcome === 'expired').length
    const known = new Set(evidence.ledger.map(({ requestId }) => requestId))
    this.hostOnly += evidence.host.filter(({ requestId }) => requestId !== null && !known.has(requestId)).length
    const whole = new Set(evidence.calls.flatMap(({ isWhole, requestId }) => (isWhole ? [requestId] : [])))
    this.notDelivered += evidence.ledger.filter(
      ({ outcome, requestId }) => outcome === 'answered' && !whole.has(requestId),
    ).length
    this.milliseconds += milliseconds
    this.settledInMsMax = Math.max(this.settledInMsMax, settledInMs)
    for (const kind of kinds) this.kinds.set(kind, (this.kinds.get(kind) ?? 0) + 1)
    for (const { status, code, isWhole, hasLeft } of evidence.calls) {
      const what = isWhole ? 'whole' : hasLeft ? 'left' : status === 200 ? 'cut' : `${status} ${code ?? ''}`.trim()
      this.statuses.set(what, (this.statuses.get(what) ?? 0) + 1)
    }
  }

  text(): string {
    const counted = (counts: ReadonlyMap<string, number>) =>
      [...counts]
        .toSorted(([, a], [, b]) => b - a)
        .map(([name, count]) => `${name} ${count}`)
        .join(', ')
    return [
      `${this.schedules} schedules, ${Math.round(this.milliseconds / Math.max(1, this.schedules))} ms each; ` +
        `nothing held or open ${this.settledInMsMax} ms after the last fault at the latest`,
      `${this.calls} calls: ${counted(this.statuses)}`,
      `${this.rows} ledger rows, ${this.expired} of them expired; ${this.notDelivered} answers stand in the ledger and were ` +
        `not received whole; ${this.hostOnly} calls only the host knows`,
      `faults: ${counted(this.kinds)}`,
    ].join('\n')
  }
}
