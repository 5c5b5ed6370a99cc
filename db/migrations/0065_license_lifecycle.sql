-- A license from draft to end. An older process refuses to read the new acts and keeps what it knew until it is replaced.

-- Who approved a revision that widens what a license grants; whether it sets right what was recorded wrongly, and may then
-- take effect in the past. What was there before was declared from a tree that a second person had reviewed.
alter table license_revision
  add column approved_by text,
  add column is_correction boolean not null default false,
  add constraint license_revision_approver_is_another check (approved_by is null or lower(approved_by) <> lower(recorded_by)),
  add constraint license_revision_is_not_backdated check (is_correction or effective_at >= recorded_at) not valid;

-- draft: recorded, not yet granted; activate ends it. terminate: the contract ended early, for no reason of safety.
-- transfer: it goes on at another tenant under another number.
alter table license_act
  add column approved_by text,
  add column to_license text,
  drop constraint license_act_is_known,
  add constraint license_act_is_known
    check (act in ('draft', 'activate', 'suspend', 'resume', 'revoke', 'terminate', 'transfer')),
  add constraint license_act_transfer_says_where check ((act = 'transfer') = (to_license is not null)),
  add constraint license_act_approver_is_another check (approved_by is null or lower(approved_by) <> lower(recorded_by));

-- What a tenant attested and until when it holds: training done, a contract on file. Dated facts; nothing is edited.
create table license_attestation (
  tenant_id uuid not null,
  license text not null,
  attestation_id uuid not null default uuidv7(),
  kind text not null,
  attested_at timestamptz not null,
  valid_until timestamptz,
  recorded_at timestamptz not null default now(),
  recorded_by text not null,
  primary key (tenant_id, license, attestation_id),
  foreign key (tenant_id, license) references license,
  constraint license_attestation_kind_is_known
    check (kind in ('training', 'instructions-for-use', 'business-associate-agreement', 'insurance')),
  constraint license_attestation_is_forward check (valid_until is null or valid_until > attested_at)
);
select protect_tenant_table('license_attestation', 'select, insert');
create trigger directory_changed after insert or update or delete on license_attestation
  for each row execute function note_directory_change('tenant');
