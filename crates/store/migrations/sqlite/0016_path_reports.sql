-- What repositories show of the steps of a path, as it was posted: evidence for releases.
CREATE TABLE path_report (
    id          INTEGER PRIMARY KEY,
    agent       TEXT NOT NULL,
    version     TEXT NOT NULL,
    path        TEXT NOT NULL,
    commit_id   TEXT NOT NULL,
    principal   TEXT NOT NULL,
    at_wall_ms  INTEGER NOT NULL,
    body        TEXT NOT NULL
);
CREATE INDEX path_report_of ON path_report (agent, version, path, id);
CREATE INDEX path_report_at ON path_report (at_wall_ms);
