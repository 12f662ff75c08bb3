-- Where a step of a release stands in the audit log. Steps from before there was one have no place.
ALTER TABLE rollout_transition ADD COLUMN ledger_seq INTEGER;

-- Steps that are still to be recorded there.
CREATE TABLE ledger_queue (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    rollout TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    UNIQUE (rollout, seq)
);
