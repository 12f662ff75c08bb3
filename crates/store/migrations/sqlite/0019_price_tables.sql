-- Tables of prices that costs came from: few, and named by number where there are many rows.
CREATE TABLE price_table (
    id      INTEGER PRIMARY KEY,
    name    TEXT NOT NULL,
    version TEXT NOT NULL,
    date    TEXT NOT NULL,
    UNIQUE (name, version, date)
);

-- Costs from before have no table.
ALTER TABLE interaction ADD COLUMN price_table INTEGER;
ALTER TABLE interaction ADD COLUMN cache_write_1h_tokens INTEGER;
ALTER TABLE interaction ADD COLUMN reasoning_tokens INTEGER;
ALTER TABLE interaction ADD COLUMN service_tier TEXT;
