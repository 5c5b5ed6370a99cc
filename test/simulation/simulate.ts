// Many schedules on all cores: `npm run simulate -- 100000 [first seed]`. Ends with status 1 when one breaks a guarantee.
import { availableParallelism } from 'node:os'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { runMany, type Tally } from './many-schedules.ts'
import { planSchedule } from './schedule.ts'
import { report, shrink } from './shrink.ts'

interface Part {
  readonly from: number
  readonly count: number
}

/** Seeds per message of a worker. */
const portion = 1_000

if (isMainThread) await main()
else await work(workerData as Part)

async function main(): Promise<void> {
  const count = Number(process.argv[2] ?? 100_000)
  const first = Number(process.argv[3] ?? 1)
  const workers = availableParallelism()
  const began = performance.now()
  const figures: Record<string, number> = {}
  const failing: number[] = []
  const each = Math.ceil(count / workers)
  await Promise.all(
    Array.from({ length: workers }, (_, index) => {
      const part: Part = { from: first + index * each, count: Math.max(0, Math.min(each, count - index * each)) }
      return new Promise<void>((resolve, reject) => {
        // Worlds live briefly: a large young generation collects them for nothing.
        const worker = new Worker(new URL(import.meta.url), {
          workerData: part,
          resourceLimits: { maxYoungGenerationSizeMb: 64 },
        })
        worker.on('message', (told: { figures: Tally['figures']; failing: readonly number[] }) => {
          for (const [name, value] of Object.entries(told.figures)) figures[name] = (figures[name] ?? 0) + value
          failing.push(...told.failing)
        })
        worker.on('error', reject)
        worker.on('exit', () => resolve())
      })
    }),
  )
  const seconds = (performance.now() - began) / 1000
  const rate = Math.round((figures['schedules'] ?? 0) / seconds)
  process.stdout.write(`${JSON.stringify(figures)}\n${seconds.toFixed(1)} s on ${workers} cores, ${rate} schedules/s\n`)
  if (failing.length === 0) return
  process.stdout.write(`broken by ${failing.length} seeds: ${failing.slice(0, 20).join(', ')}\n\n`)
  const [seed] = failing
  if (seed !== undefined) process.stdout.write(`${report(seed, await shrink(planSchedule(seed), {}))}\n`)
  process.exitCode = 1
}

async function work({ from, count }: Part): Promise<void> {
  for (let done = 0; done < count; done += portion) {
    const tally = await runMany({ from: from + done, count: Math.min(portion, count - done) }, { brokenMax: 20 })
    const figures = { schedules: tally.schedules, ...tally.figures }
    parentPort?.postMessage({ figures, failing: tally.broken.map(({ schedule }) => schedule.seed) }, [])
  }
}
