import type { Instant, StartSha256 } from '../kernel/index.ts'
import type { LateUse } from './basis.ts'
import type { UsageQuantity } from './rate-period.ts'
import type { FrozenRow } from './store-read-frozen.ts'
import { UsageSum, type RevisionConditions } from './sum-usage.ts'
import { usageHeader, usageLine } from './usage-export.ts'

/** What is left of a month's rows when they have been read: how many, their hash, and their sums. */
export interface FrozenUsage {
  readonly rows: bigint
  readonly usageSha256: string
  readonly usage: readonly UsageQuantity[]
  readonly lateRows: bigint
  readonly lateSha256: string
  readonly late: readonly LateUse[]
}

type Pages = AsyncIterable<readonly FrozenRow[]>

/** Hashes and adds up a month's rows in one pass. The hash is that of the file that `formulary usage export` writes. */
export async function freezeUsage(
  read: (which: 'own' | 'late') => Pages,
  facts: { conditions: readonly RevisionConditions[]; startSha256: StartSha256 },
): Promise<FrozenUsage> {
  const own = await sumOf(read('own'), facts)
  const late = await sumOf(read('late'), facts)
  return {
    rows: own.rows,
    usageSha256: own.sha256,
    usage: [...own.months.values()].flatMap((sum) => sum.quantities()),
    lateRows: late.rows,
    lateSha256: late.sha256,
    late: [...late.months]
      .toSorted(([a], [b]) => a - b)
      .map(([periodStart, sum]) => ({ periodStart, usage: sum.quantities() })),
  }
}

async function sumOf(
  pages: Pages,
  { conditions, startSha256 }: { conditions: readonly RevisionConditions[]; startSha256: StartSha256 },
): Promise<{ rows: bigint; sha256: string; months: ReadonlyMap<Instant, UsageSum> }> {
  const digest = startSha256()
  const months = new Map<Instant, UsageSum>()
  let rows = 0n
  digest.update(usageHeader)
  for await (const page of pages) {
    let text = ''
    for (const row of page) {
      text += usageLine(row)
      let sum = months.get(row.month)
      if (sum === undefined) months.set(row.month, (sum = new UsageSum(conditions)))
      sum.add(row)
    }
    digest.update(text)
    rows += BigInt(page.length)
  }
  return { rows, sha256: digest.hex(), months }
}
