-- Keys that sign tokens of agents' versions: their public halves. The private ones are in files.
CREATE TABLE identity_key (
    kid             TEXT PRIMARY KEY NOT NULL,
    public          TEXT NOT NULL,
    since_wall_ms   INTEGER NOT NULL,
    -- When another one took its place. NULL: it signs.
    until_wall_ms   INTEGER,
    -- From when on its tokens are void, as planned; NULL: no such time.
    ends_wall_ms    INTEGER,
    -- When someone voided them.
    retired_wall_ms INTEGER,
    principal       TEXT NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX identity_key_that_signs ON identity_key (until_wall_ms IS NULL) WHERE until_wall_ms IS NULL;

-- Which key signed a token. Empty until the first key is known to the store, and then that one.
ALTER TABLE identity ADD COLUMN kid TEXT NOT NULL DEFAULT '';
