-- Tokens, issued here, of those for whom an agent asks: a JSON list of ids.
ALTER TABLE approval ADD COLUMN givers TEXT NOT NULL DEFAULT '[]';
