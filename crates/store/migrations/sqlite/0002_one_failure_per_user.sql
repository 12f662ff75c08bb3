-- A user's failed outcomes count as one error per version and rollout, as votes do.
UPDATE answer SET charged = 0
WHERE charged = 1 AND sticky_user IS NOT NULL AND id NOT IN
    (SELECT MIN(id) FROM answer WHERE charged = 1 AND sticky_user IS NOT NULL
     GROUP BY agent, version, rollout, sticky_user);

CREATE UNIQUE INDEX answer_one_failure ON answer (agent, version, rollout, sticky_user)
    WHERE charged = 1 AND sticky_user IS NOT NULL;
