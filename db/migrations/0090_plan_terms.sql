-- What a plan says of a period as a whole: a commitment, a prepaid credit, the price of evaluations and of grace. A plan
-- that says nothing of it has the digest that it always had.
alter table plan_revision add column terms jsonb not null default '{}';

-- Since when a facility is one of its tenant's. A flat price counts its days from then on; one that came with its tenant
-- is there from the beginning, which is how those that are there already are taken.
alter table facility add column began_at timestamptz not null default now();
alter table facility no force row level security;
alter table tenant no force row level security;
update facility f set began_at = t.created_at from tenant t where t.tenant_id = f.tenant_id;
alter table facility force row level security;
alter table tenant force row level security;
