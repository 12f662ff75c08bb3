-- What agents' own calls are decided from: tools and limits, as JSON. NULL from before there was any.
ALTER TABLE config ADD COLUMN egress TEXT;

-- Tokens of agents' versions, never themselves.
CREATE TABLE identity (
    id              TEXT PRIMARY KEY NOT NULL,
    agent           TEXT NOT NULL,
    version         TEXT NOT NULL,
    manifest        TEXT NOT NULL,
    issued_wall_s   INTEGER NOT NULL,
    expires_wall_s  INTEGER NOT NULL,
    principal       TEXT NOT NULL,
    revoked_wall_ms INTEGER
);
CREATE INDEX identity_of_version ON identity (agent, version, issued_wall_s);
CREATE INDEX identity_by_age ON identity (expires_wall_s);

-- All tokens of a version that were issued before a second are revoked, also those that nobody remembers.
CREATE TABLE identity_floor (
    agent         TEXT NOT NULL,
    version       TEXT NOT NULL,
    before_wall_s INTEGER NOT NULL,
    PRIMARY KEY (agent, version)
);
