-- Everything a server must remember. Times are milliseconds since the Unix epoch, documents are
-- JSON text, and nothing here is out of reach for PostgreSQL.

CREATE TABLE setting (
    name  TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
);

-- Every configuration that was ever active; the newest row is.
CREATE TABLE config (
    revision               INTEGER PRIMARY KEY AUTOINCREMENT,
    digest                 TEXT NOT NULL,
    body                   TEXT NOT NULL,
    agents                 TEXT NOT NULL,
    candidate_stale_max_ms INTEGER NOT NULL,
    principal              TEXT NOT NULL,
    reason                 TEXT NOT NULL,
    source                 TEXT NOT NULL,
    at_wall_ms             INTEGER NOT NULL
);

-- Every version that was ever named. A row never changes.
CREATE TABLE version (
    agent      TEXT NOT NULL,
    name       TEXT NOT NULL,
    digest     TEXT NOT NULL,
    manifest   TEXT NOT NULL,
    at_wall_ms INTEGER NOT NULL,
    PRIMARY KEY (agent, name)
);

-- Who may act. The token grows whenever a lease changes hands.
CREATE TABLE lease (
    name            TEXT PRIMARY KEY NOT NULL,
    holder          TEXT NOT NULL,
    token           INTEGER NOT NULL,
    expires_wall_ms INTEGER NOT NULL,
    alive_wall_ms   INTEGER
);

-- What control must handle, in order.
CREATE TABLE inbox (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    kind       TEXT NOT NULL,
    key        TEXT,
    agent      TEXT NOT NULL,
    rollout    TEXT,
    body       TEXT NOT NULL,
    principal  TEXT NOT NULL,
    at_wall_ms INTEGER NOT NULL,
    state      TEXT NOT NULL DEFAULT 'pending',
    answer     TEXT
);
CREATE UNIQUE INDEX inbox_key ON inbox (kind, key) WHERE key IS NOT NULL;
CREATE INDEX inbox_pending ON inbox (id) WHERE state = 'pending';

CREATE TABLE rollout (
    id              TEXT PRIMARY KEY NOT NULL,
    agent           TEXT NOT NULL,
    phase           TEXT NOT NULL,
    is_open         INTEGER NOT NULL,
    started_wall_ms INTEGER NOT NULL,
    ended_wall_ms   INTEGER,
    row_version     INTEGER NOT NULL,
    body            TEXT NOT NULL
);
CREATE UNIQUE INDEX rollout_one_open ON rollout (agent) WHERE is_open = 1;
CREATE INDEX rollout_newest ON rollout (started_wall_ms, id);
CREATE INDEX rollout_of_agent ON rollout (agent, started_wall_ms);

CREATE TABLE rollout_transition (
    rollout TEXT NOT NULL REFERENCES rollout (id),
    seq     INTEGER NOT NULL,
    body    TEXT NOT NULL,
    PRIMARY KEY (rollout, seq)
);

-- Effects that were decided. `applied_count` says how often one was recorded as performed: 0 or 1.
CREATE TABLE outbox (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    rollout         TEXT NOT NULL REFERENCES rollout (id),
    agent           TEXT NOT NULL,
    transition_seq  INTEGER NOT NULL,
    kind            TEXT NOT NULL,
    epoch           INTEGER,
    body            TEXT NOT NULL,
    state           TEXT NOT NULL DEFAULT 'pending',
    attempts        INTEGER NOT NULL DEFAULT 0,
    next_wall_ms    INTEGER NOT NULL DEFAULT 0,
    note            TEXT,
    applied_wall_ms INTEGER,
    applied_count   INTEGER NOT NULL DEFAULT 0,
    revision        INTEGER
);
CREATE INDEX outbox_pending ON outbox (agent, id) WHERE state = 'pending';
CREATE INDEX outbox_of_rollout ON outbox (rollout, transition_seq);

CREATE TABLE split (
    agent    TEXT PRIMARY KEY NOT NULL,
    body     TEXT NOT NULL,
    revision INTEGER NOT NULL
);

CREATE TABLE snapshot (
    revision   INTEGER PRIMARY KEY NOT NULL,
    at_wall_ms INTEGER NOT NULL,
    body       TEXT NOT NULL
);

CREATE TABLE gateway (
    name         TEXT PRIMARY KEY NOT NULL,
    applied      INTEGER NOT NULL,
    seen_wall_ms INTEGER NOT NULL,
    report       TEXT NOT NULL
);

CREATE TABLE security_event (
    id         TEXT PRIMARY KEY NOT NULL,
    agent      TEXT NOT NULL,
    version    TEXT NOT NULL,
    at_wall_ms INTEGER NOT NULL,
    body       TEXT NOT NULL
);

CREATE TABLE fuse (
    id                   TEXT PRIMARY KEY NOT NULL,
    agent                TEXT NOT NULL,
    body                 TEXT NOT NULL,
    at_wall_ms           INTEGER NOT NULL,
    acknowledged_wall_ms INTEGER
);
CREATE INDEX fuse_acknowledged ON fuse (acknowledged_wall_ms) WHERE acknowledged_wall_ms IS NOT NULL;

-- Windows as they came, one per gateway, rollout, version, epoch and second. `rollout` is empty
-- outside rollouts.
CREATE TABLE measurement (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    gateway        TEXT NOT NULL,
    boot           TEXT NOT NULL,
    seq            INTEGER NOT NULL,
    second_wall_ms INTEGER NOT NULL,
    agent          TEXT NOT NULL,
    version        TEXT NOT NULL,
    rollout        TEXT NOT NULL,
    epoch          INTEGER NOT NULL,
    arm            TEXT NOT NULL,
    seen_keys      BLOB NOT NULL,
    UNIQUE (gateway, boot, seq)
);
CREATE INDEX measurement_of_rollout ON measurement (rollout, second_wall_ms);
CREATE INDEX measurement_of_version ON measurement (agent, version, second_wall_ms);
CREATE INDEX measurement_by_age ON measurement (second_wall_ms);

-- The highest window of each boot that was merged into a coarser row: a window up to it that
-- comes again was counted.
CREATE TABLE measurement_merged (
    gateway TEXT NOT NULL,
    boot    TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    PRIMARY KEY (gateway, boot)
);

-- Minutes and hours.
CREATE TABLE rollup (
    resolution_ms INTEGER NOT NULL,
    start_wall_ms INTEGER NOT NULL,
    agent         TEXT NOT NULL,
    version       TEXT NOT NULL,
    rollout       TEXT NOT NULL,
    epoch         INTEGER NOT NULL,
    arm           TEXT NOT NULL,
    PRIMARY KEY (resolution_ms, start_wall_ms, agent, version, rollout, epoch)
);
CREATE INDEX rollup_of_version ON rollup (agent, version, start_wall_ms);

-- Everything since the start of a rollout, merged.
CREATE TABLE evidence (
    rollout TEXT NOT NULL,
    epoch   INTEGER NOT NULL,
    version TEXT NOT NULL,
    arm     TEXT NOT NULL,
    PRIMARY KEY (rollout, epoch, version)
);

-- Distinct sticky keys behind `evidence`.
CREATE TABLE rollout_key (
    rollout TEXT NOT NULL,
    epoch   INTEGER NOT NULL,
    version TEXT NOT NULL,
    key     INTEGER NOT NULL,
    errored INTEGER NOT NULL,
    PRIMARY KEY (rollout, epoch, version, key)
) WITHOUT ROWID;

CREATE TABLE interaction (
    id                  TEXT PRIMARY KEY NOT NULL,
    agent               TEXT NOT NULL,
    version             TEXT,
    rollout             TEXT,
    epoch               INTEGER NOT NULL,
    sticky_user         INTEGER,
    conversation        INTEGER,
    started_wall_ms     INTEGER NOT NULL,
    status              INTEGER,
    error               TEXT,
    outcome             TEXT,
    first_byte_us       INTEGER,
    total_us            INTEGER,
    input_tokens        INTEGER,
    cached_input_tokens INTEGER,
    cache_write_tokens  INTEGER,
    output_tokens       INTEGER,
    model               TEXT,
    cost_nanousd        INTEGER
) WITHOUT ROWID;
CREATE INDEX interaction_of_agent ON interaction (agent, started_wall_ms);
CREATE INDEX interaction_by_age ON interaction (started_wall_ms);

-- Answers that count. `charged` marks a failed outcome that counts as an error of the version.
CREATE TABLE answer (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    interaction TEXT NOT NULL,
    kind        TEXT NOT NULL,
    value       TEXT NOT NULL,
    agent       TEXT NOT NULL,
    version     TEXT NOT NULL,
    rollout     TEXT NOT NULL,
    epoch       INTEGER NOT NULL,
    sticky_user INTEGER,
    charged     INTEGER NOT NULL,
    at_wall_ms  INTEGER NOT NULL,
    UNIQUE (interaction, kind)
);
CREATE UNIQUE INDEX answer_one_vote ON answer (agent, version, rollout, sticky_user)
    WHERE kind = 'feedback' AND sticky_user IS NOT NULL;
CREATE INDEX answer_of_rollout ON answer (rollout, at_wall_ms);
CREATE INDEX answer_of_version ON answer (agent, version, at_wall_ms);

CREATE TABLE feed (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    at_wall_ms INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    agent      TEXT,
    rollout    TEXT,
    body       TEXT NOT NULL
);

CREATE TABLE journal (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    at_wall_ms INTEGER NOT NULL,
    principal  TEXT NOT NULL,
    action     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    detail     TEXT NOT NULL
);

CREATE TABLE token (
    id              TEXT PRIMARY KEY NOT NULL,
    name            TEXT NOT NULL,
    hash_hex        TEXT NOT NULL UNIQUE,
    role            TEXT NOT NULL,
    agents          TEXT,
    created_wall_ms INTEGER NOT NULL,
    revoked_wall_ms INTEGER
);
