-- The commands of an instance to its leases are numbered. A statement whose connection broke may still run at the
-- server, after later ones of the same pocket: it is known by its number, and does nothing.
--
-- A closed lease keeps its row until its instance or its period has gone, so that its number is not forgotten. A process
-- that does not number (an older one, while it is replaced) goes on as before with its own rows.
alter table budget_lease add column last_command bigint not null default 0;
