-- An outcome that a version told of an interaction is not told again by its user, and a user tells those of few.
ALTER TABLE answer ADD COLUMN counted INTEGER NOT NULL DEFAULT 1;

CREATE INDEX answer_outcomes_of_user ON answer (agent, version, rollout, sticky_user)
    WHERE kind = 'outcome' AND counted = 1 AND sticky_user IS NOT NULL;
