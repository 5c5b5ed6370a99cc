import { appendReopening, setPeriodState } from '../../src/billing/store-period.ts'
import { closePeriod } from '../../src/billing/index.ts'
import { monthOf } from '../../src/billing/month.ts'
import type { Database } from '../../src/db/index.ts'
import { systemTransaction } from '../../src/db/index.ts'
import { instant, plusDays } from '../../src/kernel/index.ts'
import { nodeSha256 } from '../../src/platform/node/ports.ts'
import { tester } from '../support/house.ts'

/** A row of this month in every table of periods, invoices and the journal, for each license: closed, opened again, late. */
export async function billTwo(
  database: Database,
  licenses: readonly { tenantId: string; license: string }[],
): Promise<void> {
  const period = monthOf(instant(Date.now()))
  const now = plusDays(period.end, 1)
  for (const { tenantId, license } of licenses) {
    const closed = await closePeriod(
      { database, startSha256: nodeSha256 },
      { license, period, reasons: new Map(), actor: tester, now },
    )
    if (!closed.ok) throw new Error(JSON.stringify(closed.error))
    await systemTransaction(database, 'bill', async (tx) => {
      const month = { tenantId, license, period }
      await appendReopening(tx, month, {
        closing: 1,
        at: now,
        by: 'a test',
        approvedBy: 'its reviewer',
        reason: 'a test',
        creditNote: undefined,
      })
      await setPeriodState(tx, month, 'open')
      await tx
        .insertInto('usage_late')
        .columns(['tenant_id', 'license', 'started_at', 'request_id', 'attempt', 'period_start'])
        .expression((eb) =>
          eb
            .selectFrom('usage_event')
            .select((of) => [
              'tenant_id',
              'license',
              'started_at',
              'request_id',
              'attempt',
              of.val(new Date(period.start)).as('period_start'),
            ])
            .where('tenant_id', '=', tenantId),
        )
        .execute()
    })
  }
}
