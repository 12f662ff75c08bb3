-- Actions that wait for a person, and what became of them. Times are of a clock that never goes back.
CREATE TABLE approval (
    id              TEXT PRIMARY KEY NOT NULL,
    agent           TEXT NOT NULL,
    version         TEXT NOT NULL,
    tool            TEXT NOT NULL,
    action          TEXT NOT NULL,
    hash            TEXT NOT NULL,
    token           TEXT NOT NULL,
    -- Rules' terms, settings, and what a person is shown, as JSON.
    terms           TEXT NOT NULL,
    settings        TEXT NOT NULL,
    shown           TEXT NOT NULL,
    -- waiting, granted, denied; and the ends used, expired, lapsed, over.
    state           TEXT NOT NULL,
    asked_wall_ms   INTEGER NOT NULL,
    -- Until when the state lasts by itself.
    until_wall_ms   INTEGER NOT NULL,
    changed_wall_ms INTEGER NOT NULL,
    -- Whether people were told of it.
    told            INTEGER NOT NULL DEFAULT 0
);
-- One question about one action at a time.
CREATE UNIQUE INDEX approval_open ON approval (agent, version, hash) WHERE state IN ('waiting', 'granted', 'denied');
CREATE INDEX approval_by_state ON approval (state, until_wall_ms);
CREATE INDEX approval_by_change ON approval (changed_wall_ms);

-- Who said what.
CREATE TABLE approval_vote (
    approval   TEXT NOT NULL REFERENCES approval (id) ON DELETE CASCADE,
    principal  TEXT NOT NULL,
    agreed     INTEGER NOT NULL,
    reason     TEXT NOT NULL,
    at_wall_ms INTEGER NOT NULL,
    PRIMARY KEY (approval, principal)
);
