-- A month of a license, on its way from open through closing to closed. A month that nobody has begun to close has no row
-- and is open.
create table billing_period (
  tenant_id uuid not null,
  license text not null,
  period_start timestamptz not null,
  period_end timestamptz not null,
  state text not null,
  -- How often it was begun to be closed; reopening does not count back.
  closing integer not null,
  primary key (tenant_id, license, period_start),
  foreign key (tenant_id, license) references license,
  constraint billing_period_state_is_known check (state in ('open', 'closing', 'closed')),
  constraint billing_period_is_forward check (period_end > period_start)
);
-- Most rows of the ledger are younger than whatever is frozen: one look tells.
create index billing_period_frozen on billing_period (period_end) where state <> 'open';

-- What a closing froze and what came of it. Never edited; a reopened month gets another one.
create table period_closing (
  tenant_id uuid not null,
  license text not null,
  period_start timestamptz not null,
  closing integer not null,
  closed_at timestamptz not null,
  closed_by text not null,
  -- Each item of the checklist with how it was met, or why it was let pass.
  checklist jsonb not null,
  -- The ledger's rows of the month as `formulary usage export` writes them, and the SHA-256 of those lines.
  rows bigint not null,
  usage_sha256 text not null,
  -- The same of the rows of earlier months that arrived after those were frozen.
  late_rows bigint not null,
  late_sha256 text not null,
  -- What the month is rated from, and per earlier month what its correction is.
  basis jsonb not null,
  -- What is left of a prepaid credit for the months after.
  credit_left_picos numeric(38, 0) not null,
  -- The invoice; null where there was nothing to say on one.
  invoice text,
  primary key (tenant_id, license, period_start, closing),
  foreign key (tenant_id, license, period_start) references billing_period
);

create table period_reopening (
  tenant_id uuid not null,
  license text not null,
  period_start timestamptz not null,
  closing integer not null,
  reopened_at timestamptz not null,
  reopened_by text not null,
  approved_by text not null,
  reason text not null,
  credit_note text,
  primary key (tenant_id, license, period_start, closing),
  foreign key (tenant_id, license, period_start, closing) references period_closing,
  constraint period_reopening_takes_two check (lower(approved_by) <> lower(reopened_by)),
  constraint period_reopening_has_a_reason check (length(trim(reason)) between 1 and 2000)
);

-- Rows of the ledger that came when their month was frozen already. They count in the month that is closed next, as a
-- correction of their own; a row of a month that was reopened counts in that month.
create table usage_late (
  tenant_id uuid not null,
  license text not null,
  started_at timestamptz not null,
  request_id uuid not null,
  attempt smallint not null,
  period_start timestamptz not null,
  arrived_at timestamptz not null default now(),
  -- The beginning of the month in which it counts; null until one is closed.
  counted_in timestamptz,
  primary key (tenant_id, started_at, request_id, attempt),
  foreign key (tenant_id, license, period_start) references billing_period
);
create index usage_late_by_license on usage_late (tenant_id, license, counted_in);

select protect_tenant_table('billing_period', 'select, insert, update');
select protect_tenant_table('period_closing', 'select, insert');
select protect_tenant_table('period_reopening', 'select, insert');
select protect_tenant_table('usage_late', 'select, insert, update');

-- Which rows a closing froze must be exact, whoever writes at that moment. A writer of the ledger holds this lock, shared,
-- from its trigger until its commit; who begins a closing takes it alone for the moment in which the state changes. So a
-- row is committed before that moment and frozen, or its trigger looks after it and notes it as late.
create function note_late_usage() returns trigger language plpgsql as $$
begin
  perform pg_advisory_xact_lock_shared(hashtext('formulary.freeze'));
  insert into usage_late (tenant_id, license, started_at, request_id, attempt, period_start)
  select f.tenant_id, f.license, f.started_at, f.request_id, f.attempt, p.period_start
  from fresh f
  join billing_period p on p.tenant_id = f.tenant_id and p.license = f.license and p.state <> 'open'
    and f.started_at >= p.period_start and f.started_at < p.period_end
  where f.started_at < (select max(period_end) from billing_period where state <> 'open')
  order by 1, 3, 4, 5;
  return null;
end
$$;
create trigger late_usage_is_noted after insert on usage_event
  referencing new table as fresh for each statement execute function note_late_usage();
