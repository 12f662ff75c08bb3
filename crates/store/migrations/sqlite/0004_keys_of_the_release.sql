-- Distinct keys over a whole release: each key counts in the epoch that met it first, and its
-- first error in the epoch that saw it, so that epochs add up. In `rollout_key`, the rows under
-- epoch -1 are those of all epochs together.
ALTER TABLE evidence ADD COLUMN first_assigned INTEGER NOT NULL DEFAULT 0;
ALTER TABLE evidence ADD COLUMN first_erroring INTEGER NOT NULL DEFAULT 0;
ALTER TABLE evidence ADD COLUMN erred_before INTEGER NOT NULL DEFAULT 0;

UPDATE evidence SET
    first_assigned = (
        SELECT COUNT(*) FROM
            (SELECT rollout, version, key, MIN(epoch) AS epoch FROM rollout_key
             GROUP BY rollout, version, key) AS met
        WHERE met.rollout = evidence.rollout AND met.version = evidence.version
            AND met.epoch = evidence.epoch),
    first_erroring = (
        SELECT COUNT(*) FROM
            (SELECT rollout, version, key, MIN(epoch) AS epoch FROM rollout_key
             WHERE errored = 1 GROUP BY rollout, version, key) AS erred
        WHERE erred.rollout = evidence.rollout AND erred.version = evidence.version
            AND erred.epoch = evidence.epoch),
    erred_before = (
        SELECT COUNT(*) FROM rollout_key AS seen JOIN
            (SELECT rollout, version, key, MIN(epoch) AS epoch FROM rollout_key
             WHERE errored = 1 GROUP BY rollout, version, key) AS erred
            ON erred.rollout = seen.rollout AND erred.version = seen.version
                AND erred.key = seen.key
        WHERE seen.rollout = evidence.rollout AND seen.version = evidence.version
            AND seen.epoch = evidence.epoch AND erred.epoch < seen.epoch);

INSERT INTO rollout_key (rollout, epoch, version, key, errored)
SELECT rollout, -1, version, key, MAX(errored) FROM rollout_key GROUP BY rollout, version, key;
