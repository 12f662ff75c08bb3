-- Orders that stop something, those that were lifted too. What is stopped, as JSON.
CREATE TABLE quarantine (
    id             TEXT PRIMARY KEY NOT NULL,
    stopped        TEXT NOT NULL,
    principal      TEXT NOT NULL,
    reason         TEXT NOT NULL,
    begun_wall_ms  INTEGER NOT NULL,
    lifted_wall_ms INTEGER,
    lifted_by      TEXT,
    lifted_reason  TEXT
);
CREATE INDEX quarantine_in_force ON quarantine (begun_wall_ms) WHERE lifted_wall_ms IS NULL;
