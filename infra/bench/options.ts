import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'

export interface BenchOptions {
  readonly size: 'quick' | 'default' | 'all'
  /** Scenarios whose name contains it; all when empty. */
  readonly only: string
  readonly json: string | undefined
  /** Processes of each system; absent: one, and as many as cores for the throughput. */
  readonly workers: number | undefined
  readonly cores: number
  readonly tenants: number
  /** How long a slice is, if not as long as the size says. */
  readonly sliceMs: number | undefined
  /** How long to wait, all in all, for the machine to be quiet. */
  readonly patienceMinutes: number
  /** A folder for CPU profiles: the run profiles the gateway instead of comparing it. */
  readonly profile: string | undefined
  /** A folder with @portkey-ai/gateway installed in it. */
  readonly portkey: string | undefined
}

export const usage = `npm run bench -- [options]
  --quick            fewer scenarios, shorter and fewer rounds: about a minute instead of four
  --all              more scenarios: 256 connections too
  --only <text>      scenarios whose name contains the text, such as whole-0ms-c64 or -w2
  --workers <n>      so many processes of each system, instead of one and of as many as there are cores
  --tenants <n>      spread the calls over so many tenants, instead of one
  --patient <m>      make slices again that others worked beside, until the run has taken so many minutes
  --slice <ms>       make slices so many milliseconds long
  --json <file>      write the figures there as well
  --profile <folder> profile a gateway process instead: whole-0ms-c64-w1 and stream-0ms-c16-w1, or what --only names
  --portkey <folder> also measure @portkey-ai/gateway as installed in that folder, which governs nothing`

/** @throws TypeError with one line for whoever typed it. */
export function readOptions(args: readonly string[]): BenchOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      all: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      slice: { type: 'string' },
      patient: { type: 'string', default: '0' },
      json: { type: 'string' },
      workers: { type: 'string' },
      tenants: { type: 'string', default: '1' },
      profile: { type: 'string' },
      portkey: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  if (values.quick && values.all) throw new TypeError('--quick and --all: choose one')
  return {
    size: values.quick ? 'quick' : values.all ? 'all' : 'default',
    only: values.only,
    json: values.json,
    workers: values.workers === undefined ? undefined : countOf('--workers', values.workers, { min: 1, max: 64 }),
    cores: availableParallelism(),
    tenants: countOf('--tenants', values.tenants, { min: 1, max: 10_000 }),
    sliceMs: values.slice === undefined ? undefined : countOf('--slice', values.slice, { min: 100, max: 60_000 }),
    patienceMinutes: countOf('--patient', values.patient, { min: 0, max: 24 * 60 }),
    profile: values.profile,
    portkey: values.portkey,
  }
}

function countOf(name: string, text: string, { min, max }: { min: number; max: number }): number {
  const count = Number(text)
  if (Number.isInteger(count) && count >= min && count <= max) return count
  throw new TypeError(`${name} is a whole number from ${min} to ${max}`)
}
