ALTER TABLE decisions ADD COLUMN is_claimed boolean NOT NULL DEFAULT false;
