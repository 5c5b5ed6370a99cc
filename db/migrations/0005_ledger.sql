-- The ledger: one immutable row per (tenant, request, attempt). No content, ever.
-- started_at is fixed at admission, so that it can be part of the key of a table partitioned by month.
create table usage_event (
  tenant_id uuid not null,
  started_at timestamptz not null,
  request_id uuid not null,
  attempt smallint not null,
  settled_at timestamptz not null default now(),
  operation text not null,
  streamed boolean not null,
  outcome text not null,
  -- What the model host answered; null when it did not.
  host_status smallint,
  first_byte_ms integer,
  duration_ms integer not null,
  license text not null,
  license_revision integer not null,
  facility text not null,
  application text not null,
  key_id text not null,
  audience text not null,
  purpose text not null,
  model text not null,
  version text not null,
  deployment text not null,
  region text not null,
  -- 1 when the call counts as a request: something was delivered, or nobody knows. 0 for a failed attempt.
  requests smallint not null,
  input_tokens bigint not null,
  output_tokens bigint not null,
  inferences bigint not null,
  -- host: as the model host said; estimated: counted from what was delivered; bound: the reservation's upper bound,
  -- because nobody knows; none: nothing was used.
  usage_source text not null,
  plan text not null,
  plan_revision integer not null,
  currency char(3) not null,
  charge_picos bigint not null,
  instance_id uuid not null,
  primary key (tenant_id, started_at, request_id, attempt),
  constraint usage_event_operation_is_known check (operation in ('chat', 'embeddings', 'infer')),
  constraint usage_event_outcome_is_known
    check (outcome in ('answered', 'client_left', 'host_refused', 'host_error', 'host_timeout', 'host_closed', 'expired')),
  constraint usage_event_source_is_known check (usage_source in ('host', 'estimated', 'bound', 'none')),
  constraint usage_event_amounts_are_not_negative
    check (requests in (0, 1) and input_tokens >= 0 and output_tokens >= 0 and inferences >= 0 and charge_picos >= 0)
) partition by range (started_at);

select protect_tenant_table('usage_event', 'select, insert');

-- Months are UTC. The default partition is a net under the job that makes months ahead: a row is never refused for
-- want of a month. The application has no rights on a partition, only on the whole, so that the policy always holds.
create table usage_event_default partition of usage_event default;
alter table usage_event_default enable row level security;
alter table usage_event_default force row level security;

-- Runs as the owner, because the application may create nothing. Months counted from the one that now is in.
create function ensure_usage_months(months_back integer, months_ahead integer) returns integer
language plpgsql security definer set search_path = public as $$
declare
  month_start timestamptz;
  partition_name text;
  made integer := 0;
begin
  for step in -least(months_back, 24)..least(months_ahead, 24) loop
    month_start := (date_trunc('month', now() at time zone 'UTC') + make_interval(months => step)) at time zone 'UTC';
    partition_name := 'usage_event_' || to_char(month_start at time zone 'UTC', 'YYYY_MM');
    if to_regclass(partition_name) is null then
      execute format('create table %I partition of usage_event for values from (%L) to (%L)',
        partition_name, month_start, (month_start at time zone 'UTC' + interval '1 month') at time zone 'UTC');
      execute format('alter table %I enable row level security', partition_name);
      execute format('alter table %I force row level security', partition_name);
      made := made + 1;
    end if;
  end loop;
  return made;
end
$$;
revoke execute on function ensure_usage_months from public;
grant execute on function ensure_usage_months to formulary_app;
select ensure_usage_months(1, 3);
