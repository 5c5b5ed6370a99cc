-- Applications that prove who they are by signed assertions (SMART Backend Services, FAPI 2), and what keeps an assertion
-- from being shown twice.

-- One per application. No secret is here: a client has its private key, and this is the public side of it.
create table client (
  tenant_id uuid not null,
  application text not null,
  -- What the outside calls it: `tenant.application`, which no two can share, because names hold no dot.
  client_id text not null,
  profile text not null,
  jwks_uri text,
  jwks jsonb,
  -- Counts its changes: a token says under which one it was issued, and dies with it.
  revision integer not null default 1,
  ended_at timestamptz,
  primary key (tenant_id, application),
  foreign key (tenant_id, application) references application,
  constraint client_id_is_taken unique (client_id),
  constraint client_profile_is_known check (profile in ('smart', 'fapi2')),
  constraint client_has_its_keys_in_one_place check ((jwks_uri is null) <> (jwks is null))
);
select protect_tenant_table('client', 'select, insert, update');
create trigger directory_changed after insert or update or delete on client
  for each row execute function note_directory_change('tenant');

-- Tokens that their own client took back before they expired (RFC 7009): few, and each for minutes only.
create table revoked_token (
  tenant_id uuid not null,
  jti uuid not null,
  application text not null,
  expires_at timestamptz not null,
  recorded_at timestamptz not null default now(),
  primary key (tenant_id, jti),
  foreign key (tenant_id, application) references client
);
create index revoked_token_by_expiry on revoked_token (expires_at);
select protect_tenant_table('revoked_token', 'select, insert, delete');
create trigger directory_changed after insert on revoked_token
  for each row execute function note_directory_change('tenant');

-- What was shown once: the jti of an assertion by its issuer, that of a DPoP proof by the thumbprint of its key. The
-- primary key decides, over all processes and through their restarts. Written only after the signature was verified.
create table assertion_jti (
  issuer text not null,
  jti_sha256 bytea not null,
  -- Until then the same text could be accepted: its expiry and the skew that is allowed.
  expires_at timestamptz not null,
  primary key (issuer, jti_sha256)
);
create index assertion_jti_by_expiry on assertion_jti (expires_at);
select protect_system_table('assertion_jti', 'select, insert, delete');
