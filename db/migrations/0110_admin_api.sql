-- The control plane: who may act in it with a token, what a second person is asked about, and the answers to creations.

-- A token of an administrator or of their machine. Its secret is kept as an HMAC, like that of an API key.
create table admin_token (
  token_id text primary key,
  -- Who acts with it: one name, one human or machine.
  name text not null,
  roles text[] not null,
  -- Whose administrator it is; null: the owner's own.
  of_tenant_id uuid references tenant,
  secret_hmac bytea not null,
  pepper_version integer not null,
  created_at timestamptz not null,
  created_by text not null,
  -- Whoever made it, and whoever made what it was made with: they can act under its name. In small letters.
  makers text[] not null,
  expires_at timestamptz not null,
  revoked_at timestamptz,
  revoked_reason text,
  constraint admin_token_has_a_role check (cardinality(roles) > 0),
  -- The owner's roles see every tenant; a tenant's own see one.
  constraint admin_token_roles_fit_its_tenant check (
    case when of_tenant_id is null then roles <@ array['owner-admin', 'licensing', 'finance', 'auditor']
         else roles <@ array['tenant-admin', 'tenant-viewer'] end),
  constraint admin_token_ends_after_it_begins check (expires_at > created_at),
  constraint admin_token_is_short check (length(name) between 1 and 100)
);
select protect_system_table('admin_token', 'select, insert, update');

-- What somebody has asked for and a second person has to approve. It is done when it is approved, not before.
create table change_request (
  change_id uuid primary key default uuidv7(),
  operation text not null,
  params jsonb not null,
  body jsonb not null,
  -- The object as it was when it was asked for; a change of it meanwhile ends the request.
  object_etag text,
  -- What would be allowed that is not now, a phrase each.
  widens text[] not null,
  asked_by text not null,
  asked_kind text not null,
  asked_roles text[] not null,
  asked_makers text[] not null,
  asked_at timestamptz not null,
  state text not null default 'open',
  decided_by text,
  decided_at timestamptz,
  reason text,
  constraint change_request_state_is_known check (state in ('open', 'approved', 'rejected')),
  constraint change_request_is_decided_by_somebody check ((state = 'open') = (decided_by is null)),
  constraint change_request_needs_two_people check (decided_by is null or lower(decided_by) <> lower(asked_by) or state = 'rejected')
);
create index change_request_by_state on change_request (state, asked_at);
select protect_system_table('change_request', 'select, insert, update');

-- The answer to a creation, by the key under which it was asked for: asked again, it is answered again and not done again.
-- Secrets are not in it. tenant_id: the nil UUID for the owner's own people.
create table admin_request (
  tenant_id uuid not null,
  actor text not null,
  idempotency_key text not null,
  request_sha256 bytea not null,
  recorded_at timestamptz not null default now(),
  -- Null while the transaction runs that will write it.
  status smallint,
  answer jsonb,
  etag text,
  primary key (tenant_id, actor, idempotency_key),
  constraint admin_request_is_short check (length(idempotency_key) between 1 and 200)
);
create index admin_request_by_time on admin_request (recorded_at);
select protect_tenant_table('admin_request', 'select, insert, update, delete');
