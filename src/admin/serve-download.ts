import { ok, type Result, type Uuid } from '../kernel/index.ts'
import { systemTransaction, tenantTransaction, type Tx } from '../db/index.ts'
import { BrokenDownload, type ControlNeeds, type Opened } from './operation.ts'
import type { AdminRefusal } from './refusal.ts'

/** Whoever reads more slowly than a file can be written holds a transaction for so long at most. */
const writingMsMax = 600_000

/**
 * Answers with a file that is made while it is read. What is refused is refused before the first byte; whatever happens
 * after it breaks the connection off, and the file has no end. The transaction is on the connections of those who read whole
 * months, and ends with the last byte, with the reader, or with its patience.
 */
export async function serveDownload(
  needs: Pick<ControlNeeds, 'billing' | 'log'>,
  { id, tenantId, open }: { id: string; tenantId: Uuid | undefined; open: (tx: Tx) => Promise<Opened> },
): Promise<Result<Response, readonly AdminRefusal[]>> {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
  const writer = writable.getWriter()
  const opened = Promise.withResolvers<Opened>()
  const { database } = needs.billing
  const within = (work: (tx: Tx) => Promise<void>): Promise<void> =>
    tenantId === undefined
      ? systemTransaction(database, 'administer', work)
      : tenantTransaction(database, tenantId, work)
  const patience = setTimeout(
    () => void writer.abort(new BrokenDownload(`${id} was not read in time`)).catch(() => undefined),
    writingMsMax,
  )
  const writing = within(async (tx) => {
    const found = await open(tx)
    opened.resolve(found)
    if (found.ok) await found.value.write((piece) => writer.write(piece))
  })
  void writing
    .then(() => writer.close())
    .catch((error: unknown) => {
      // Before the first byte it is an answer, after it the end of the connection.
      opened.reject(error)
      needs.log.warn('admin.download_broken', {
        operation: id,
        why: error instanceof Error ? error.message : '',
      })
      return writer.abort(error).catch(() => undefined)
    })
    .finally(() => clearTimeout(patience))
  const found = await opened.promise
  if (!found.ok) return found
  const { type, name } = found.value
  return ok(
    new Response(readable, {
      headers: {
        'content-type': type,
        'content-disposition': `attachment; filename="${name}"`,
        'cache-control': 'no-store',
      },
    }),
  )
}
