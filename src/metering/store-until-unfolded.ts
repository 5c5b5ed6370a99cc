import { systemStatement, type Database } from '../db/index.ts'

/** Batches are unfolded within some tens of milliseconds. Who reads waits for them so long, and no longer. */
const withinMs = 500
const lookEveryMs = 10

const waitingText = `
select coalesce($1::text, now()::text) as asked, count(*)::integer as waiting from usage_batch
where written_at <= coalesce($1::timestamptz, now())
  and written_at > coalesce($1::timestamptz, now()) - interval '2 seconds'`

/**
 * Resolves when the rows of every call that was answered by now stand in the ledger, so that who makes a call and then
 * reads finds it. What an instance left behind that died is not waited for: its expiry brings it.
 * @throws Failure when the database cannot be reached.
 */
export async function untilUnfolded(database: Database): Promise<void> {
  const began = performance.now()
  let asked: string | null = null
  do {
    const rows: readonly { asked: string; waiting: number }[] = await systemStatement(database, 'commit-usage', {
      name: 'ledger-waiting',
      text: waitingText,
      values: [asked],
    })
    const [row] = rows
    if (row === undefined || row.waiting === 0) return
    asked = row.asked
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs))
  } while (performance.now() - began < withinMs)
}
