-- Machine numbers for minting order IDs: rows are made ahead and leased by a
-- conditional UPDATE on (owner, term).
CREATE TABLE IF NOT EXISTS {database}.{table} (
  machine_id      SMALLINT UNSIGNED NOT NULL,
  owner           VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  term            BIGINT NOT NULL DEFAULT 0, -- counts owners
  -- Unix milliseconds, the high-water mark: the owner never mints a later
  -- millisecond, and the next owner never an earlier one.
  leased_until_ms BIGINT NOT NULL DEFAULT 0,

  PRIMARY KEY (machine_id),
  CONSTRAINT {table}_machine_fits_id CHECK (machine_id BETWEEN 0 AND 4095)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
