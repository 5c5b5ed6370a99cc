import { setTimeout as sleep } from 'node:timers/promises'
import type { Network } from './network.ts'
import { leaseSeconds, type Fault, type Way } from './schedule.ts'
import type { Slot, World } from './world.ts'

/** A sleep of this part of a lease may end in being taken for dead. */
const deadlySleepMs = leaseSeconds * 1_000 * 0.5

/**
 * Does what a schedule says and mends it when its time is over. Resolves when the world is as it was: the process is up
 * again, the server has recovered, the connections can be made. Faults may overlap; each mends only its own.
 */
export async function applyFault(world: World, fault: Fault): Promise<void> {
  switch (fault.kind) {
    case 'gateway killed':
    case 'gateway replaced': {
      const slot = slotAt(world, fault.slot)
      const { seat } = slot
      // Two faults may want the same process: the second one finds nobody.
      if (seat === undefined) return
      slot.seat = undefined
      if (fault.kind === 'gateway killed') {
        seat.deaths.push(performance.now())
        await seat.gateway.kill()
      } else {
        seat.gateway.signal('SIGTERM')
        await seat.gateway.stop()
      }
      return world.refill(slot)
    }
    case 'gateway asleep': {
      const { seat } = slotAt(world, fault.slot)
      if (seat === undefined) return
      if (fault.forMs >= deadlySleepMs) seat.deaths.push(performance.now())
      seat.gateway.signal('SIGSTOP')
      await sleep(fault.forMs)
      seat.gateway.signal('SIGCONT')
      return
    }
    case 'clock stepped': {
      const { seat } = slotAt(world, fault.slot)
      if (seat === undefined) return
      seat.hasWrongClock = true
      seat.gateway.tell({ stepClockMs: fault.byMs })
      await sleep(fault.forMs)
      seat.gateway.tell({ stepClockMs: 0 })
      return
    }
    case 'host misbehaves': {
      world.host.setKnobs(fault.knobs)
      await sleep(fault.forMs)
      // Not to what was found: of two faults that overlap, the second would leave the first one's behind for good.
      const names = Object.keys(fault.knobs) as (keyof World['honestKnobs'])[]
      world.host.setKnobs(Object.fromEntries(names.map((name) => [name, world.honestKnobs[name]])))
      return
    }
    case 'host unreachable':
    case 'host unheard':
    case 'host far':
      return disturb(waysOf(world, fault.way), fault)
    case 'database unreachable':
    case 'database unheard':
    case 'database far':
      return disturb(
        world.slots.flatMap(({ index, seat }) =>
          seat !== undefined && (fault.slot === 'all' || fault.slot === index) ? [seat.network] : [],
        ),
        fault,
      )
    default:
      return disturbDatabase(world, fault)
  }
}

type NetworkFault = Extract<Fault, { kind: `${'host' | 'database'} ${'unreachable' | 'unheard' | 'far'}` }>

async function disturb(networks: readonly Network[], fault: NetworkFault): Promise<void> {
  for (const network of networks)
    if ('delayMs' in fault) network.delay(fault.delayMs)
    else if ('breaks' in fault) network.hush('what' in fault ? fault.what : 'everything')
    else network.cut()
  await sleep(fault.forMs)
  for (const network of networks) {
    if ('breaks' in fault && fault.breaks) network.cut()
    network.mend()
  }
}

type DatabaseFault = Exclude<
  Extract<Fault, { kind: `database ${string}` }>,
  { kind: `database ${'unreachable' | 'unheard' | 'far'}` }
>

/** Faults of the server come one after the other: a server that is down cannot be locked. */
let serverIsFree: Promise<void> = Promise.resolve()

function disturbDatabase(world: World, fault: DatabaseFault): Promise<void> {
  const done = serverIsFree.then(() => disturbServer(world, fault))
  serverIsFree = done.catch(() => {})
  return done
}

async function disturbServer({ database }: World, fault: DatabaseFault): Promise<void> {
  switch (fault.kind) {
    case 'database killed':
      await database.kill()
      await sleep(fault.forMs)
      return database.start()
    case 'database process killed':
      await database.killBackend()
      return untilAnswers(database)
    case 'database asleep':
      database.pause()
      await sleep(fault.forMs)
      return database.resume()
    case 'database out of connections':
      await database.limitConnections(fault.max)
      await sleep(fault.forMs)
      return database.limitConnections(-1)
    case 'database locked': {
      const unlock = await database.lock(['usage_event', 'usage_batch'])
      await sleep(fault.forMs)
      return unlock()
    }
  }
}

async function untilAnswers(database: World['database']): Promise<void> {
  const began = performance.now()
  for (;;) {
    if (await database.answers()) return
    if (performance.now() - began > 20_000) throw new Error('the database did not recover')
    await sleep(20)
  }
}

function slotAt(world: World, index: number): Slot {
  const slot = world.slots[index]
  if (slot === undefined) throw new Error(`there is no place ${index}`)
  return slot
}

const waysOf = ({ ways }: World, way: Way | 'all'): readonly Network[] =>
  way === 'all' ? [ways.east, ways.west] : [ways[way]]
