-- How often actions were done, in short slots of time. A count is the sum of the slots of its span.
CREATE TABLE limit_slot (
    rule       TEXT NOT NULL,
    whose      TEXT NOT NULL,
    slot_ms    INTEGER NOT NULL,
    began_ms   INTEGER NOT NULL,
    used       INTEGER NOT NULL,
    over_ms    INTEGER NOT NULL,
    PRIMARY KEY (rule, whose, slot_ms, began_ms)
) WITHOUT ROWID;
CREATE INDEX limit_slot_over ON limit_slot (over_ms);
