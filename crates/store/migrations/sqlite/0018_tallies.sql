-- What events came to by the quarter of an hour, as they are told: surveys, conversions, time saved, errors. An event that is
-- corrected, or corrects another, is counted by itself, and so are those that were told before.
CREATE TABLE value_tally (
    start_wall_ms INTEGER NOT NULL,
    agent         TEXT NOT NULL,
    import        TEXT NOT NULL,
    body          TEXT NOT NULL,
    PRIMARY KEY (start_wall_ms, agent, import)
) WITHOUT ROWID;
CREATE INDEX value_tally_import ON value_tally (import) WHERE import <> '';

ALTER TABLE value_event ADD COLUMN is_single INTEGER NOT NULL DEFAULT 1;
DROP INDEX value_event_at;
CREATE INDEX value_event_single ON value_event (kind, at_wall_ms) WHERE is_single = 1;
CREATE INDEX value_event_counted ON value_event (kind, at_wall_ms) WHERE is_single = 0;
