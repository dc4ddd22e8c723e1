-- The shares of one table digit and one day of the month.
CREATE TABLE IF NOT EXISTS {database}.{table} (
  order_id   CHAR(23) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  seq        SMALLINT UNSIGNED NOT NULL,
  -- Compared byte by byte: to another collation bob, BOB and bób are one user.
  user_id    VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  amount_fen INT NOT NULL,
  opened_at  DATETIME(3) NOT NULL,

  PRIMARY KEY (order_id, seq), -- I4: nobody takes a position twice
  UNIQUE KEY one_share_per_user (order_id, user_id), -- I2
  CONSTRAINT {table}_seq CHECK (seq BETWEEN 1 AND 500),
  CONSTRAINT {table}_amount CHECK (amount_fen BETWEEN 1 AND 20000)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
