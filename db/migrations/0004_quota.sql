-- Budgets, what is lent of them to running instances, and the calls that are in flight.
--
-- A budget account is the one authority over a budget in one period: settled + leased never exceeds its limit. An
-- instance takes a lease by one conditional update and admits calls from it in memory. A settled call moves its use
-- into `used` of its own lease row, so that the account row, which all instances share, stays cold. When the lease is
-- returned, or its instance is gone, used moves to settled and the rest is free again.
create table instance (
  instance_id uuid primary key,
  platform text not null,
  started_at timestamptz not null default now(),
  alive_until timestamptz not null,
  constraint instance_platform_is_known check (platform in ('node', 'workers'))
);

-- The group commit of an instance runs in lanes; each lane numbers its batches, so that a batch whose answer was lost
-- and which is sent again counts once, and an instance that was taken for dead can write no more (its lanes are gone).
create table instance_lane (
  instance_id uuid not null references instance on delete cascade,
  lane smallint not null,
  last_batch bigint not null default 0,
  primary key (instance_id, lane)
) with (fillfactor = 50);

create table budget_account (
  tenant_id uuid not null references tenant,
  license text not null,
  budget text not null,
  period_start timestamptz not null,
  period_end timestamptz not null,
  -- Null: counted, not limited (overage: allow).
  "limit" numeric(38, 0),
  -- The license revision that the limit was read from; a later revision replaces it.
  limit_revision integer not null,
  -- What was already settled or lent when a revision lowered the limit.
  grandfathered numeric(38, 0) not null default 0,
  settled numeric(38, 0) not null default 0,
  leased numeric(38, 0) not null default 0,
  primary key (tenant_id, license, budget, period_start),
  constraint budget_not_overdrawn
    check ("limit" is null or settled + leased <= greatest("limit", grandfathered)),
  constraint budget_amounts_are_not_negative check (settled >= 0 and leased >= 0)
);

create table budget_lease (
  tenant_id uuid not null,
  license text not null,
  budget text not null,
  period_start timestamptz not null,
  instance_id uuid not null,
  amount numeric(38, 0) not null,
  used numeric(38, 0) not null default 0,
  primary key (tenant_id, license, budget, period_start, instance_id),
  foreign key (tenant_id, license, budget, period_start) references budget_account,
  constraint budget_lease_instance_is_alive foreign key (instance_id) references instance,
  constraint budget_lease_not_overdrawn check (used >= 0 and used <= amount)
) with (fillfactor = 50);
create index budget_lease_by_instance on budget_lease (instance_id);

-- A call between its admission and its settlement. Written beside the call, not before it; a crash leaves these rows,
-- and they are then settled at their upper bound and marked so.
create table reservation (
  tenant_id uuid not null,
  request_id uuid not null,
  instance_id uuid not null,
  started_at timestamptz not null,
  -- The facts that a usage event will carry, and the amounts held per budget.
  facts jsonb not null,
  holds jsonb not null,
  primary key (tenant_id, request_id)
);
create index reservation_by_instance on reservation (instance_id);

-- The table of rate-limiter-flexible, made by us so that it is UNLOGGED: a crash may forget a minute's count.
create unlogged table rate_window (
  key varchar(255) primary key,
  points integer not null default 0,
  expire bigint
) with (fillfactor = 50);

select protect_system_table('instance', 'select, insert, update, delete');
select protect_system_table('instance_lane', 'select, insert, update, delete');
select protect_tenant_table('budget_account', 'select, insert, update');
select protect_tenant_table('budget_lease', 'select, insert, update, delete');
select protect_tenant_table('reservation', 'select, insert, delete');
select protect_system_table('rate_window', 'select, insert, update, delete');
