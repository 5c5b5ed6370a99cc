-- Which row ended its call. A note of a call in flight may come after the row that ended it; a call that got no answer
-- has rows that count no request, and nothing else tells the last of them. An older process writes on without it.
alter table usage_event add column ends_call boolean not null default false;
