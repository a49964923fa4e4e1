ALTER TABLE decisions ADD COLUMN passkey text;
