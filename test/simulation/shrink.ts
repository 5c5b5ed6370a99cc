import { runSchedule, runSchedules, type Run, type RunOptions } from './run-schedule.ts'
import type { Schedule } from './schedule.ts'

/** So many schedules are run to make one failure small. */
const runsMax = 1_500

/**
 * A failing schedule with as few calls, mishaps and disturbed messages as still break the same guarantee: parts are left
 * out, halves first, as long as it stays broken.
 */
export async function shrink(failing: Schedule, options: RunOptions): Promise<Run> {
  const first = await runSchedule(failing, options)
  const guarantee = first.violation?.guarantee
  if (guarantee === undefined) return first
  let best: Schedule = { ...failing, disturbed: first.disturbed }
  let runs = 0

  /** The first of the candidates that is still broken in the same way. */
  const firstBroken = async (candidates: readonly Schedule[]): Promise<Schedule | undefined> => {
    if (runs >= runsMax) return undefined
    runs += candidates.length
    const tried = await runSchedules(candidates, options)
    return tried.find(({ violation }) => violation?.guarantee === guarantee)?.schedule
  }
  const leaveOut = async <T>(
    partsOf: (schedule: Schedule) => readonly T[],
    put: (parts: readonly T[]) => Partial<Schedule>,
  ) => {
    for (let size = Math.ceil(partsOf(best).length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2))
      for (;;) {
        const parts = partsOf(best)
        const starts = Array.from({ length: Math.ceil(parts.length / size) }, (_, index) => index * size)
        const smaller = await firstBroken(
          starts.map((from) => ({ ...best, ...put([...parts.slice(0, from), ...parts.slice(from + size)]) })),
        )
        if (smaller === undefined) break
        best = smaller
      }
  }

  for (let before = Number.POSITIVE_INFINITY; sizeOf(best) < before;) {
    before = sizeOf(best)
    await leaveOut(
      ({ mishaps }) => mishaps,
      (mishaps) => ({ mishaps }),
    )
    await leaveOut(
      ({ calls }) => calls,
      (calls) => ({ calls }),
    )
    await leaveOut(
      ({ disturbed }) => [...(disturbed ?? [])],
      (parts) => ({ disturbed: new Set(parts) }),
    )
    for (const simpler of [
      { turnsPeriod: false },
      { hasSpool: false },
      { aheadMs: 0 },
      { licenses: best.licenses.map((license) => ({ ...license, revised: undefined })) },
      { licenses: best.licenses.map((license) => ({ ...license, concurrency: undefined })) },
    ])
      best = (await firstBroken([{ ...best, ...simpler }])) ?? best
  }
  return runSchedule(best, { ...options, keepsHistory: true })
}

const sizeOf = ({ calls, mishaps, disturbed }: Schedule): number =>
  calls.length + mishaps.length + (disturbed?.size ?? 0)

/** What a person reads: the guarantee, what was left of the schedule, and what happened. Signs of life are left out. */
export function report(seed: number, { violation, schedule, history }: Run): string {
  const lines = history.filter((line) => !/ {2}renew .* → true$/.test(line))
  return [
    `seed ${seed} breaks "${violation?.guarantee}"`,
    violation?.message ?? '',
    `left of the schedule: ${schedule.calls.length} calls, mishaps ${JSON.stringify(schedule.mishaps)}`,
    `disturbed messages: ${[...(schedule.disturbed ?? [])].join(', ') || 'none'}`,
    `licenses: ${JSON.stringify(schedule.licenses)}`,
    '',
    ...lines,
  ].join('\n')
}
