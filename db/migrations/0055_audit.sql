-- What was done and what was refused, one entry each, never edited. No content, no secret. A call that was made has its
-- entry in the ledger (usage_event), which says as much; what is written here is every administrative act and every call
-- that a gate refused to somebody who is known.
--
-- tenant_id: whom it concerns. The nil UUID: the house itself (a model, a price book, a policy of the owner).
-- Partitioned by the month in which it was recorded, and keyed by the tenant first, like the ledger.
create table audit_entry (
  tenant_id uuid not null,
  -- To the millisecond, so that a page can go on where the last one ended.
  recorded_at timestamptz(3) not null default now(),
  entry_id uuid not null default uuidv7(),
  -- When it happened; a clock of ours.
  at timestamptz not null,
  action text not null,
  -- Who: a person, a token, an application …; the roles in which they did it.
  agent_kind text not null,
  agent_name text not null,
  agent_roles text[] not null,
  -- The second person, where two are needed.
  approved_by text,
  -- What it was done to.
  entity_type text not null,
  entity_id text not null,
  entity_revision text,
  -- HL7 purpose of use, of a call.
  purpose text,
  outcome text not null,
  -- Why it was done in somebody's words, or the code of a refusal.
  reason text,
  -- Facts that are neither content nor secret, as text, numbers, booleans and lists of text.
  facts jsonb not null,
  primary key (tenant_id, recorded_at, entry_id),
  constraint audit_entry_agent_is_known
    check (agent_kind in ('person', 'token', 'bootstrap', 'command', 'declarations', 'application', 'system')),
  constraint audit_entry_outcome_is_known check (outcome in ('done', 'refused', 'asked')),
  constraint audit_entry_facts_are_flat check (jsonb_typeof(facts) = 'object'),
  constraint audit_entry_is_short check (length(agent_name) <= 200 and length(entity_id) <= 300 and length(reason) <= 2000)
) partition by range (recorded_at);
create index audit_entry_by_time on audit_entry (recorded_at, entry_id);
create index audit_entry_by_entity on audit_entry (entity_type, entity_id, recorded_at);

select protect_tenant_table('audit_entry', 'select, insert');

create table audit_entry_default partition of audit_entry default;
alter table audit_entry_default enable row level security;
alter table audit_entry_default force row level security;

-- As ensure_usage_months: runs as the owner, because the application may create nothing.
create function ensure_audit_months(months_back integer, months_ahead integer) returns integer
language plpgsql security definer set search_path = public as $$
declare
  month_start timestamptz;
  partition_name text;
  made integer := 0;
begin
  for step in -least(months_back, 24)..least(months_ahead, 24) loop
    month_start := (date_trunc('month', now() at time zone 'UTC') + make_interval(months => step)) at time zone 'UTC';
    partition_name := 'audit_entry_' || to_char(month_start at time zone 'UTC', 'YYYY_MM');
    if to_regclass(partition_name) is null then
      execute format('create table %I partition of audit_entry for values from (%L) to (%L)',
        partition_name, month_start, (month_start at time zone 'UTC' + interval '1 month') at time zone 'UTC');
      execute format('alter table %I enable row level security', partition_name);
      execute format('alter table %I force row level security', partition_name);
      made := made + 1;
    end if;
  end loop;
  return made;
end
$$;
revoke execute on function ensure_audit_months from public;
grant execute on function ensure_audit_months to formulary_app;
select ensure_audit_months(0, 3);
