import type { Disturbances } from './fates.ts'
import { seeded } from '../support/seeded.ts'

/** One license of the simulated house: what it limits, and by how much. */
export interface PlannedLicense {
  readonly tenant: number
  readonly budgets: readonly {
    readonly meter: 'tokens' | 'requests' | 'cost'
    readonly per: 'day' | 'month'
    readonly limit: number
  }[]
  readonly concurrency: number | undefined
  /** A later revision multiplies every budget. */
  readonly revised: { readonly atMs: number; readonly factor: number } | undefined
}

export interface PlannedCall {
  readonly call: number
  readonly atMs: number
  readonly slot: number
  readonly tenant: number
  readonly bytes: number
  /** The caller's own maximum of output tokens, if it names one. */
  readonly named: number | undefined
  /** How long the model host takes. */
  readonly hostMs: number
  /** Share of the bound that is used, from 0 to 1. */
  readonly share: number
  /** Deployments that fail before one answers. */
  readonly failsFirst: number
  readonly end: 'answered' | 'fails' | 'caller leaves'
}

/** What befalls a process: counted in what it does and hears, so that every await point is one. */
export type Mishap =
  | {
      readonly kind: 'dies'
      readonly slot: number
      readonly afterActions: number
      readonly backAfterMs: number | undefined
    }
  | { readonly kind: 'sleeps'; readonly slot: number; readonly afterActions: number; readonly forMs: number }
  /** A rolling upgrade: no new calls, then an orderly stop, then another process. */
  | { readonly kind: 'is replaced'; readonly slot: number; readonly atMs: number }
  | { readonly kind: 'database away'; readonly atMs: number; readonly forMs: number }

/** Everything that is decided before it runs. Its fates are drawn by name from `seed`. */
export interface Schedule {
  readonly seed: number
  readonly slots: number
  /** Whether processes have a disk for batches that the database does not take. */
  readonly hasSpool: boolean
  /** Whether days and months turn two seconds after the start. */
  readonly turnsPeriod: boolean
  readonly licenses: readonly PlannedLicense[]
  readonly calls: readonly PlannedCall[]
  readonly mishaps: readonly Mishap[]
  readonly network: Disturbances
  /** For so long processes borrow ahead: mostly longer than a schedule lasts, whose few calls are a slow pace. */
  readonly aheadMs: number
  /** Set while a failure is made small: only these messages are disturbed. */
  readonly disturbed?: ReadonlySet<string>
}

export const leaseSeconds = 3
/** Calls and mishaps begin before this; after `calmFromMs` nothing goes wrong any more. */
export const busyUntilMs = 4_000
export const calmFromMs = 9_000

const quiet: Disturbances = { slow: 0, 'request lost': 0, 'answer lost': 0, late: 0 }
const networks: readonly Disturbances[] = [
  quiet,
  { slow: 60, 'request lost': 5, 'answer lost': 5, late: 5 },
  { slow: 100, 'request lost': 30, 'answer lost': 40, late: 40 },
  { slow: 300, 'request lost': 80, 'answer lost': 100, late: 100 },
]

/** A schedule of its own for each seed. */
export function planSchedule(seed: number): Schedule {
  const random = seeded(seed)
  const upTo = (most: number) => Math.floor(random() * (most + 1))
  const pick = <T>(from: readonly [T, ...T[]]): T => from[upTo(from.length - 1)] ?? from[0]
  const chance = (share: number) => random() < share

  const slots = 1 + upTo(2)
  const tenants = pick([1, 1, 2])
  const crowd = pick([3, 8, 14])
  const calls = Array.from({ length: 1 + upTo(crowd - 1) }, (_, index): PlannedCall => ({
    call: index + 1,
    // Some come all at once.
    atMs: chance(0.4) ? 100 * upTo(5) : upTo(busyUntilMs),
    slot: upTo(slots - 1),
    tenant: upTo(tenants - 1),
    bytes: 1 + upTo(99),
    named: chance(0.6) ? 1 + upTo(199) : undefined,
    hostMs: chance(0.2) ? upTo(2_500) : upTo(200),
    share: pick([0, 0.1, 0.5, 1, 1]),
    failsFirst: chance(0.15) ? 1 : 0,
    end: pick(['answered', 'answered', 'answered', 'answered', 'fails', 'caller leaves']),
  }))
  const licenses = Array.from({ length: tenants }, (_, tenant): PlannedLicense => {
    const own = calls.filter((call) => call.tenant === tenant)
    const tokens = own.reduce((sum, { bytes, named }) => sum + bytes + (named ?? 200), 0)
    const tightness = pick([0.3, 0.7, 0.7, 1.5, 20])
    const part = (whole: number) => Math.max(1, Math.floor(whole * tightness))
    return {
      tenant,
      budgets: pick([
        [{ meter: 'tokens', per: 'month', limit: part(tokens) }],
        [{ meter: 'tokens', per: 'day', limit: part(tokens) }],
        [
          { meter: 'requests', per: 'day', limit: part(own.length) },
          { meter: 'tokens', per: 'month', limit: part(tokens) },
        ],
        [{ meter: 'cost', per: 'month', limit: part(tokens) }],
      ]),
      concurrency: chance(0.3) ? 1 + upTo(4) : undefined,
      revised: chance(0.2) ? { atMs: upTo(busyUntilMs), factor: pick([0.3, 0.6, 2]) } : undefined,
    }
  })
  const mishaps: Mishap[] = []
  for (let slot = 0; slot < slots; slot++) {
    if (chance(0.35)) {
      const backAfterMs = chance(0.7) ? 50 + upTo(2_000) : undefined
      mishaps.push({ kind: 'dies', slot, afterActions: upTo(60), backAfterMs })
    }
    if (chance(0.2))
      mishaps.push({ kind: 'sleeps', slot, afterActions: upTo(60), forMs: 100 + upTo(3 * leaseSeconds * 1000) })
    if (chance(0.1)) mishaps.push({ kind: 'is replaced', slot, atMs: upTo(busyUntilMs) })
  }
  if (chance(0.15)) mishaps.push({ kind: 'database away', atMs: upTo(busyUntilMs), forMs: 20 + upTo(3_000) })
  return {
    seed,
    slots,
    turnsPeriod: chance(0.15),
    hasSpool: chance(0.6),
    licenses,
    calls,
    mishaps,
    network: pick([quiet, ...networks]),
    // Drawn last, so that a seed of before is else the same.
    aheadMs: pick([2_400, 60_000, 240_000]),
  }
}
