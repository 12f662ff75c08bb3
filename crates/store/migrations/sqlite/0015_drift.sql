-- What was said last of drift on behalf of an agent, by whoever looks for it. Nothing older is needed: what was said
-- before stands in the audit log.
CREATE TABLE drift_result (
    agent TEXT NOT NULL,
    source TEXT NOT NULL,
    -- none, drifted, unknown
    outcome TEXT NOT NULL,
    -- When what was compared was looked at; never later than it was heard of.
    at_wall_ms INTEGER NOT NULL,
    received_wall_ms INTEGER NOT NULL,
    principal TEXT NOT NULL,
    -- What was compared, as JSON.
    roots TEXT NOT NULL,
    PRIMARY KEY (agent, source)
) STRICT;
