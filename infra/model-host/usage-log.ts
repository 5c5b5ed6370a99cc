import { closeSync, existsSync, openSync, readFileSync, truncateSync, writeSync } from 'node:fs'

/**
 * What the host says it served: the stranger's side of a reconciliation. Tokens here are what the host would bill,
 * whatever the knobs made it report in the answer.
 */
export type HostUsageRow = {
  /** When the row was written, ISO 8601 in UTC. */
  at: string
  /** The caller's `x-request-id`. */
  requestId: string | null
  /** The caller's `formulary-attempt`, 1 when absent. */
  attempt: number
  model: string
  /** Of a call to `/at/<site>/…`; null without one. */
  site: string | null
  operation: HostOperation
  inputTokens: number
  outputTokens: number
  /** The HTTP status sent; 0 when no header left. */
  status: number
  finished: CallOutcome
  /** Content chunks that left, for a stream; 1 for a whole answer. */
  sentChunks: number
  /** Milliseconds since 1970. */
  startedAt: number
  endedAt: number
  /** The `user` or `safety_identifier` of the body. */
  user: string | null
  maxTokens: number | null
}

export type HostOperation = 'chat' | 'embeddings' | 'infer'

/** `cut`: a knob, or the host's stop, ended it. `error`: an error status or an error event was sent. */
export type CallOutcome = 'complete' | 'client_left' | 'cut' | 'error'

export type UsageLog = {
  append(row: HostUsageRow): void
  /** Up to `limit` rows after the first `after` ever written; `next` is the `after` of the next page. */
  page(after: number, limit: number): { rows: HostUsageRow[]; next: number; total: number }
  clear(): void
  close(): void
}

const fileBufferBytesMax = 64 * 1024
const fileDelayMs = 50

/**
 * A ring in memory: the newest `rowsMax` rows. With `path`, every row is a line of that file as well, and a host that is
 * started again knows what it served before.
 */
export function openUsageLog(options: { rowsMax: number; path: string | null }): UsageLog {
  const before = options.path === null ? '' : readLog(options.path)
  let rows = rowsIn(before).slice(-options.rowsMax)
  let total = rows.length
  const file = options.path === null ? null : openLineFile(options.path)

  return {
    append(row) {
      rows[total % options.rowsMax] = row
      total += 1
      file?.append(JSON.stringify(row))
    },
    page(after, limit) {
      const first = Math.max(after, total - options.rowsMax, 0)
      const end = Math.min(first + limit, total)
      const page: HostUsageRow[] = []
      for (let index = first; index < end; index++) {
        const row = rows[index % options.rowsMax]
        if (row !== undefined) page.push(row)
      }
      return { rows: page, next: Math.max(end, first), total }
    },
    clear() {
      rows = []
      total = 0
    },
    close() {
      file?.close()
    },
  }
}

/** What was logged before. Half of a last line, which a host that was killed may have left, is taken away. */
function readLog(path: string): string {
  if (!existsSync(path)) return ''
  const text = readFileSync(path, 'utf8')
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  if (whole.length < text.length) truncateSync(path, Buffer.byteLength(whole))
  return whole
}

const rowsIn = (log: string): HostUsageRow[] =>
  log
    .split('\n')
    .filter((line) => line !== '')
    .map((line): HostUsageRow => JSON.parse(line))

/** Synchronous writes of large blocks: 64 KB take some 20 µs, less than the bookkeeping of a stream would. */
function openLineFile(path: string): { append(line: string): void; close(): void } {
  const descriptor = openSync(path, 'a')
  let pending = ''
  let timer: NodeJS.Timeout | null = null

  function flush() {
    if (timer !== null) clearTimeout(timer)
    timer = null
    if (pending === '') return
    const block = Buffer.from(pending)
    pending = ''
    for (let written = 0; written < block.length;) written += writeSync(descriptor, block, written)
  }

  return {
    append(line) {
      pending += line + '\n'
      if (pending.length >= fileBufferBytesMax) flush()
      else timer ??= setTimeout(flush, fileDelayMs).unref()
    },
    close() {
      flush()
      closeSync(descriptor)
    },
  }
}
