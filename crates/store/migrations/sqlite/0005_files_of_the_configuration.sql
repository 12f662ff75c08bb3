-- Files that a configuration names, by name, as a JSON object.
ALTER TABLE config ADD COLUMN files TEXT NOT NULL DEFAULT '{}';
