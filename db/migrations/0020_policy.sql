-- What decides beside the license: Cedar policies, as immutable revisions. Of each the newest holds. An older process goes on
-- deciding without them until it is replaced.
-- The policies are a list of { file, id, effect, reason, text }, read back through the schema of src/policy.

-- The owner's, over all tenants: they permit, and they forbid. Without a revision every call is refused.
create table policy_revision (
  revision integer primary key,
  policies jsonb not null,
  effective_at timestamptz not null,
  recorded_at timestamptz not null default now(),
  recorded_by text not null,
  document_sha256 bytea not null,
  constraint policy_revision_counts_from_one check (revision >= 1),
  constraint policy_revision_is_a_list check (jsonb_typeof(policies) = 'array')
);

-- A tenant's further restrictions on its own calls. An empty list: it has taken them back.
create table tenant_policy_revision (
  tenant_id uuid not null references tenant,
  revision integer not null,
  policies jsonb not null,
  effective_at timestamptz not null,
  recorded_at timestamptz not null default now(),
  recorded_by text not null,
  document_sha256 bytea not null,
  primary key (tenant_id, revision),
  constraint tenant_policy_revision_counts_from_one check (revision >= 1),
  constraint tenant_policy_revision_is_a_list check (jsonb_typeof(policies) = 'array'),
  -- A tenant cannot grant itself anything, whoever writes the row.
  constraint tenant_policy_only_forbids check (not jsonb_path_exists(policies, '$[*] ? (!(@.effect == "forbid"))'))
);

-- A database that was in use before there were policies goes on as it was: what a license grants is permitted, until the
-- first `formulary tenants apply` says more. A new database gets nothing. (The tables of tenants cannot be asked here:
-- their row-level security binds their owner too. The notes of changes are numbered from the first declaration on.)
insert into policy_revision (revision, policies, effective_at, recorded_by, document_sha256)
select 1, document, now(), 'migration 0020', sha256(convert_to(canonical, 'UTF8'))
from (
  select
    '[{"effect":"permit","file":"policies/licensed-use.cedar","id":"licensed-use","reason":"","text":"@id(\"licensed-use\")\npermit (principal, action, resource);"}]'::jsonb as document,
    '[{"effect":"permit","file":"policies/licensed-use.cedar","id":"licensed-use","reason":"","text":"@id(\"licensed-use\")\npermit (principal, action, resource);"}]' as canonical
  from directory_change_change_seq_seq where is_called
) as held_before;

select protect_shared_table('policy_revision', 'select, insert');
select protect_tenant_table('tenant_policy_revision', 'select, insert');

create trigger directory_changed after insert or update or delete on policy_revision
  for each row execute function note_directory_change('shared');
create trigger directory_changed after insert or update or delete on tenant_policy_revision
  for each row execute function note_directory_change('tenant');
