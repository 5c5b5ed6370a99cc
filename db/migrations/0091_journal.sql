-- The journal of money: every operation is one entry whose postings add up to zero. Nothing is edited; what was wrong is
-- answered by an entry of the opposite postings that names it. Debits are above zero, credits below.
create table journal_entry (
  tenant_id uuid not null references tenant,
  entry_id uuid not null default uuidv7(),
  recorded_at timestamptz not null default now(),
  recorded_by text not null,
  at timestamptz not null,
  kind text not null,
  license text not null,
  period_start timestamptz not null,
  -- The invoice or credit note that it books.
  document text not null,
  -- So many postings it has, and will never have another.
  postings smallint not null,
  reverses uuid,
  primary key (tenant_id, entry_id),
  foreign key (tenant_id, license) references license,
  foreign key (tenant_id, reverses) references journal_entry,
  constraint journal_entry_kind_is_known check (kind in ('invoice', 'credit_note')),
  constraint journal_entry_reverses_one check ((kind = 'credit_note') = (reverses is not null)),
  constraint journal_entry_has_two_sides check (postings >= 2),
  constraint journal_entry_is_reversed_once unique (tenant_id, reverses)
);

create table posting (
  tenant_id uuid not null,
  entry_id uuid not null,
  posting smallint not null,
  account text not null,
  -- What was sold: <model>/<meter> or facility. Of revenue only.
  sku text,
  currency char(3) not null,
  amount_picos numeric(38, 0) not null,
  primary key (tenant_id, entry_id, posting),
  foreign key (tenant_id, entry_id) references journal_entry,
  constraint posting_account_is_known
    check (account in ('receivable', 'revenue', 'credit', 'commitment', 'tax', 'rounding')),
  constraint posting_of_revenue_says_what check ((account = 'revenue') = (sku is not null))
);

select protect_tenant_table('journal_entry', 'select, insert');
select protect_tenant_table('posting', 'select, insert');

-- At commit, when all postings of an operation are there.
create function require_balanced_entry() returns trigger language plpgsql as $$
declare
  wanted smallint;
  found bigint;
  unbalanced text;
begin
  select postings into wanted from journal_entry where tenant_id = NEW.tenant_id and entry_id = NEW.entry_id;
  select sum(n), string_agg(currency, ', ') filter (where off <> 0) into found, unbalanced
  from (select currency, count(*) as n, sum(amount_picos) as off from posting
        where tenant_id = NEW.tenant_id and entry_id = NEW.entry_id group by currency) as sums;
  if unbalanced is not null or found is distinct from wanted::bigint then
    raise exception using errcode = 'check_violation', constraint = 'journal_entry_sums_to_zero',
      message = format('journal entry %s has %s of %s postings and does not sum to zero in: %s',
        NEW.entry_id, found, wanted, coalesce(unbalanced, 'nothing'));
  end if;
  return null;
end
$$;
create constraint trigger entry_is_balanced after insert on journal_entry
  deferrable initially deferred for each row execute function require_balanced_entry();
create constraint trigger posting_is_balanced after insert on posting
  deferrable initially deferred for each row execute function require_balanced_entry();
