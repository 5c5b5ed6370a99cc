import { check, type Finding } from './check.ts'
import { ask, atOneMoment } from './database.ts'
import type { Allowance, Books, CallSeen, Evidence } from './evidence.ts'
import { gatherBooks, gatherLedger, gatherUnfinished, spoolsIn } from './gather.ts'
import type { World } from './world.ts'

export interface Beginning {
  readonly books: Books
  readonly refused: number
}

/** Empties the ledger and the host's log, so that what stands in them afterwards is of this time. */
export async function begin(world: World): Promise<Beginning> {
  const { adminUrl } = world.database
  await ask(adminUrl, 'truncate usage_event')
  world.host.clearUsage()
  return atOneMoment(adminUrl, async (question) => ({
    books: await gatherBooks(question),
    refused: (await gatherUnfinished(question)).batchesRefused,
  }))
}

/**
 * Waits until nothing is held, open or on its way, and takes the evidence. When that does not come in time, the evidence
 * says so.
 */
export async function conclude(
  world: World,
  beginning: Beginning,
  of: { calls: () => readonly CallSeen[]; hostMayLie: boolean; allowances: readonly Allowance[]; withinMs: number },
): Promise<{ evidence: Evidence; findings: readonly Finding[] }> {
  const unfinished = await untilSettled(world, of.withinMs)
  const told = await atOneMoment(world.database.adminUrl, async (question) => ({
    ledger: await gatherLedger(question),
    after: await gatherBooks(question),
  }))
  const evidence: Evidence = {
    ...told,
    // Asked now: what a process has said of itself by then belongs to it.
    calls: of.calls(),
    host: world.host.usage(),
    before: beginning.books,
    openCalls: unfinished.openCalls,
    batchesWaiting: unfinished.batchesWaiting,
    spools: spoolsIn(world.dataDir).length,
    batchesRefused: unfinished.batchesRefused - beginning.refused,
    hostMayLie: of.hostMayLie,
    allowances: of.allowances,
  }
  return { evidence, findings: check(evidence) }
}

async function untilSettled(world: World, withinMs: number) {
  const began = performance.now()
  for (;;) {
    const unfinished = await atOneMoment(world.database.adminUrl, gatherUnfinished)
    const { openCalls, batchesWaiting, held } = unfinished
    const isSettled =
      openCalls.length === 0 &&
      batchesWaiting === 0 &&
      spoolsIn(world.dataDir).length === 0 &&
      held === 0n &&
      world.host.open().length === 0
    if (isSettled || performance.now() - began > withinMs) return unfinished
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
