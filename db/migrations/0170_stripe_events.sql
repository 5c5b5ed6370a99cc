-- What Stripe's webhook brings: what became of each event, what stands at Stripe of our invoices, and what was paid.
alter table stripe_event
  add column outcome text not null default 'done',
  -- The object of Stripe's that it is about.
  add column about text,
  add constraint stripe_event_outcome_is_known check (outcome in ('done', 'ignored', 'not_ours'));
create index stripe_event_by_time on stripe_event (received_at);

-- A customer that was deleted there: nothing more can be invoiced to it.
alter table stripe_customer add column gone_at timestamptz;
grant update on stripe_customer to formulary_app;

-- Why Stripe did not count a report that it had taken, in its own code.
alter table stripe_usage add column refused_code text;
create index stripe_usage_by_identifier on stripe_usage (identifier) where identifier is not null;

-- `status` is Stripe's word; `state` is what it means here.
--   open           not, or not wholly, there
--   pushed         a draft with all our lines is there
--   final          it is issued, and waits for its payment
--   paid, void, uncollectible
--   disagrees      what stands there is not our invoice: stripe_difference says where
alter table stripe_invoice
  add column kind text not null default 'invoice',
  add column state text not null default 'open',
  add column total_there_minor bigint,
  -- What was collected for it, less what was given back.
  add column paid_minor bigint not null default 0,
  -- Each look at Stripe is written only over the look that it was begun after.
  add column looks integer not null default 0,
  add column looked_at timestamptz,
  -- Whoever pushes it.
  add column holder uuid,
  add column held_until timestamptz,
  add column attempts integer not null default 0,
  add column retry_at timestamptz,
  add column last_error text,
  add constraint stripe_invoice_kind_is_known check (kind in ('invoice', 'credit_note')),
  add constraint stripe_invoice_state_is_known
    check (state in ('open', 'pushed', 'final', 'paid', 'void', 'uncollectible', 'disagrees'));
create unique index stripe_invoice_is_one_there on stripe_invoice (stripe_invoice) where stripe_invoice is not null;

-- Where an invoice there and ours differ, for whoever reconciles: one row per line and class, ended when it is so no longer.
create table stripe_difference (
  tenant_id uuid not null,
  invoice text not null,
  -- Our line, or `total`, `currency`, `customer`.
  line text not null,
  class text not null,
  here text not null,
  there text not null,
  found_at timestamptz not null,
  ended_at timestamptz,
  primary key (tenant_id, invoice, line, class),
  foreign key (tenant_id, invoice) references stripe_invoice,
  constraint stripe_difference_class_is_known
    check (class in ('amount_differs', 'missing_there', 'missing_here', 'rate_differs', 'rounding'))
);
select protect_tenant_table('stripe_difference', 'select, insert, update');

-- Money that came in is an entry of its own, and money that went back the opposite of one.
alter table journal_entry
  drop constraint journal_entry_kind_is_known,
  add constraint journal_entry_kind_is_known check (kind in ('invoice', 'credit_note', 'payment', 'payment_reversal')),
  drop constraint journal_entry_reverses_one,
  add constraint journal_entry_reverses_one check ((kind in ('credit_note', 'payment_reversal')) = (reverses is not null));
create index journal_entry_by_document on journal_entry (tenant_id, document);
alter table posting
  drop constraint posting_account_is_known,
  add constraint posting_account_is_known
    check (account in ('receivable', 'revenue', 'credit', 'commitment', 'tax', 'rounding', 'bank'));
