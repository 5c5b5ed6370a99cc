import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Question } from './database.ts'
import type { AccountRow, Books, LeaseRow, LedgerRow } from './evidence.ts'

// What the database says, asked as its administrator: no function of the product is between.

const milliseconds = (column: string) => `(extract(epoch from ${column}) * 1000)::bigint::text`

export async function gatherLedger(question: Question): Promise<readonly LedgerRow[]> {
  const rows = await question<Record<string, string>>(
    `select tenant, application, license, request_id::text, attempt::text, ${milliseconds('started_at')} as started,
       operation, outcome, usage_source, requests::text, input_tokens::text, output_tokens::text, inferences::text,
       charge_picos::text
     from usage_event join tenant using (tenant_id)`,
  )
  return rows.map((row) => ({
    tenant: text(row['tenant']),
    application: text(row['application']),
    license: text(row['license']),
    requestId: `req_${text(row['request_id']).replaceAll('-', '')}`,
    attempt: Number(row['attempt']),
    startedAtMs: Number(row['started']),
    operation: text(row['operation']),
    outcome: text(row['outcome']),
    usageSource: text(row['usage_source']),
    requests: amount(row['requests']),
    inputTokens: amount(row['input_tokens']),
    outputTokens: amount(row['output_tokens']),
    inferences: amount(row['inferences']),
    chargePicos: amount(row['charge_picos']),
  }))
}

export async function gatherBooks(question: Question): Promise<Books> {
  const accounts = await question<Record<string, string | null>>(
    `select tenant, license, budget, ${milliseconds('period_start')} as started, ${milliseconds('period_end')} as ended,
       case when "limit" is null then null else greatest("limit", grandfathered) end::text as ceiling,
       settled::text, leased::text
     from budget_account join tenant using (tenant_id)`,
  )
  const leases = await question<Record<string, string>>(
    `select tenant, license, budget, ${milliseconds('period_start')} as started, amount::text, used::text
     from budget_lease join tenant using (tenant_id)`,
  )
  return {
    accounts: accounts.map((row): AccountRow => ({
      tenant: text(row['tenant']),
      license: text(row['license']),
      budget: text(row['budget']),
      periodStartMs: Number(row['started']),
      periodEndMs: Number(row['ended']),
      ceiling: row['ceiling'] == null ? undefined : BigInt(row['ceiling']),
      settled: amount(row['settled']),
      leased: amount(row['leased']),
    })),
    leases: leases.map((row): LeaseRow => ({
      tenant: text(row['tenant']),
      license: text(row['license']),
      budget: text(row['budget']),
      periodStartMs: Number(row['started']),
      amount: amount(row['amount']),
      used: amount(row['used']),
    })),
  }
}

export interface Unfinished {
  readonly openCalls: readonly string[]
  readonly batchesWaiting: number
  /** Since the database was made. */
  readonly batchesRefused: number
  /** Lent and not used, over all budgets. */
  readonly held: bigint
}

export async function gatherUnfinished(question: Question): Promise<Unfinished> {
  const [row] = await question<Record<string, string>>(
    `select (select coalesce(string_agg(format('req_%s of %s', replace(request_id::text, '-', ''),
         case when i.instance_id is null then 'nobody' else 'a living process' end), '; '), '')
         from reservation left join instance i using (instance_id)) as open,
       (select count(*) from usage_batch)::text as batches,
       (select count(*) from usage_batch_refused)::text as refused,
       (coalesce((select sum(leased) from budget_account), 0) - coalesce((select sum(used) from budget_lease), 0))::text
         as held`,
  )
  return {
    openCalls: text(row?.['open'])
      .split('; ')
      .filter((line) => line !== ''),
    batchesWaiting: Number(row?.['batches']),
    batchesRefused: Number(row?.['refused']),
    held: amount(row?.['held']),
  }
}

const text = (value: string | null | undefined): string => value ?? ''
const amount = (value: string | null | undefined): bigint => BigInt(value ?? '0')

/** Files in which processes keep what they could not tell the database. They are there only while they hold something. */
export function spoolsIn(dataDir: string): readonly string[] {
  try {
    return readdirSync(join(dataDir, 'spool'))
  } catch {
    return []
  }
}

/** What each process of this machine may still use of a tenant's budget without asking anybody. */
export async function gatherFreeOf(
  question: Question,
  of: { tenant: string; budget: string },
): Promise<ReadonlyMap<number, bigint>> {
  const rows = await question<{ pid: number; free: string }>(
    `select i.pid, (l.amount - l.used)::text as free from budget_lease l
     join tenant using (tenant_id) join instance i using (instance_id)
     where tenant = '${of.tenant}' and budget = '${of.budget}' and pid is not null`,
  )
  return new Map(rows.map(({ pid, free }) => [pid, amount(free)]))
}
