-- The group commit's own table: one row per batch of an instance's lane, packed. A plain insert of one row is the
-- cheapest durable write there is, and callers wait for nothing else. Soon after, the instance unfolds its batches
-- into usage_event, the leases and the notes of calls in flight, many at a time, and deletes them: a batch stands
-- either here or unfolded, never both, never neither.
--
-- The number counts from one per (instance, lane): a batch that is sent twice counts once. An instance that was taken
-- for dead has no row any more, and the foreign key refuses its batches.
create table usage_batch (
  instance_id uuid not null,
  lane smallint not null,
  batch bigint not null,
  written_at timestamptz not null default now(),
  -- Arrays: usage events, each with what it takes out of leases, and the calls whose notes are to go. Content-free,
  -- like the rows that they become.
  events json not null,
  ended json not null,
  primary key (instance_id, lane, batch),
  constraint usage_batch_instance_is_alive foreign key (instance_id) references instance
) with (
  -- Rows come and go within milliseconds; the table stays as small as what waits.
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_analyze_scale_factor = 0,
  autovacuum_analyze_threshold = 1000000
);

-- A batch that the ledger refused. It should never hold a row; whatever it holds is money that an operator must book.
create table usage_batch_refused (
  instance_id uuid not null,
  lane smallint not null,
  batch bigint not null,
  refused_at timestamptz not null default now(),
  why text not null,
  events json not null,
  ended json not null,
  primary key (instance_id, lane, batch)
);

-- Batches are numbered where they stand; lanes need no row of their own any more.
drop table instance_lane;

-- Where the process of an instance runs, so that a neighbor on the same machine can see that it is gone.
alter table instance add column home text, add column pid integer;

-- Update: what the lock of a row that is to be deleted asks for.
select protect_system_table('usage_batch', 'select, insert, update, delete');
select protect_system_table('usage_batch_refused', 'select, insert');
