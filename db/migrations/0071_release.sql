-- Breaks an older process: what a version's stage is, and whether it was recalled, follows from acts and no longer stands in
-- its row. Replace processes at once, or recall nothing meanwhile.
alter table model add column notice_days integer not null default 30;
alter table model add constraint model_notice_is_sane check (notice_days between 0 and 366);

-- What a version is: the names by which model hosts know it, and the digest of its canonical description (RFC 8785).
alter table model_version add column upstream text[] not null default '{}';
alter table model_version add column digest_sha256 bytea;

-- What was done to a version. Its stage and its recall at an instant are derived from these facts.
create table version_act (
  model text not null,
  version text not null,
  act_seq bigint generated always as identity,
  act text not null,
  from_stage text,
  to_stage text,
  role text,
  reason text not null,
  effective_at timestamptz not null,
  recorded_at timestamptz not null default now(),
  recorded_by text not null,
  primary key (model, version, act_seq),
  foreign key (model, version) references model_version,
  constraint version_act_is_known check (act in ('promote', 'demote', 'recall', 'sign_off')),
  constraint version_act_names_its_step check (
    case act when 'recall' then to_stage is null else to_stage is not null end
    and (act in ('promote', 'demote')) = (from_stage is not null)),
  constraint sign_off_is_by_a_role check ((act = 'sign_off') = (role is not null) and role in ('clinical', 'technical')),
  constraint promotion_goes_one_step check (act <> 'promote' or
    array_position(array['sealed', 'expert', 'owner', 'licensed', 'patient', 'consumer'], to_stage) =
    array_position(array['sealed', 'expert', 'owner', 'licensed', 'patient', 'consumer'], from_stage) + 1),
  constraint demotion_goes_back check (act <> 'demote' or
    array_position(array['sealed', 'expert', 'owner', 'licensed', 'patient', 'consumer'], to_stage) <
    array_position(array['sealed', 'expert', 'owner', 'licensed', 'patient', 'consumer'], from_stage))
);

-- What is said of a version. A correction is a new revision; the ones before it stay.
create table version_card (
  model text not null,
  version text not null,
  revision integer not null,
  card jsonb not null,
  card_sha256 bytea not null,
  recorded_at timestamptz not null default now(),
  recorded_by text not null,
  primary key (model, version, revision),
  foreign key (model, version) references model_version,
  constraint version_card_counts_from_one check (revision >= 1)
);

-- A tenant is told what will change for it, and says that it has read it.
create table change_notice (
  tenant_id uuid not null references tenant,
  notice_id uuid not null default uuidv7(),
  kind text not null,
  model text not null,
  version text not null,
  summary text not null,
  issued_at timestamptz not null,
  effective_at timestamptz not null,
  issued_by text not null,
  primary key (tenant_id, notice_id),
  foreign key (model, version) references model_version,
  constraint change_notice_is_known check (kind in ('new_version', 'sunset')),
  constraint change_notice_comes_before check (effective_at >= issued_at)
);

create table change_notice_acknowledgement (
  tenant_id uuid not null,
  notice_id uuid not null,
  acknowledged_at timestamptz not null,
  acknowledged_by text not null,
  primary key (tenant_id, notice_id),
  foreign key (tenant_id, notice_id) references change_notice
);

-- Row-level security binds the owner as well: for what was declared before, it is lifted within this transaction.
alter table model no force row level security;
alter table model_version no force row level security;
alter table deployment no force row level security;
update model_version v set upstream =
  coalesce((select array_agg(distinct d.upstream_model order by d.upstream_model)
    from deployment d where d.model = v.model and d.version = v.version), '{}');
update model_version v set digest_sha256 = sha256(convert_to(
  '{"contextTokens":' || context_tokens || ',"model":' || to_json(v.model) || ',"outputTokens":' || output_tokens ||
  ',"protocol":' || to_json(m.protocol) || ',"upstream":' || array_to_json(upstream) || ',"version":' || to_json(version) || '}',
  'UTF8'))
from model m where m.model = v.model;
insert into version_act (model, version, act, reason, effective_at, recorded_by)
  select model, version, 'recall', recall_reason, recalled_at, 'migration 0071' from model_version
  where recalled_at is not null;
alter table model force row level security;
alter table model_version force row level security;
alter table deployment force row level security;

alter table model_version rename column stage to first_stage;
alter table model_version drop column recalled_at, drop column recall_reason;
alter table model_version alter column digest_sha256 set not null;

select protect_shared_table('version_act', 'select, insert');
select protect_shared_table('version_card', 'select, insert');
select protect_tenant_table('change_notice', 'select, insert');
select protect_tenant_table('change_notice_acknowledgement', 'select, insert');

create trigger directory_changed after insert or update or delete on version_act
  for each row execute function note_directory_change('shared');
create trigger directory_changed after insert or update or delete on version_card
  for each row execute function note_directory_change('shared');
