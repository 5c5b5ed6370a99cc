import { Failure } from '../../src/kernel/index.ts'
import type { Plant } from './run-schedule.ts'

/**
 * Faults of the protocol, one each, planted into a part of it. The product is as it is; what it asks, or what it is
 * answered, is not. A checker that does not find them finds nothing.
 */
export const plantedFaults: readonly Plant[] = [
  {
    name: 'a loan looks at nothing: the limit is not in the statement',
    changeDatabase(database) {
      database.lend = ({ instanceId, command }, account, held, { need }) => {
        const lease = database.leases.get(`${instanceId} ${account.id}`)
        const row = database.accounts.get(account.id)
        if (lease === undefined || row === undefined || lease.lastCommand >= command) return undefined
        row.leased += held + need - lease.amount
        lease.amount = held + need
        lease.lastCommand = command
        return { granted: need }
      }
    },
  },
  {
    name: 'commands to a lease are not numbered: a late one happens',
    changeDatabase(database) {
      const giveBack = database.giveBack.bind(database)
      const close = database.close.bind(database)
      const lend = database.lend.bind(database)
      const unnumbered = <T extends { command: number }>(command: T): T => ({ ...command, command: 1e9 })
      const forget = () => {
        for (const lease of database.leases.values()) lease.lastCommand = 0
      }
      database.giveBack = (command, ...rest) => (giveBack(unnumbered(command), ...rest), forget())
      database.close = (command, ...rest) => (close(unnumbered(command), ...rest), forget())
      database.lend = (command, ...rest) => {
        const answer = lend(unnumbered(command), ...rest)
        forget()
        return answer
      }
    },
  },
  {
    name: 'an idle lease is never closed',
    changePorts: (ports) => ({
      ...ports,
      authority: {
        ...ports.authority,
        lendTo: (instanceId) => ({ ...ports.authority.lendTo(instanceId), close: () => Promise.resolve() }),
      },
    }),
  },
  {
    name: 'a give-back takes a part of what calls in flight hold',
    changePorts: (ports) => ({
      ...ports,
      authority: {
        ...ports.authority,
        lendTo(instanceId) {
          const leases = ports.authority.lendTo(instanceId)
          return { ...leases, giveBack: (account, held) => leases.giveBack(account, held / 2n) }
        },
      },
    }),
  },
  {
    name: 'a lease is closed before the uses of its calls are written',
    tellsPocketsEarly: true,
  },
  {
    name: 'what a call did not use is lent to others before its end is safe',
    endsHoldsEarly: true,
  },
  {
    name: 'expiry leaves the instance: one that slept writes on under its name',
    changeDatabase(database) {
      const expire = database.expire.bind(database)
      database.expire = (instanceId, nowMs) => {
        expire(instanceId, nowMs)
        database.instances.set(instanceId, nowMs + 1e6)
      }
    },
  },
  {
    name: 'expiry forgets the calls in flight',
    changeDatabase(database) {
      const expire = database.expire.bind(database)
      database.expire = (instanceId, nowMs) => {
        for (const [requestId, note] of database.notes)
          if (note.instanceId === instanceId) database.notes.delete(requestId)
        expire(instanceId, nowMs)
      }
    },
  },
  {
    name: 'expiry does not unfold what the instance had written',
    changeDatabase(database) {
      const expire = database.expire.bind(database)
      database.expire = (instanceId, nowMs) => {
        for (const [key, { batch }] of database.batches)
          if (batch.instanceId === instanceId) database.batches.delete(key)
        expire(instanceId, nowMs)
      }
    },
  },
  {
    name: 'a batch has no number: written again, it counts again',
    changeDatabase(database) {
      const writeBatch = database.writeBatch.bind(database)
      const seen = new Set<string>()
      database.writeBatch = (batch, nowMs) => {
        const name = `${batch.instanceId} ${batch.lane} ${batch.number}`
        if (!seen.has(name)) {
          seen.add(name)
          return writeBatch(batch, nowMs)
        }
        const again = batch.events.replaceAll('"attempt":1,', '"attempt":7,')
        return writeBatch({ ...batch, events: again, number: 1_000 + seen.size }, nowMs)
      }
    },
  },
  {
    name: 'a caller is answered before its row is written',
    changePorts: (ports) => ({
      ...ports,
      write: (batch) => {
        void ports.write(batch).catch(() => {})
        return Promise.resolve('written')
      },
    }),
  },
  {
    name: 'a failure of the database is taken for a success',
    changePorts: (ports) => ({
      ...ports,
      write: (batch) =>
        ports.write(batch).catch((error: unknown) => {
          if (error instanceof Failure) return 'written'
          throw error
        }),
    }),
  },
  {
    name: 'the uses of an unfolded batch are taken again when it comes again',
    changeDatabase(database) {
      const unfold = database.unfold.bind(database)
      const seen = new Set<string>()
      database.unfold = (names) => {
        for (const { instanceId, lane, number } of names) {
          const row = database.batches.get(`${instanceId} ${lane} ${number}`)
          if (row === undefined) continue
          const key = `${instanceId} ${lane} ${number}`
          if (seen.has(key))
            for (const { uses } of row.rows)
              for (const { accountId, used } of uses) {
                const lease = database.leases.get(`${instanceId} ${accountId}`)
                if (lease !== undefined) lease.used += used
              }
          seen.add(key)
        }
        return unfold(names)
      }
    },
  },
  {
    name: 'what an ended instance had spooled is not written',
    changeDatabase(database) {
      database.writeLate = () => {}
    },
  },
  {
    name: 'the end of a call is not written with its row: its note stays',
    changePorts: (ports) => ({ ...ports, write: (batch) => ports.write({ ...batch, ended: '[]' }) }),
  },
  {
    name: 'a refusal is final when the rest of the budget is only held',
    changeDatabase(database) {
      const stateOf = database.stateOf.bind(database)
      database.stateOf = (instanceId, account) => {
        const state = stateOf(instanceId, account)
        return state === undefined ? undefined : { ...state, used: state.leased }
      }
    },
  },
]
