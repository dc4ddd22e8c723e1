-- What this database is: one shard of the users' books, of how many. Its one row
-- is written when the database is made and never changed: whoever opens the
-- shards in another order is told by it.
CREATE TABLE IF NOT EXISTS {database}.{table} (
  shard_number SMALLINT UNSIGNED NOT NULL,
  shard_count  SMALLINT UNSIGNED NOT NULL,
  environment  VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, -- playground, drill, production
  cluster_uuid CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,    -- typed back before anything is broken

  PRIMARY KEY (shard_number),
  -- With the key this makes it one row, and the right one.
  CONSTRAINT {table}_is_this_shard CHECK (shard_number = {shard} AND shard_count = {shards})
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
