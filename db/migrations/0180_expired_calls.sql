-- Calls whose end nobody knows are looked for before every closing, and on a page of many licenses; there are few of them
-- among many. Nothing but rows of this outcome is in the index.
create index usage_event_expired on usage_event (tenant_id, started_at) where outcome = 'expired';
