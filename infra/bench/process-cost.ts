import { readFileSync } from 'node:fs'

// What a process has used is read where Linux tells it. Elsewhere there is no figure, and the table has a dash.

/** /proc counts in hundredths of a second on every architecture that Node runs on. */
const msPerTick = 10

/** A process and all below it. */
export function processTree(pid: number): readonly number[] {
  const children = read(`/proc/${pid}/task/${pid}/children`)?.trim().split(/\s+/).filter(Boolean) ?? []
  return [pid, ...children.flatMap((child) => processTree(Number(child)))]
}

/** The processes of that name below this one. */
export const processesBelow = (pid: number, name: string): readonly number[] =>
  processTree(pid).filter((one) => read(`/proc/${one}/comm`)?.trim() === name)

/** User and system time of each process so far, in milliseconds. */
export type CpuTimes = ReadonlyMap<number, number>

export function cpuTimesOf(pids: readonly number[]): CpuTimes {
  return new Map(
    pids.flatMap((pid) => {
      const stat = read(`/proc/${pid}/stat`)
      if (stat === undefined) return []
      // The name may contain spaces; what follows its bracket does not. utime and stime are fields 14 and 15.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return [[pid, (Number(fields[11]) + Number(fields[12])) * msPerTick] as const]
    }),
  )
}

/** What was used between the two, also by processes that began in between; those that ended are lost. */
export function cpuMsBetween(before: CpuTimes, after: CpuTimes): number | undefined {
  if (after.size === 0) return undefined
  return [...after].reduce((sum, [pid, ms]) => sum + ms - (before.get(pid) ?? 0), 0)
}

/** When, and what the machine and our own processes had used of its cores by then, in milliseconds. */
interface MachineUse {
  readonly at: number
  readonly busyMs: number
  readonly ours: CpuTimes
}

export function machineUse(): MachineUse | undefined {
  const [, user, nice, system, , , , , steal] = read('/proc/stat')?.split('\n')[0]?.split(/\s+/).map(Number) ?? []
  if (user === undefined) return undefined
  // Time in interrupts is left out: most of it is our own loopback's, and no process is charged for it.
  const ticks = [user, nice, system, steal].reduce<number>((sum, part) => sum + (part ?? 0), 0)
  return { at: performance.now(), busyMs: ticks * msPerTick, ours: cpuTimesOf(processTree(process.pid)) }
}

/** The part of all cores that others used between the two, from 0 to 1; what the hypervisor took is in it. */
export function othersShare(before: MachineUse, after: MachineUse, cores: number): number {
  const ours = cpuMsBetween(before.ours, after.ours) ?? 0
  return Math.max(0, after.busyMs - before.busyMs - ours) / ((after.at - before.at) * cores)
}

/** Resident memory, and the most that it ever was. */
export function memoryOf(pid: number): { readonly nowBytes: number; readonly mostBytes: number } | undefined {
  const status = read(`/proc/${pid}/status`)
  if (status === undefined) return undefined
  const bytes = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) * 1024
  return { nowBytes: bytes('VmRSS'), mostBytes: bytes('VmHWM') }
}

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
