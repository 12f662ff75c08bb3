-- What agents are worth. Interactions come to counts by the hour and by the day as they are written.
CREATE TABLE value_rollup (
    resolution_ms INTEGER NOT NULL,
    agent         TEXT NOT NULL,
    start_wall_ms INTEGER NOT NULL,
    version       TEXT NOT NULL,
    body          BLOB NOT NULL,
    PRIMARY KEY (resolution_ms, agent, start_wall_ms, version)
);
CREATE INDEX value_rollup_start ON value_rollup (resolution_ms, start_wall_ms);

-- Files of events. What they hold counts when they are whole.
CREATE TABLE value_import (
    id              TEXT PRIMARY KEY,
    name            TEXT NOT NULL,
    rows_all        INTEGER NOT NULL,
    rows_taken      INTEGER NOT NULL,
    rows_known      INTEGER NOT NULL,
    is_done         INTEGER NOT NULL,
    principal       TEXT NOT NULL,
    started_wall_ms INTEGER NOT NULL,
    touched_wall_ms INTEGER NOT NULL
);

-- What people and other systems said. Never changed: a correction names what it replaces.
CREATE TABLE value_event (
    id               INTEGER PRIMARY KEY,
    key              TEXT NOT NULL UNIQUE,
    at_wall_ms       INTEGER NOT NULL,
    agent            TEXT,
    kind             TEXT NOT NULL,
    corrects         TEXT,
    body             TEXT NOT NULL,
    principal        TEXT NOT NULL,
    received_wall_ms INTEGER NOT NULL,
    import           TEXT REFERENCES value_import (id)
);
CREATE UNIQUE INDEX value_event_corrects ON value_event (corrects) WHERE corrects IS NOT NULL;
CREATE INDEX value_event_at ON value_event (kind, at_wall_ms);
CREATE INDEX value_event_import ON value_event (import) WHERE import IS NOT NULL;
