-- People sign in at the identity provider of their own organization (OpenID Connect), and have sessions; admin tokens may
-- be narrower than their roles; an installation knows when it began.

-- What a provider may give depends on what its tenant is, and that never changes: a foreign key can hold it.
alter table tenant add constraint tenant_has_one_kind unique (tenant_id, kind);

-- One per tenant; that of the owner is the owner's own. No secret is here: it is named, and the control plane has it.
create table sign_in (
  tenant_id uuid primary key,
  kind text not null,
  issuer text not null,
  client_id text not null,
  client_secret_env text,
  scopes text[] not null,
  -- The claim that names a person's groups, and which role each group has here.
  groups_claim text not null,
  roles jsonb not null,
  -- Counts its changes: a session says under which one it began, and dies with it.
  revision integer not null default 1,
  ended_at timestamptz,
  foreign key (tenant_id, kind) references tenant (tenant_id, kind),
  constraint sign_in_has_one_kind unique (tenant_id, kind),
  -- A hospital's provider makes nobody an officer of the owner, whatever it says of them.
  constraint sign_in_gives_roles_of_its_tenant_only check (
    case when kind = 'owner'
      then not jsonb_path_exists(roles, '$.* ? (@ != "owner-admin" && @ != "licensing" && @ != "finance" && @ != "auditor")')
      else not jsonb_path_exists(roles, '$.* ? (@ != "tenant-admin" && @ != "tenant-viewer")') end)
);
select protect_tenant_table('sign_in', 'select, insert, update');
create trigger directory_changed after insert or update or delete on sign_in
  for each row execute function note_directory_change('tenant');

-- Somebody who is signed in: a person, by the words of their provider, or whoever showed an admin token in the console.
-- tenant_id: whose administrator it is; the nil UUID for the owner's own people.
create table admin_session (
  tenant_id uuid not null,
  -- What others call it; it opens nothing.
  session_id uuid not null default uuidv7(),
  -- Of what the browser shows. The text itself is not here.
  secret_sha256 bytea not null,
  provider_tenant_id uuid,
  provider_kind text,
  provider_revision integer,
  -- A person is these two, and never an address or a name, which others may come to have.
  issuer text,
  subject text,
  -- As audit entries name them, and as people do.
  name text not null,
  shown_as text not null,
  roles text[] not null,
  -- Of the way through the provider that it came from: one way, one session.
  attempt_sha256 bytea,
  token_id text references admin_token,
  began_at timestamptz not null,
  used_at timestamptz not null,
  ends_at timestamptz not null,
  ended_at timestamptz,
  ended_by text,
  ended_reason text,
  primary key (tenant_id, session_id),
  foreign key (provider_tenant_id, provider_kind) references sign_in (tenant_id, kind),
  constraint admin_session_secret_is_its_own unique (secret_sha256),
  constraint sign_in_happens_once unique (attempt_sha256),
  constraint admin_session_is_a_persons_or_a_tokens check (
    num_nonnulls(provider_tenant_id, token_id) = 1
    and num_nonnulls(provider_tenant_id, provider_kind, provider_revision, issuer, subject, attempt_sha256) in (0, 6)),
  -- Whose rows it sees, which roles it has and whose provider said so are one decision.
  constraint admin_session_roles_fit_its_tenant check (
    case when tenant_id = '00000000-0000-0000-0000-000000000000'
      then roles <@ array['owner-admin', 'licensing', 'finance', 'auditor'] and coalesce(provider_kind = 'owner', true)
      else roles <@ array['tenant-admin', 'tenant-viewer']
        and coalesce(provider_kind <> 'owner' and provider_tenant_id = tenant_id, true) end),
  constraint admin_session_ends_within_a_day check (ends_at > began_at and ends_at <= began_at + interval '1 day'),
  constraint admin_session_is_short check (length(issuer) <= 2000 and length(subject) <= 255 and length(shown_as) between 1 and 200)
);
create index admin_session_by_name on admin_session (name, began_at) where ended_at is null;
create index admin_session_by_end on admin_session (ends_at);
select protect_tenant_table('admin_session', 'select, insert, update, delete');

alter table admin_token
  -- Ids of operations, or `read`; null: all that its roles may.
  add column scopes text[],
  -- To the minute.
  add column used_at timestamptz,
  add constraint admin_token_scopes_are_some check (cardinality(scopes) between 1 and 100),
  -- Older ones may have been made for more.
  add constraint admin_token_expires_within_a_year check (expires_at <= created_at + interval '366 days') not valid;

-- One row, written by the first process that serves: the bootstrap token works for a minute from then on.
create table installation (
  is_one boolean primary key default true,
  first_started_at timestamptz not null,
  constraint installation_is_one check (is_one)
);
select protect_system_table('installation', 'select, insert');
