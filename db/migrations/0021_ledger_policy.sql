-- Which of the owner's policies permitted a call. Null: a row from before there were policies, or from a process that
-- does not know them yet; an older process writes on without it.
alter table usage_event add column policy text[];
