-- The ledger added up by the hour in which calls began, so that a page of sums reads some rows per hour and not one per
-- call. A trigger keeps it: whoever writes a row of the ledger has added it up in the same transaction, and nobody can
-- forget to. Rows of the ledger are never changed, so that adding is all there is.
create table usage_hour (
  tenant_id uuid not null,
  hour timestamptz not null,
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
  primary key (tenant_id, hour, license, facility, application, model, version, plan, plan_revision, currency)
) with (fillfactor = 70);

select protect_tenant_table('usage_hour', 'select, insert, update');

-- In the order of the key, so that two instances that add to the same hours never wait for each other in a circle.
create function roll_up_usage() returns trigger language plpgsql as $$
begin
  insert into usage_hour as h (
    tenant_id, hour, license, facility, application, model, version, plan, plan_revision, currency,
    requests, input_tokens, output_tokens, inferences, charge_picos)
  select tenant_id, date_trunc('hour', started_at, 'UTC'), license, facility, application, model, version, plan,
    plan_revision, currency, sum(requests), sum(input_tokens), sum(output_tokens), sum(inferences), sum(charge_picos)
  from fresh
  group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
  order by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
  on conflict (tenant_id, hour, license, facility, application, model, version, plan, plan_revision, currency)
  do update set requests = h.requests + excluded.requests, input_tokens = h.input_tokens + excluded.input_tokens,
    output_tokens = h.output_tokens + excluded.output_tokens, inferences = h.inferences + excluded.inferences,
    charge_picos = h.charge_picos + excluded.charge_picos;
  return null;
end
$$;
create trigger usage_is_rolled_up after insert on usage_event
  referencing new table as fresh for each statement execute function roll_up_usage();

-- What the ledger holds already. Forced row-level security hides it from its owner as well, so for this one statement it
-- is not forced.
alter table usage_event no force row level security;
alter table usage_hour no force row level security;
insert into usage_hour
select tenant_id, date_trunc('hour', started_at, 'UTC'), license, facility, application, model, version, plan,
  plan_revision, currency, sum(requests), sum(input_tokens), sum(output_tokens), sum(inferences), sum(charge_picos)
from usage_event
group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10;
alter table usage_event force row level security;
alter table usage_hour force row level security;
