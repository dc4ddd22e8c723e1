-- The envelopes in their senders' books, from the payment on. A row is written
-- once; only refunded_fen changes, from 0, when the rest has gone back.
CREATE TABLE IF NOT EXISTS {database}.{table} (
  user_id      VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  order_id     CHAR(23) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  year         SMALLINT UNSIGNED NOT NULL, -- of the business day of paid_at
  kind         ENUM('lucky','equal','exclusive') CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  total_fen    BIGINT NOT NULL,
  `count`      INT NOT NULL,
  refunded_fen BIGINT NOT NULL DEFAULT 0,
  paid_at      DATETIME(3) NOT NULL,

  PRIMARY KEY (user_id, order_id),
  KEY newest (user_id, year, paid_at, order_id), -- a year's list, newest first
  CONSTRAINT {table}_year CHECK (year BETWEEN 2025 AND 2100),
  CONSTRAINT {table}_count CHECK (`count` BETWEEN 1 AND 500),
  CONSTRAINT {table}_total CHECK (total_fen BETWEEN `count` AND `count` * 20000),
  CONSTRAINT {table}_refunded CHECK (refunded_fen BETWEEN 0 AND total_fen)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
