-- What agents are told of tools: as it was first seen or accepted, and as it was seen otherwise since.
CREATE TABLE tool_pin (
    tool            TEXT NOT NULL,
    action          TEXT NOT NULL,
    digest          TEXT NOT NULL,
    shape           TEXT NOT NULL,
    since_wall_ms   INTEGER NOT NULL,
    new_digest      TEXT,
    new_shape       TEXT,
    changed_wall_ms INTEGER,
    told            INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (tool, action)
) WITHOUT ROWID;
