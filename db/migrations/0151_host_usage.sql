-- A report's lines are written in one transaction with it, a million at a time, and neither is ever deleted: a foreign key
-- would look for the report as often, and find it every time.
alter table host_usage drop constraint host_usage_report_id_fkey;
