import pg from 'pg'

/** What the run's ledger says, against what the load generator saw. */
export interface LedgerCheck {
  readonly agrees: boolean
  /** One line for people, and one for each thing that does not agree. */
  readonly lines: readonly string[]
}

/**
 * Every call that was answered whole stands in the ledger exactly once, and what the budgets hold as used is what the
 * ledger's rows add up to. Asked after the gateways have ended, of a superuser, who sees the rows of all tenants.
 */
export async function checkLedger(options: {
  adminUrl: string
  answered: number
  refused: number
}): Promise<LedgerCheck> {
  const client = new pg.Client({ connectionString: options.adminUrl, connectionTimeoutMillis: 10_000 })
  await client.connect()
  try {
    await untilUnfolded(client)
    const ledger = await one(client, ledgerText)
    const budgets = await one(client, budgetsText)
    const left = await one(client, 'select count(*) as reservations from reservation')
    const facts = [
      { what: 'rows, answered calls', a: ledger['rows'], b: String(options.answered) },
      { what: 'distinct requests, rows', a: ledger['requests'], b: ledger['rows'] },
      { what: 'tokens of the budgets (settled + used), of the ledger', a: budgets['tokens'], b: ledger['tokens'] },
      { what: 'picos of the budgets, of the ledger', a: budgets['picos'], b: ledger['picos'] },
      { what: 'reservations left open, none', a: left['reservations'], b: '0' },
      { what: 'calls refused, none', a: String(options.refused), b: '0' },
    ]
    const wrong = facts.filter(({ a, b }) => a !== b)
    return {
      agrees: wrong.length === 0,
      lines: [
        `ledger: ${ledger['rows']} rows, ${options.answered} calls answered, ${options.refused} refused; ` +
          `${ledger['tokens']} tokens and ${ledger['picos']} picos in the ledger, ` +
          `${budgets['tokens']} and ${budgets['picos']} settled in the budgets`,
        ...wrong.map(({ what, a, b }) => `DOES NOT AGREE: ${what}: ${a}, ${b}`),
      ],
    }
  } finally {
    await client.end()
  }
}

const ledgerText = `
select count(*)::text as rows, count(distinct (tenant_id, request_id))::text as requests,
  coalesce(sum(input_tokens + output_tokens), 0)::text as tokens, coalesce(sum(charge_picos), 0)::text as picos
from usage_event`

/** Batches become rows of the ledger within some tens of milliseconds; a batch that stays is a fault. */
async function untilUnfolded(client: pg.Client): Promise<void> {
  for (let looks = 0; looks < 100; looks++) {
    const { waiting } = await one(client, 'select count(*)::text as waiting from usage_batch')
    if (waiting === '0') return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('batches of the ledger were not unfolded within 5 s')
}

// A lease that was returned has moved its use to the account; one that was not holds it still.
const budgetsText = `
with held as (
  select budget, settled as amount from budget_account
  union all
  select budget, used from budget_lease)
select coalesce(sum(amount) filter (where budget like 'tokens/%'), 0)::text as tokens,
  coalesce(sum(amount) filter (where budget like 'cost/%'), 0)::text as picos
from held`

async function one(client: pg.Client, text: string): Promise<Readonly<Record<string, string>>> {
  const { rows } = await client.query<Record<string, string>>(text)
  const [row] = rows
  if (row === undefined) throw new Error('a count has no row')
  return row
}
