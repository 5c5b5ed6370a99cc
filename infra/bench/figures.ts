import type { Slice } from './run-slice.ts'
import type { SystemName } from './systems.ts'

/** A slice, and what it cost the processes behind it. */
export interface Measured extends Slice {
  readonly cpuMs: number | undefined
  readonly databaseCpuMs: number | undefined
}

/** The slices of one system in one scenario, a slice per round. */
export type Rounds = readonly Measured[]

export interface Latency {
  /** The median of the rounds' medians. */
  readonly p50: number
  /** Of all calls of all rounds; absent where too few calls say anything about it. */
  readonly p99: number | undefined
  readonly p999: number | undefined
}

export interface Figures {
  readonly system: SystemName
  readonly calls: number
  readonly callsPerSecond: number
  readonly callsPerSecondByRound: readonly number[]
  /** How far the round farthest from the median is from it: 0.1 is 10 %. The worse of throughput and p50. */
  readonly spread: number
  /** Throughput as a part of each other system's: the median over rounds, each against its neighbour in the same round. */
  readonly partOf: Readonly<Partial<Record<SystemName, number>>>
  readonly totalMs: Latency
  readonly firstByteMs: Latency
  /** More than the model host itself. p50: the median of the rounds' differences. */
  readonly addedMs: Latency
  readonly addedFirstByteMs: Latency
  readonly cpuMicrosPerCall: number | undefined
  readonly databaseCpuMicrosPerCall: number | undefined
  readonly clientBusy: number
}

/** Repeats that are farther from their median than this do not agree. */
export const spreadMax = 0.1

export function figuresOf(measured: ReadonlyMap<SystemName, Rounds>): readonly Figures[] {
  const base = measured.get('host') ?? []
  return [...measured].map(([system, rounds]) => {
    const [totals, firstBytes] = [totalsOf(rounds), firstBytesOf(rounds)]
    const calls = rounds.reduce((sum, { totalMs }) => sum + totalMs.length, 0)
    const answered = rounds.reduce((sum, slice) => sum + slice.answered, 0)
    const perCall = (pick: (slice: Measured) => number | undefined) => {
      const costs = rounds.map(pick).filter((cost) => cost !== undefined)
      return costs.length < rounds.length ? undefined : (1000 * costs.reduce((sum, cost) => sum + cost, 0)) / answered
    }
    const partOf = Object.fromEntries(
      [...measured].map(([other, others]) => [
        other,
        median(rounds.map(({ callsPerSecond }, index) => callsPerSecond / (others[index]?.callsPerSecond ?? NaN))),
      ]),
    )
    return {
      system,
      calls,
      callsPerSecond: median(rounds.map(({ callsPerSecond }) => callsPerSecond)),
      callsPerSecondByRound: rounds.map(({ callsPerSecond }) => Math.round(callsPerSecond)),
      spread: Math.max(spreadOf(rounds.map(({ callsPerSecond }) => callsPerSecond)), spreadOf(totals.map(medianOf))),
      partOf,
      totalMs: latencyOf(totals),
      firstByteMs: latencyOf(firstBytes),
      addedMs: added(totals, totalsOf(base)),
      addedFirstByteMs: added(firstBytes, firstBytesOf(base)),
      cpuMicrosPerCall: perCall(({ cpuMs }) => cpuMs),
      databaseCpuMicrosPerCall: perCall(({ databaseCpuMs }) => databaseCpuMs),
      clientBusy: median(rounds.map(({ clientBusy }) => clientBusy)),
    }
  })
}

type Samples = readonly Float32Array[]
const totalsOf = (rounds: Rounds): Samples => rounds.map(({ totalMs }) => totalMs)
const firstBytesOf = (rounds: Rounds): Samples => rounds.map(({ firstByteMs }) => firstByteMs)

function latencyOf(samples: Samples): Latency {
  const all = sorted(samples)
  return { p50: median(samples.map(medianOf)), p99: tail(all, 0.99), p999: tail(all, 0.999) }
}

function added(samples: Samples, base: Samples): Latency {
  const [all, allBase] = [sorted(samples), sorted(base)]
  const difference = (quantile: number) => {
    const [mine, its] = [tail(all, quantile), tail(allBase, quantile)]
    return mine === undefined || its === undefined ? undefined : mine - its
  }
  const p50 = median(samples.map((round, index) => medianOf(round) - medianOf(base[index] ?? round)))
  return { p50, p99: difference(0.99), p999: difference(0.999) }
}

function sorted(samples: Samples): Float32Array {
  const all = new Float32Array(samples.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const round of samples) {
    all.set(round, at)
    at += round.length
  }
  return all.toSorted()
}

/** A quantile, by nearest rank, with at least two calls beyond it. */
function tail(all: Float32Array, quantile: number): number | undefined {
  return all.length * (1 - quantile) < 2 ? undefined : all[Math.ceil(all.length * quantile) - 1]
}

const medianOf = (samples: Float32Array): number => samples.toSorted()[Math.ceil(samples.length / 2) - 1] ?? NaN

export function median(values: readonly number[]): number {
  const inOrder = values.toSorted((a, b) => a - b)
  const half = inOrder.length >> 1
  const upper = inOrder[half] ?? NaN
  return inOrder.length % 2 === 1 ? upper : ((inOrder[half - 1] ?? NaN) + upper) / 2
}

function spreadOf(values: readonly number[]): number {
  const middle = median(values)
  return Math.max(...values.map((value) => Math.abs(value - middle) / middle))
}
