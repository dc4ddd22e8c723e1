-- What this database is. Its one row is written when the database is made and
-- never changed: tools that break or repair things ask it where they are.
CREATE TABLE IF NOT EXISTS {database}.{table} (
  set_number   SMALLINT UNSIGNED NOT NULL,
  environment  VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, -- playground, drill, production
  cluster_uuid CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,    -- typed back before anything is broken

  PRIMARY KEY (set_number),
  -- With the key this makes it one row, and the right one.
  CONSTRAINT {table}_is_this_set CHECK (set_number = {set})
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
