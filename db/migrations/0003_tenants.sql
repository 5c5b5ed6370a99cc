-- Licensed organisations, their sites and programs, the keys they show, and the licenses granted to them.
create table tenant (
  tenant_id uuid primary key default uuidv7(),
  tenant text not null,
  name text not null,
  kind text not null,
  created_at timestamptz not null default now(),
  ended_at timestamptz,
  constraint tenant_name_is_taken unique (tenant),
  constraint tenant_name_is_a_slug check (tenant ~ '^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$'),
  constraint tenant_kind_is_known check (kind in ('owner', 'health-system', 'hospital', 'research', 'application'))
);

create table facility (
  tenant_id uuid not null references tenant,
  facility text not null,
  name text not null,
  region text not null,
  ended_at timestamptz,
  primary key (tenant_id, facility)
);

create table application (
  tenant_id uuid not null references tenant,
  application text not null,
  audience text not null,
  -- In the declared order: the first facility and the first purpose are taken when a call names none.
  facilities text[] not null,
  purposes text[] not null,
  scopes text[] not null,
  ended_at timestamptz,
  primary key (tenant_id, application),
  constraint application_audience_is_known check (audience in ('expert', 'clinician', 'patient', 'consumer')),
  constraint application_has_a_facility check (cardinality(facilities) between 1 and 1000),
  constraint application_has_a_purpose check (cardinality(purposes) between 1 and 100)
);

-- The secret is never here: an HMAC of it under a pepper that the database does not hold.
create table api_key (
  tenant_id uuid not null,
  key_id text not null,
  application text not null,
  secret_hmac bytea not null,
  pepper_version integer not null,
  scopes text[] not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  revoked_at timestamptz,
  revoked_reason text,
  primary key (tenant_id, key_id),
  foreign key (tenant_id, application) references application,
  constraint api_key_expires_within_400_days
    check (expires_at > created_at and expires_at <= created_at + interval '400 days 1 minute')
);

create table license (
  tenant_id uuid not null references tenant,
  license text not null,
  created_at timestamptz not null default now(),
  primary key (tenant_id, license)
);

-- An amendment is a new revision. Nothing here is ever edited.
create table license_revision (
  tenant_id uuid not null,
  license text not null,
  revision integer not null,
  effective_at timestamptz not null,
  recorded_at timestamptz not null default now(),
  recorded_by text not null,
  plan text not null,
  term_start timestamptz not null,
  term_end timestamptz not null,
  grace_days integer not null,
  evaluation boolean not null,
  -- Entitlements, rates, budgets, residency and privacy as declared; read back through the same schema.
  terms jsonb not null,
  document_sha256 bytea not null,
  primary key (tenant_id, license, revision),
  foreign key (tenant_id, license) references license,
  constraint license_revision_term_is_forward check (term_end > term_start),
  constraint license_revision_grace_is_sane check (grace_days between 0 and 366)
);

-- What was done to a license. Its state at an instant is derived from these facts, never stored.
create table license_act (
  tenant_id uuid not null,
  license text not null,
  act_id uuid not null default uuidv7(),
  act text not null,
  reason text not null,
  until_at timestamptz,
  effective_at timestamptz not null,
  recorded_at timestamptz not null default now(),
  recorded_by text not null,
  primary key (tenant_id, license, act_id),
  foreign key (tenant_id, license) references license,
  constraint license_act_is_known check (act in ('suspend', 'resume', 'revoke'))
);

select protect_tenant_table('tenant', 'select, insert, update');
select protect_tenant_table('facility', 'select, insert, update');
select protect_tenant_table('application', 'select, insert, update');
select protect_tenant_table('api_key', 'select, insert, update');
select protect_tenant_table('license', 'select, insert');
select protect_tenant_table('license_revision', 'select, insert');
select protect_tenant_table('license_act', 'select, insert');

create trigger directory_changed after insert or update or delete on tenant
  for each row execute function note_directory_change('tenant');
create trigger directory_changed after insert or update or delete on facility
  for each row execute function note_directory_change('tenant');
create trigger directory_changed after insert or update or delete on application
  for each row execute function note_directory_change('tenant');
create trigger directory_changed after insert or update or delete on api_key
  for each row execute function note_directory_change('tenant');
create trigger directory_changed after insert or update or delete on license_revision
  for each row execute function note_directory_change('tenant');
create trigger directory_changed after insert or update or delete on license_act
  for each row execute function note_directory_change('tenant');
