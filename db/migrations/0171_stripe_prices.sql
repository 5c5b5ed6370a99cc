-- What is sold, as Stripe has it: a product per model and meter, a price per revision of a plan. A price is never edited there;
-- a new revision is a new price under a key of its own.
create table stripe_product (
  sku text primary key,
  product text not null,
  recorded_at timestamptz not null
);

create table stripe_price (
  lookup_key text primary key,
  sku text not null references stripe_product,
  plan text not null,
  plan_revision integer not null,
  price text not null,
  -- Stripe's text of it, which our rating is compared with.
  shape jsonb not null,
  recorded_at timestamptz not null
);

select protect_system_table('stripe_product', 'select, insert');
select protect_system_table('stripe_price', 'select, insert');
