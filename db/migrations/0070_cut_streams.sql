-- A no that comes while an answer is on its way ends it: the call is settled for what was delivered, as cut.
alter table usage_event drop constraint usage_event_outcome_is_known;
alter table usage_event add constraint usage_event_outcome_is_known
  check (outcome in
    ('answered', 'client_left', 'cut', 'host_refused', 'host_error', 'host_timeout', 'host_closed', 'expired'));
