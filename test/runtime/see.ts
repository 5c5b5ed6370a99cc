import { systemTransaction, type Database } from '../../src/db/index.ts'
import type { Case, Received } from './cases.ts'
import type { Runtime } from './runtimes.ts'

/** Everything that can be seen of a call, without what differs from one call to the next. */
export interface Seen extends Received {
  /** The ledger rows that the case has left, oldest first. */
  readonly ledger: readonly Readonly<Record<string, unknown>>[]
}

/** Plays a case on a runtime, waits until nothing of it is held any more, and tells what was to be seen. */
export async function see(runtime: Runtime, one: Case): Promise<readonly Seen[]> {
  const before = new Set((await readRows(runtime.database)).map((row) => row.request_id))
  const received = await one.play(runtime).finally(() => runtime.host.resetKnobs())
  await runtime.atRest()
  const rows = (await readRows(runtime.database)).filter((row) => !before.has(row.request_id))
  return received.map(({ status, headers, body }) => {
    const requestId = headers['x-request-id']
    const isLimited = status === 429
    const ledger = rows.filter((row) => requestId === undefined || nameOf(row) === requestId).map(lasting)
    return { status, headers: sameOf(headers, isLimited), body: withoutIds(body), ledger }
  })
}

const readRows = (database: Database) =>
  systemTransaction(database, 'maintain', (tx) =>
    tx.selectFrom('usage_event').selectAll().orderBy('started_at').orderBy('attempt').execute(),
  )
type Row = Awaited<ReturnType<typeof readRows>>[number]

const nameOf = (row: Row): string => `req_${row.request_id.replaceAll('-', '')}`

/** Every column but ids, times and the instance. */
function lasting(row: Row): Record<string, unknown> {
  const { tenant_id, request_id, key_id, instance_id, started_at, settled_at, duration_ms, first_byte_ms, ...rest } =
    row
  const ids = [tenant_id, request_id, key_id, instance_id].every((id) => id !== '')
  const times = duration_ms >= 0 && settled_at >= started_at
  return { ...rest, ids, times, first_byte: first_byte_ms !== null }
}

/** Headers of one hop, which neither the gateway sets nor a caller relies on. */
const ofTheHop = new Set(['connection', 'keep-alive', 'date', 'transfer-encoding', 'content-length'])

/** A window ends at the same time on both runtimes, give or take the second in which each was asked. */
const isCountdown = (name: string, isLimited: boolean): boolean =>
  name.startsWith('x-ratelimit-reset-') || (isLimited && name === 'retry-after')

const sameOf = (headers: Readonly<Record<string, string>>, isLimited: boolean): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => !ofTheHop.has(name))
      .map(([name, value]) => [
        name,
        isCountdown(name, isLimited) ? value.replace(/^\d+(s?)$/, 'N$1') : withoutIds(value),
      ]),
  )

const withoutIds = (text: string): string =>
  text
    .replaceAll(/\breq_[0-9a-f]{32}\b/g, 'req_ID')
    .replaceAll(/\bchatcmpl-standin\w{8}\b/g, 'chatcmpl-ID')
    .replaceAll(/"created":\d{10}\b/g, '"created":0')
    .replaceAll(/\bTry again in \d+ s\b/g, 'Try again in N s')
