-- What the owner offers: models, their immutable versions, where each version is served, and the price book.
create table model (
  model text primary key,
  title text not null,
  protocol text not null,
  withdrawn_at timestamptz,
  constraint model_name_is_a_slug check (model ~ '^[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?$'),
  constraint model_protocol_is_known check (protocol in ('openai', 'open-inference'))
);

create table model_version (
  model text not null references model,
  version text not null,
  stage text not null,
  context_tokens bigint not null,
  output_tokens bigint not null,
  recalled_at timestamptz,
  recall_reason text,
  withdrawn_at timestamptz,
  primary key (model, version),
  constraint model_version_stage_is_known
    check (stage in ('sealed', 'expert', 'owner', 'licensed', 'patient', 'consumer')),
  constraint model_version_limits_are_positive check (context_tokens > 0 and output_tokens >= 0),
  constraint model_version_recall_has_a_reason check ((recalled_at is null) = (recall_reason is null))
);

create table deployment (
  model text not null,
  version text not null,
  deployment text not null,
  url text not null,
  upstream_model text not null,
  region text not null,
  weight integer not null,
  -- The name of an environment variable. The secret itself is never in the database.
  credential_env text,
  withdrawn_at timestamptz,
  primary key (model, version, deployment),
  foreign key (model, version) references model_version,
  constraint deployment_weight_is_sane check (weight between 0 and 1000)
);

-- A plan revision never changes; a new price is a new revision with its own beginning.
create table plan_revision (
  plan text not null,
  revision integer not null,
  currency char(3) not null,
  prices jsonb not null,
  effective_at timestamptz not null,
  recorded_at timestamptz not null default now(),
  document_sha256 bytea not null,
  primary key (plan, revision),
  constraint plan_revision_counts_from_one check (revision >= 1)
);

select protect_shared_table('model', 'select, insert, update');
select protect_shared_table('model_version', 'select, insert, update');
select protect_shared_table('deployment', 'select, insert, update');
select protect_shared_table('plan_revision', 'select, insert');

create trigger directory_changed after insert or update or delete on model
  for each row execute function note_directory_change('shared');
create trigger directory_changed after insert or update or delete on model_version
  for each row execute function note_directory_change('shared');
create trigger directory_changed after insert or update or delete on deployment
  for each row execute function note_directory_change('shared');
create trigger directory_changed after insert or update or delete on plan_revision
  for each row execute function note_directory_change('shared');
