-- What retention looks for, so that it reads only what is old.
CREATE INDEX answer_by_age ON answer (at_wall_ms);
CREATE INDEX feed_by_age ON feed (at_wall_ms);
CREATE INDEX inbox_handled ON inbox (at_wall_ms) WHERE state <> 'pending';
CREATE INDEX journal_by_age ON journal (at_wall_ms);
CREATE INDEX outbox_done ON outbox (applied_wall_ms) WHERE state = 'done';
CREATE INDEX rollout_ended ON rollout (ended_wall_ms) WHERE is_open = 0;
CREATE INDEX security_event_by_age ON security_event (at_wall_ms);
