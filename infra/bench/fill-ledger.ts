import type pg from 'pg'

/** The days over which the rows of a filled ledger lie, the last of them today. */
export const filledDays = 60

/**
 * Fills the ledger with made-up calls up to so many rows, evenly over tenants and days, as a superuser: row by row it
 * would take hours. The rollups are made from the rows as the trigger would have made them. No call of it was ever made.
 */
export async function fillLedger(client: pg.Client, options: { rows: number }): Promise<{ seconds: number }> {
  const began = performance.now()
  const { rows } = await client.query<{ n: string }>('select count(*)::text as n from usage_event')
  const missing = options.rows - Number(rows[0]?.n)
  if (missing > 0) {
    await client.query(`select ensure_usage_months(4, 3)`)
    // The trigger adds up by hour and day with each statement; here it is done once, below.
    await client.query(`set session_replication_role = replica`)
    await client.query(insertText, [missing])
    await client.query('truncate usage_hour, usage_day')
    await client.query(hoursText)
    await client.query(daysText)
    await client.query(`set session_replication_role = origin`)
    await client.query('vacuum (analyze) usage_event')
    await client.query('vacuum (analyze) usage_hour')
    await client.query('vacuum (analyze) usage_day')
    await client.query('checkpoint')
  }
  return { seconds: (performance.now() - began) / 1000 }
}

const insertText = `
insert into usage_event (tenant_id, started_at, request_id, attempt, settled_at, operation, streamed, outcome, host_status,
  first_byte_ms, duration_ms, license, license_revision, facility, application, key_id, audience, purpose, model, version,
  deployment, region, requests, input_tokens, output_tokens, inferences, usage_source, plan, plan_revision, currency,
  charge_picos, instance_id, policy)
select l.tenant_id, at, gen_random_uuid(), 1, at, 'chat', n % 2 = 0, 'answered', 200, 20, 400, l.license, 1, 'general', 'ehr',
  'filled', 'clinician', 'TREAT', 'bench', '1.0.0', 'east', 'us-east', 1, 500, 200, 0, 'host', 'standard', 1, 'USD',
  4500000000, gen_random_uuid(), '{licensed-use}'
from generate_series(1, $1::bigint) as n
cross join lateral (select now() - make_interval(secs => (n::double precision / $1) * 86400 * ${filledDays}) as at) as spread
join (select row_number() over (order by license) - 1 as place, count(*) over () as places, tenant_id, license
  from license where license <> 'LIC-OWNER') as l on l.place = n % l.places`

const hoursText = `
insert into usage_hour (tenant_id, hour, license, facility, application, model, version, plan, plan_revision, currency,
  requests, input_tokens, output_tokens, inferences, charge_picos)
select tenant_id, date_trunc('hour', started_at, 'UTC'), license, facility, application, model, version, plan, plan_revision,
  currency, sum(requests), sum(input_tokens), sum(output_tokens), sum(inferences), sum(charge_picos)
from usage_event group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10`

const daysText = `
insert into usage_day
select tenant_id, (hour at time zone 'UTC')::date, license, facility, application, model, version, plan, plan_revision,
  currency, sum(requests), sum(input_tokens), sum(output_tokens), sum(inferences), sum(charge_picos)
from usage_hour group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10`
