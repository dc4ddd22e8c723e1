-- The shares in their openers' books. A row is written once; only best_luck
-- changes, from 0 to 1, when the envelope is finished.
CREATE TABLE IF NOT EXISTS {database}.{table} (
  -- Compared byte by byte: to another collation bob, BOB and bób are one user.
  user_id    VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  order_id   CHAR(23) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  year       SMALLINT UNSIGNED NOT NULL, -- of the business day of opened_at
  seq        SMALLINT UNSIGNED NOT NULL,
  sender_id  VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  kind       ENUM('lucky','equal','exclusive') CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  amount_fen INT NOT NULL,
  best_luck  TINYINT UNSIGNED NOT NULL DEFAULT 0,
  opened_at  DATETIME(3) NOT NULL,

  PRIMARY KEY (user_id, order_id), -- I2: one share per envelope, so one row
  KEY newest (user_id, year, opened_at, order_id), -- a year's list, newest first
  CONSTRAINT {table}_year CHECK (year BETWEEN 2025 AND 2100),
  CONSTRAINT {table}_seq CHECK (seq BETWEEN 1 AND 500),
  CONSTRAINT {table}_amount CHECK (amount_fen BETWEEN 1 AND 20000),
  CONSTRAINT {table}_best_luck CHECK (best_luck = 0 OR (best_luck = 1 AND kind = 'lucky'))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
