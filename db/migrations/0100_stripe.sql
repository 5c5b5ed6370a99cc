-- What Stripe is told and has said. Without a key for Stripe nothing writes here.
create table stripe_customer (
  tenant_id uuid primary key references tenant,
  customer text not null,
  recorded_at timestamptz not null,
  constraint stripe_customer_is_of_one_tenant unique (customer)
);

-- The meters that were made at Stripe, by our name for them: the model and what is counted.
create table stripe_meter (
  meter text primary key,
  meter_id text not null,
  recorded_at timestamptz not null
);

-- Whoever holds the lane of a tenant and meter is the only one to report for it: the newest event of an hour replaces those
-- before it, so that two senders could leave the older total standing.
create table stripe_lane (
  tenant_id uuid not null references tenant,
  meter text not null,
  holder uuid,
  held_until timestamptz not null,
  primary key (tenant_id, meter)
);

-- The outbox: each total that Stripe is to know, written before it is sent. A total that changed is a new revision.
create table stripe_usage (
  tenant_id uuid not null references tenant,
  meter text not null,
  hour timestamptz not null,
  revision integer not null,
  quantity bigint not null,
  -- Persisted before the first attempt, and the same in each.
  identifier text,
  idempotency_key uuid not null default gen_random_uuid(),
  state text not null default 'pending',
  written_at timestamptz not null,
  sent_at timestamptz,
  ended_at timestamptz,
  primary key (tenant_id, meter, hour, revision),
  constraint stripe_usage_quantity_fits check (quantity between 0 and 999999999999999),
  constraint stripe_usage_hour_is_whole check (date_trunc('hour', hour, 'UTC') = hour),
  constraint stripe_usage_state_is_known
    check (state in ('pending', 'sent', 'confirmed', 'superseded', 'lost', 'too_late', 'refused'))
);
create index stripe_usage_open on stripe_usage (tenant_id, meter, hour) where state in ('pending', 'sent');

create table stripe_invoice (
  tenant_id uuid not null references tenant,
  invoice text not null,
  stripe_invoice text,
  idempotency_key uuid not null default gen_random_uuid(),
  currency char(3) not null,
  total_minor bigint not null,
  status text not null default 'pending',
  written_at timestamptz not null,
  primary key (tenant_id, invoice)
);

-- Deliveries that were acted on, by the id of their event: Stripe delivers an event more than once.
create table stripe_event (
  event_id text primary key,
  type text not null,
  received_at timestamptz not null
);

select protect_tenant_table('stripe_customer', 'select, insert');
select protect_tenant_table('stripe_lane', 'select, insert, update');
select protect_tenant_table('stripe_usage', 'select, insert, update');
select protect_tenant_table('stripe_invoice', 'select, insert, update');
select protect_system_table('stripe_meter', 'select, insert');
select protect_system_table('stripe_event', 'select, insert');
