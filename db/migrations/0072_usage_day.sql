-- The ledger added up by the day in which calls began, kept as the hours are: a report of a month reads some rows per day
-- and tenant, where hours would be twenty-four times as many and grow past what a page may wait for.
create table usage_day (
  tenant_id uuid not null,
  day date not null,
  license text not null,
  facility text not null,
  application text not null,
  model text not null,
  version text not null,
  plan text not null,
  plan_revision integer not null,
  currency char(3) not null,
  requests bigint not null,
  input_tokens bigint not null,
  output_tokens bigint not null,
  inferences bigint not null,
  charge_picos numeric(38, 0) not null,
  primary key (tenant_id, day, license, facility, application, model, version, plan, plan_revision, currency)
) with (fillfactor = 70);

select protect_tenant_table('usage_day', 'select, insert, update');

-- Reports over all tenants ask by time.
create index usage_day_by_day on usage_day (day);
create index usage_hour_by_hour on usage_hour (hour);

-- Both in the order of their keys, hours first, so that two instances that add to the same sums never wait for each other
-- in a circle. The days are made of the hours' sums, not of the rows again.
create or replace function roll_up_usage() returns trigger language plpgsql as $$
begin
  with added as (
    select tenant_id, date_trunc('hour', started_at, 'UTC') as hour, license, facility, application, model, version, plan,
      plan_revision, currency, sum(requests) as requests, sum(input_tokens) as input_tokens,
      sum(output_tokens) as output_tokens, sum(inferences) as inferences, sum(charge_picos) as charge_picos
    from fresh
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
  by_hour as (
    insert into usage_hour as h (
      tenant_id, hour, license, facility, application, model, version, plan, plan_revision, currency,
      requests, input_tokens, output_tokens, inferences, charge_picos)
    select tenant_id, hour, license, facility, application, model, version, plan, plan_revision, currency,
      requests, input_tokens, output_tokens, inferences, charge_picos
    from added order by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
    on conflict (tenant_id, hour, license, facility, application, model, version, plan, plan_revision, currency)
    do update set requests = h.requests + excluded.requests, input_tokens = h.input_tokens + excluded.input_tokens,
      output_tokens = h.output_tokens + excluded.output_tokens, inferences = h.inferences + excluded.inferences,
      charge_picos = h.charge_picos + excluded.charge_picos
    returning 1)
  insert into usage_day as d (
    tenant_id, day, license, facility, application, model, version, plan, plan_revision, currency,
    requests, input_tokens, output_tokens, inferences, charge_picos)
  select tenant_id, (hour at time zone 'UTC')::date, license, facility, application, model, version, plan,
    plan_revision, currency, sum(requests), sum(input_tokens), sum(output_tokens), sum(inferences), sum(charge_picos)
  from added
  -- Asked for first, so that the hours are written before the days.
  where (select count(*) from by_hour) is not null
  group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
  order by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
  on conflict (tenant_id, day, license, facility, application, model, version, plan, plan_revision, currency)
  do update set requests = d.requests + excluded.requests, input_tokens = d.input_tokens + excluded.input_tokens,
    output_tokens = d.output_tokens + excluded.output_tokens, inferences = d.inferences + excluded.inferences,
    charge_picos = d.charge_picos + excluded.charge_picos;
  return null;
end
$$;

-- What the hours hold already. Forced row-level security hides it from its owner as well, so for this one statement it is
-- not forced.
alter table usage_hour no force row level security;
alter table usage_day no force row level security;
insert into usage_day
select tenant_id, (hour at time zone 'UTC')::date, license, facility, application, model, version, plan, plan_revision,
  currency, sum(requests), sum(input_tokens), sum(output_tokens), sum(inferences), sum(charge_picos)
from usage_hour
group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10;
alter table usage_hour force row level security;
alter table usage_day force row level security;
