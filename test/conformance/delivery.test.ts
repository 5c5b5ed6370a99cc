import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openHouse, type House } from '../support/house.ts'
import { until } from '../support/ledger.ts'
import { awaitRowsOfCall, rowsOfCall } from './call-rows.ts'
import { knownKey } from './known-key.ts'
import { openRaw, type RawCall, type RawWish } from './raw-caller.ts'
import {
  beginStream,
  contentEvent,
  doneEvent,
  finishEvent,
  startScriptedHost,
  usageEvent,
  type ScriptedHost,
} from './scripted-host.ts'

let host: ScriptedHost
let house: House
let key: string
let owner: pg.Client
/** A connection of the gateway's own role: it sees the rows that the gateway sees. */
let holder: pg.Client
beforeAll(async () => {
  host = await startScriptedHost()
  house = await openHouse({
    replace: { 'models/scribe.yaml': (text) => text.replaceAll('MODEL-HOST', host.url) },
  })
  key = await knownKey(house, 'lakeside/ehr')
  owner = new pg.Client({ connectionString: house.databases.ownerUrl })
  holder = new pg.Client({ connectionString: house.databases.appUrl })
  await Promise.all([owner.connect(), holder.connect()])
})
afterAll(async () => {
  await Promise.all([owner.end(), holder.end()])
  await house.stop()
  await host.stop()
})

const ask = (wish: Partial<RawWish> & { stream?: boolean } = {}): RawCall =>
  openRaw({
    url: `${house.url}/v1/chat/completions`,
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({
      model: 'scribe',
      stream: wish.stream ?? true,
      messages: [{ role: 'user', content: 'Chest pain for an hour. '.repeat(10) }],
    }),
    ...wish,
  })

const spoolFiles = (): Promise<readonly string[]> => readdir(join(house.dataDir, 'spool')).catch(() => [])

const requestIdOf = async (call: RawCall): Promise<string> => String((await call.head).headers['x-request-id'])

describe('a stream passes as it comes', () => {
  test('each event is with the caller before the host has written the next', async () => {
    let call: RawCall | undefined
    host.answer(async (_, response) => {
      beginStream(response)
      let sent = ''
      for (const event of [': keep-alive\n\n', contentEvent('Take'), contentEvent(' two.'), finishEvent]) {
        sent += event
        response.write(event)
        await until('the caller has it', 5_000, () => call?.received().toString() === sent)
      }
      response.end(usageEvent + doneEvent)
    })
    call = ask()
    expect(await call.ended).toBe('closed')
    expect(call.received().toString().endsWith(doneEvent)).toBe(true)
  })

  test('the head of the answer is with the caller as soon as the host has begun', async () => {
    let call: RawCall | undefined
    let headCame = false
    let receivedBefore = -1
    host.answer(async (_, response) => {
      beginStream(response)
      response.write('data: {"choices":[')
      await until('the caller has the head', 5_000, () => headCame)
      receivedBefore = call?.received().length ?? -1
      response.end(`]}\n\n${doneEvent}`)
    })
    call = ask()
    const { status, headers } = await call.head
    headCame = true
    expect(status).toBe(200)
    expect(headers['content-type']).toContain('text/event-stream')
    expect(headers['content-length']).toBeUndefined()
    await call.ended
    expect(receivedBefore).toBe(0)
  })

  test('several events that came at once leave at once, those of two packets are never swapped', async () => {
    const events = Array.from({ length: 500 }, (_, index) => contentEvent(`word ${index} `))
    host.answer((_, response) => {
      beginStream(response)
      for (let at = 0; at < events.length; at += 7) response.write(events.slice(at, at + 7).join(''))
      response.end(doneEvent)
    })
    const call = ask()
    await call.ended
    expect(call.received().toString()).toBe(events.join('') + doneEvent)
  })
})

describe('a caller who does not read', () => {
  const megabytes = 200
  const event = Buffer.from(contentEvent('x'.repeat(64 * 1024)))
  const eventsInAll = Math.ceil((megabytes * 1024 * 1024) / event.length)

  test('holds the host back: of 200 MB the process keeps little, and all of it arrives once the caller reads', async () => {
    let written = 0
    host.answer(async (_, response) => {
      beginStream(response)
      for (let index = 0; index < eventsInAll; index++) {
        written += event.length
        if (!response.write(event)) await new Promise((resolve) => response.once('drain', resolve))
      }
      response.end(doneEvent)
    })
    let bytes = 0
    let last = ''
    const call = ask({
      onPart(part) {
        bytes += part.length
        last = (last + part.subarray(-20).toString()).slice(-20)
      },
    })
    call.pause()
    await call.head
    const before = process.memoryUsage().rss
    const heldAt = await quietAt(() => written)
    // Two kernels' socket buffers and what may wait in ours; the host is far from done.
    expect(heldAt).toBeLessThan(32 * 1024 * 1024)
    expect(process.memoryUsage().rss - before).toBeLessThan(96 * 1024 * 1024)

    call.resume()
    expect(await call.ended).toBe('closed')
    expect(bytes).toBe(event.length * eventsInAll + doneEvent.length)
    expect(last.endsWith(doneEvent)).toBe(true)
  }, 60_000)

  test('who leaves then is settled at what was taken from the host, within the reservation, and the host is let go', async () => {
    const hostClosed = new Promise<void>((resolve) => {
      host.answer(async (request, response) => {
        void request.closed.then(resolve)
        beginStream(response)
        while (!response.destroyed)
          if (!response.write(event))
            await new Promise<void>((go) => {
              response.once('drain', () => go())
              response.once('close', () => go())
            })
      })
    })
    const call = ask()
    call.pause()
    const requestId = await requestIdOf(call)
    call.leave()
    await hostClosed
    const [row] = await awaitRowsOfCall(house.database, requestId)
    expect(row).toMatchObject({ outcome: 'client_left', usageSource: 'estimated', requests: 1, outputTokens: 1024 })
  })
})

/** Waits until a count has stopped: the same over a quarter of a second. */
async function quietAt(count: () => number): Promise<number> {
  let last = -1
  let since = performance.now()
  await until('the host is held back', 20_000, () => {
    if (count() !== last) since = performance.now()
    last = count()
    return performance.now() - since > 250
  })
  return last
}

/** Holds every group commit back while `work` runs, which is given a way to wait until a commit stands waiting. */
async function whileHeld<T>(work: (commitWaits: () => Promise<number>) => Promise<T>): Promise<T> {
  await holder.query(`begin; set local app.system = 'on'`)
  const held = await holder.query('select 1 from instance for update')
  expect(held.rowCount).toBeGreaterThan(0)
  const waiting = `select 1 from pg_locks where not granted and pg_backend_pid() = any(pg_blocking_pids(pid))`
  try {
    return await work(() => until('a commit waits', 5_000, async () => (await holder.query(waiting)).rowCount !== 0))
  } finally {
    await holder.query('commit')
  }
}

/** Makes the database answer every batch of the ledger with an error, as a full disk or a broken rule would. */
async function withLedgerBroken(errorCode: string, work: () => Promise<void>): Promise<void> {
  await owner.query(`create function break_ledger() returns trigger language plpgsql as
    $$ begin raise exception 'broken for a test' using errcode = '${errorCode}'; end $$`)
  await owner.query('create trigger broken before insert on usage_batch for each row execute function break_ledger()')
  try {
    await work()
  } finally {
    await owner.query('drop trigger broken on usage_batch')
    await owner.query('drop function break_ledger()')
  }
}

describe('the last bytes leave after the commit', () => {
  const events = contentEvent('Take') + contentEvent(' two.') + finishEvent
  const whole = JSON.stringify({
    choices: [{ index: 0, message: { role: 'assistant', content: 'Take two.' }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 12, completion_tokens: 2 },
  })

  test('of a stream: [DONE] waits for the row, all before it does not', async () => {
    host.answer((_, response) => {
      beginStream(response)
      response.end(events + usageEvent + doneEvent)
    })
    const call = await whileHeld(async (commitWaits) => {
      const held = ask()
      const allButDone = () => held.received().toString() === events
      await until('all but [DONE] is here', 5_000, allButDone)
      await commitWaits()
      expect(await rowsOfCall(house.database, await requestIdOf(held))).toEqual([])
      expect(allButDone()).toBe(true)
      return held
    })
    expect(await call.ended).toBe('closed')
    expect(call.received().toString()).toBe(events + doneEvent)
    expect(await rowsOfCall(house.database, await requestIdOf(call))).toHaveLength(1)
  })

  test('of a whole answer: nothing leaves before the row is there', async () => {
    const hostAnswered = new Promise<void>((resolve) => {
      host.answer((_, response) => {
        response.writeHead(200, { 'content-type': 'application/json' }).end(whole, resolve)
      })
    })
    const call = await whileHeld(async (commitWaits) => {
      const held = ask({ stream: false })
      let headCame = false
      void held.head.then(() => (headCame = true))
      await hostAnswered
      await commitWaits()
      expect(headCame).toBe(false)
      return held
    })
    expect(await call.ended).toBe('closed')
    expect(call.received().toString()).toBe(whole)
    expect(await rowsOfCall(house.database, await requestIdOf(call))).toMatchObject([
      { outcome: 'answered', usageSource: 'host', inputTokens: 12, outputTokens: 2 },
    ])
  })

  test('a ledger that refuses the row cuts the stream: no [DONE], and no end by the rules of HTTP', async () => {
    host.answer((_, response) => {
      beginStream(response)
      response.end(events + usageEvent + doneEvent)
    })
    await withLedgerBroken('23514', async () => {
      const call = ask()
      expect(await call.ended).toBe('cut')
      expect(call.received().toString()).toBe(events)
    })
  })

  test('a ledger that cannot be written turns a whole answer into 503, and never into a 401', async () => {
    host.answer((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(whole)
    })
    await withLedgerBroken('23514', async () => {
      const call = ask({ stream: false })
      expect((await call.head).status).toBe(503)
      await call.ended
      expect(call.received().toString()).not.toContain('Take two.')
    })
  })

  test('a ledger that is full costs the caller nothing: the row waits on disk, is written once there is room again, and once only', async () => {
    host.answer((_, response) => {
      beginStream(response)
      response.end(events + usageEvent + doneEvent)
    })
    let requestId = ''
    await withLedgerBroken('53100', async () => {
      const call = ask()
      requestId = await requestIdOf(call)
      expect(await call.ended).toBe('closed')
      expect(call.received().toString()).toBe(events + doneEvent)
      expect(await spoolFiles()).toHaveLength(1)
    })
    await until('the spool is empty', 5_000, async () => (await spoolFiles()).length === 0)
    expect(await awaitRowsOfCall(house.database, requestId)).toMatchObject([{ outcome: 'answered', outputTokens: 2 }])
  })
})
