import type { Uuid } from '../../kernel/index.ts'
import type { CallPair, HostRow, LedgerRow } from './call-pair.ts'

/**
 * Brings two streams of rows together by request, each in the order of its request ids; no more of either stands in memory
 * than a page and the rows of one request.
 */
export async function* mergeCalls(
  ledger: AsyncIterable<readonly LedgerRow[]>,
  host: AsyncIterable<readonly HostRow[]>,
): AsyncGenerator<CallPair, void, undefined> {
  const [ours, theirs] = [requestsOf(ledger), requestsOf(host)]
  let [left, right] = [await ours.next(), await theirs.next()]
  while (left.done !== true || right.done !== true) {
    const [a, b] = [left.done === true ? undefined : left.value, right.done === true ? undefined : right.value]
    const requestId = b === undefined || (a !== undefined && a.requestId <= b.requestId) ? a?.requestId : b.requestId
    const isOurs = a !== undefined && a.requestId === requestId
    const isTheirs = b !== undefined && b.requestId === requestId
    yield { requestId, ledger: isOurs ? a.rows : [], host: isTheirs ? b.rows : [] }
    if (isOurs) left = await ours.next()
    if (isTheirs) right = await theirs.next()
  }
}

/** The rows of one request after the other. */
async function* requestsOf<Row extends { readonly requestId: Uuid | undefined }>(
  pages: AsyncIterable<readonly Row[]>,
): AsyncGenerator<{ requestId: Uuid; rows: readonly Row[] }, void, undefined> {
  let rows: Row[] = []
  let requestId: Uuid | undefined
  for await (const page of pages)
    for (const row of page) {
      if (row.requestId === undefined) continue
      if (requestId !== undefined && row.requestId !== requestId) {
        yield { requestId, rows }
        rows = []
      }
      requestId = row.requestId
      rows.push(row)
    }
  if (requestId !== undefined) yield { requestId, rows }
}
