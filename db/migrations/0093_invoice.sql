-- Invoices and credit notes. Their numbers have no gaps: the counter's row is locked by the transaction that issues one,
-- and goes back with it when it fails.
create table invoice_series (
  series text primary key,
  last bigint not null,
  constraint invoice_series_is_known check (series in ('INV', 'CRN'))
);
insert into invoice_series (series, last) values ('INV', 0), ('CRN', 0);

create table invoice (
  tenant_id uuid not null references tenant,
  number text not null,
  series text not null,
  sequence bigint not null,
  license text not null,
  period_start timestamptz not null,
  closing integer not null,
  issued_at timestamptz not null,
  currency char(3) not null,
  total_picos numeric(38, 0) not null,
  -- Of a credit note: what it credits, whole.
  credits text,
  entry_id uuid not null,
  -- The document itself (RFC 8785) and the SHA-256 of its text. Whatever else is shown is made from it.
  document text not null,
  document_sha256 bytea not null,
  primary key (tenant_id, number),
  foreign key (tenant_id, entry_id) references journal_entry,
  foreign key (tenant_id, credits) references invoice,
  constraint invoice_number_is_taken unique (series, sequence),
  constraint invoice_number_is_of_its_series 
    check (number = series || '-' || lpad(sequence::text, greatest(6, length(sequence::text)), '0')),
  constraint invoice_is_credited_once unique (tenant_id, credits),
  constraint invoice_credit_note_credits_one check ((series = 'CRN') = (credits is not null))
);
create index invoice_by_period on invoice (tenant_id, license, period_start);

-- What a line adds up, so that its calls can be found.
create table invoice_line (
  tenant_id uuid not null,
  number text not null,
  line integer not null,
  kind text not null,
  line_key text not null,
  -- The month whose use it charges: of a correction an earlier one than the invoice's.
  usage_period_start timestamptz not null,
  license_revision integer,
  plan text,
  plan_revision integer,
  phase text,
  model text,
  meter text,
  quantity numeric(38, 0) not null,
  amount_picos numeric(38, 0) not null,
  -- Of a correction: the document and the line that it corrects; no line where there was none.
  corrects text,
  corrects_line integer,
  primary key (tenant_id, number, line),
  foreign key (tenant_id, number) references invoice,
  constraint invoice_line_kind_is_known
    check (kind in ('usage', 'facility', 'commitment', 'correction', 'credit_bought', 'credit_used', 'tax'))
);

select protect_system_table('invoice_series', 'select, insert, update');
select protect_tenant_table('invoice', 'select, insert');
select protect_tenant_table('invoice_line', 'select, insert');
