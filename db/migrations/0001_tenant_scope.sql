-- Who may see a row, said once. Run by formulary_owner; formulary_app owns nothing and is bound by every policy.
do $$
begin
  if not exists (select from pg_roles where rolname = 'formulary_app') then
    raise exception 'the role formulary_app is missing: create role formulary_app login password ''…'' nosuperuser nobypassrls';
  end if;
end
$$;

grant usage on schema public to formulary_app;

-- Row-level security for a table whose rows belong to tenants, enabled and forced, so that the table's owner is bound too.
-- A tenant transaction sees and writes its own rows only; a transaction of the system says so by app.system.
-- current_setting('app.tenant_id') raises an error when nobody set it: a forgotten scope is loud, not empty.
create function protect_tenant_table(target regclass, privileges text) returns void language plpgsql as $$
begin
  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  execute format($policy$
    create policy own_rows on %s for all to formulary_app
    using (case when current_setting('app.system', true) = 'on' then true
                else tenant_id = current_setting('app.tenant_id')::uuid end)
    with check (case when current_setting('app.system', true) = 'on' then true
                     else tenant_id = current_setting('app.tenant_id')::uuid end)
  $policy$, target);
  execute format('grant %s on %s to formulary_app', privileges, target);
end
$$;

-- The same for a table that belongs to no tenant: every transaction may read it, only the system writes it.
create function protect_shared_table(target regclass, privileges text) returns void language plpgsql as $$
begin
  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  execute format('create policy readable on %s for select to formulary_app using (true)', target);
  execute format($policy$
    create policy system_writes on %s for all to formulary_app
    using (current_setting('app.system', true) = 'on') with check (current_setting('app.system', true) = 'on')
  $policy$, target);
  execute format('grant %s on %s to formulary_app', privileges, target);
end
$$;

-- And for a table that only the system may even read.
create function protect_system_table(target regclass, privileges text) returns void language plpgsql as $$
begin
  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  execute format($policy$
    create policy system_only on %s for all to formulary_app
    using (current_setting('app.system', true) = 'on') with check (current_setting('app.system', true) = 'on')
  $policy$, target);
  execute format('grant %s on %s to formulary_app', privileges, target);
end
$$;

revoke execute on function protect_tenant_table, protect_shared_table, protect_system_table from public;

-- Each change of what a gateway process holds in memory: one row and one notification, both at commit.
-- Processes poll the sequence as the truth; the notification only makes them look sooner.
create table directory_change (
  change_seq bigint generated always as identity primary key,
  -- Null: something that belongs to no tenant (a model, a plan).
  tenant_id uuid,
  changed_at timestamptz not null default now()
);
alter table directory_change enable row level security;
alter table directory_change force row level security;
create policy anyone_appends on directory_change for insert to formulary_app with check (true);
create policy system_reads on directory_change for select to formulary_app using (current_setting('app.system', true) = 'on');
create policy system_prunes on directory_change for delete to formulary_app using (current_setting('app.system', true) = 'on');
grant select, insert, delete on directory_change to formulary_app;

-- The lock puts the commits of declarations in the order of their numbers, so that a reader that has seen n has seen
-- all below n. Declarations change rarely; calls never take it.
create function note_directory_change() returns trigger language plpgsql as $$
declare
  changed_tenant uuid;
begin
  perform pg_advisory_xact_lock(hashtext('formulary.directory_change'));
  if TG_ARGV[0] = 'tenant' then
    changed_tenant := coalesce(NEW.tenant_id, OLD.tenant_id);
  end if;
  insert into directory_change (tenant_id) values (changed_tenant);
  perform pg_notify('formulary_directory', coalesce(changed_tenant::text, ''));
  return null;
end
$$;
