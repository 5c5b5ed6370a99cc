import {
  err,
  formatAmount,
  instant,
  isoOf,
  isUuid,
  ok,
  requestName,
  type Instant,
  type Result,
} from '../kernel/index.ts'
import { tenantTransaction } from '../db/index.ts'
import { authenticate } from '../identity/index.ts'
import { loadUsage, untilUnfolded, type UsageCursor, type UsageRow } from '../metering/index.ts'
import type { Asking, Gateway } from './gateway.ts'
import type { Refusal } from './refusal.ts'

export const usageRowsMax = 1_000
const daysMax = 400

export interface UsageQuery {
  readonly from: string | undefined
  readonly to: string | undefined
  readonly limit: string | undefined
  readonly after: string | undefined
}

/**
 * A page of the tenant's own ledger, oldest first. It needs a valid key and no license in force: what was used must be
 * readable when the license has ended.
 */
export async function showUsage(
  gateway: Gateway,
  asking: Asking,
  query: UsageQuery,
): Promise<Result<object, readonly Refusal[]>> {
  const principal = await authenticate(gateway, asking, asking.now)
  if (!principal.ok) return err([principal.error])
  const page = readPage(query, asking.now)
  if (!page.ok) return err([page.error])
  await untilUnfolded(gateway.database)
  const rows = await tenantTransaction(gateway.database, principal.value.tenant.tenantId, (tx) =>
    loadUsage(tx, { ...page.value, rowsMax: page.value.rowsMax + 1 }),
  )
  const shown = rows.slice(0, page.value.rowsMax)
  const last = shown.at(-1)
  const hasMore = rows.length > shown.length
  return ok({
    object: 'list',
    from: isoOf(page.value.from),
    to: isoOf(page.value.to),
    data: shown.map(shownRow),
    has_more: hasMore,
    next_after: hasMore && last !== undefined ? cursorText(last) : null,
  })
}

const shownRow = (row: UsageRow) => ({
  request_id: requestName(row.requestId),
  attempt: row.attempt,
  started_at: isoOf(row.startedAt),
  operation: row.operation,
  outcome: row.outcome,
  license: row.license,
  facility: row.facility,
  application: row.application,
  purpose: row.purpose,
  model: row.model,
  version: row.version,
  input_tokens: Number(row.inputTokens),
  output_tokens: Number(row.outputTokens),
  inferences: Number(row.inferences),
  usage_source: row.usageSource,
  charge: formatAmount(row.charge),
  currency: row.currency,
})

function readPage(query: UsageQuery, now: Instant): Result<PageAsked, Refusal> {
  const date = new Date(now)
  const monthStart = instant(Date.UTC(date.getUTCFullYear(), date.getUTCMonth()))
  const from = query.from === undefined ? monthStart : readInstant(query.from)
  if (from === undefined) return wrong('from', 'must be a time such as 2026-11-01T00:00:00Z')
  const to = query.to === undefined ? instant(Math.max(now + 1, from + 1)) : readInstant(query.to)
  if (to === undefined) return wrong('to', 'must be a time such as 2026-12-01T00:00:00Z')
  if (to <= from) return wrong('to', 'must be later than `from`')
  if (to - from > daysMax * 86_400_000) return wrong('from', `may lie at most ${daysMax} days before \`to\``)
  const rowsMax = query.limit === undefined ? 100 : /^\d{1,5}$/.test(query.limit) ? Number(query.limit) : 0
  if (rowsMax < 1 || rowsMax > usageRowsMax) return wrong('limit', `must be a whole number from 1 to ${usageRowsMax}`)
  const after = query.after === undefined ? undefined : readCursor(query.after)
  if (query.after !== undefined && after === undefined)
    return wrong('after', 'must be a `next_after` of an earlier page')
  return ok({ from, to, after, rowsMax })
}

interface PageAsked {
  readonly from: Instant
  readonly to: Instant
  readonly after: UsageCursor | undefined
  readonly rowsMax: number
}

const wrong = (param: string, message: string): Result<never, Refusal> =>
  err({ reason: 'request_malformed', param, message: `\`${param}\` ${message}.` })

function readInstant(text: string): Instant | undefined {
  if (!/^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/.test(text)) return undefined
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : instant(at)
}

const cursorText = (row: UsageRow): string => `${row.startedAt}.${row.requestId}.${row.attempt}`

function readCursor(text: string): UsageCursor | undefined {
  const [startedAt = '', requestId = '', attempt = '', ...rest] = text.split('.')
  if (rest.length > 0) return undefined
  if (!/^\d{1,15}$/.test(startedAt) || !isUuid(requestId) || !/^\d{1,4}$/.test(attempt)) return undefined
  return { startedAt: instant(Number(startedAt)), requestId, attempt: Number(attempt) }
}
