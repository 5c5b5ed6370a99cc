import { readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Database } from '../../db/index.ts'
import type { Job } from '../../jobs/index.ts'
import { expireInstance, writeBatchTo, writeLateTo } from '../../metering/index.ts'
import { instancesAt } from '../../quota/index.ts'
import { isRunning } from './home.ts'
import { readSpool } from './spool.ts'

/** A spool of another home is left alone so long after its last line, should its process only be out of sight. */
const strangersAfterMs = 3_600_000

/** Where spools lie, and which of them is this process's own. */
export interface Graveyard {
  readonly home: string
  readonly folder: string
  readonly own: string
}

/** `<home>.<pid>.<any>.spool`, and `.by-<pid>` at its end while somebody replays it. */
const spoolPattern = /^([0-9a-f]{16})\.(\d+)\.[0-9a-f-]+\.spool(?:\.by-(\d+))?$/

export const spoolPath = (folder: string, owner: { home: string; pid: number; name: string }): string =>
  join(folder, `${owner.home}.${owner.pid}.${owner.name}.spool`)

/**
 * Ends what processes of this machine left behind, as soon as they are seen to be gone: first their spools are replayed,
 * then their instances end. Processes that nobody here can see are waited for until their sign of life is too old.
 */
export const buryDeadJob = (place: Graveyard): Job => ({
  name: 'bury-dead',
  everySeconds: 2,
  async run({ database, log }) {
    const dead = (await instancesAt(database, place.home)).filter(({ pid }) => !isRunning(pid))
    const { replayed, left } = await replayOrphans(database, place)
    if (replayed > 0) log.warn('spool.replayed', { batches: replayed })
    for (const { instanceId, pid } of dead) {
      if (left.has(pid)) continue
      await expireInstance(database, instanceId)
      log.warn('instance.buried', { instance: instanceId, pid })
    }
  },
})

/** Replays spools whose processes are gone. `left`: processes whose spools somebody else is replaying. */
async function replayOrphans(
  database: Database,
  { home, folder, own }: Graveyard,
): Promise<{ replayed: number; left: ReadonlySet<number> }> {
  let replayed = 0
  const left = new Set<number>()
  for (const name of await readdir(folder).catch(() => [])) {
    const match = spoolPattern.exec(name)
    if (match === null || name === basename(own)) continue
    const [, owner, pidText, takerText] = match
    const [pid, taker] = [Number(pidText), Number(takerText ?? pidText)]
    const path = join(folder, name)
    // What this process took and could not replay, and what one of its number left before it, is there for it to take.
    const isOthers = taker !== process.pid && isRunning(taker)
    if (owner === home ? isOthers : !(await isForgotten(path))) {
      if (owner === home && taker !== pid) left.add(pid)
      continue
    }
    const taken = `${path.replace(/\.by-\d+$/, '')}.by-${process.pid}`
    try {
      // Whoever renames it has it.
      await rename(path, taken)
    } catch {
      left.add(pid)
      continue
    }
    replayed += await replay(database, taken)
    await rm(taken)
  }
  return { replayed, left }
}

const isForgotten = async (path: string): Promise<boolean> =>
  stat(path).then(
    ({ mtimeMs }) => Date.now() - mtimeMs > strangersAfterMs,
    () => false,
  )

/** @throws Failure when the database is away; the file stays, and a later run begins it anew. */
async function replay(database: Database, path: string): Promise<number> {
  const write = writeBatchTo(database)
  const writeLate = writeLateTo(database)
  let batches = 0
  for await (const batch of readSpool(path)) {
    if ((await write(batch)) === 'fenced') await writeLate(batch)
    batches++
  }
  return batches
}
