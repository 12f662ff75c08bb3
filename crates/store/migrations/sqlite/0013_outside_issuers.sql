-- Who issued the token that asks, when it was somebody outside.
ALTER TABLE approval ADD COLUMN issuer TEXT;

-- 1: nobody outside vouches for the version any more, as it was cut off after a security event.
ALTER TABLE identity_floor ADD COLUMN outside_barred INTEGER NOT NULL DEFAULT 0;
