-- What a user's rows of a year add up to. Every transaction that writes rows of
-- a user locks the year's row here first, which makes them serial.
CREATE TABLE IF NOT EXISTS {database}.{table} (
  user_id         VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  year            SMALLINT UNSIGNED NOT NULL,
  sent_count      INT NOT NULL DEFAULT 0,
  sent_fen        BIGINT NOT NULL DEFAULT 0,
  refunded_fen    BIGINT NOT NULL DEFAULT 0,
  received_count  INT NOT NULL DEFAULT 0,
  received_fen    BIGINT NOT NULL DEFAULT 0,
  best_luck_count INT NOT NULL DEFAULT 0,

  PRIMARY KEY (user_id, year),
  CONSTRAINT {table}_year CHECK (year BETWEEN 2025 AND 2100),
  -- Nothing is less than 1 fen, and nothing is refunded that was not sent.
  CONSTRAINT {table}_sent CHECK (sent_count >= 0 AND sent_fen >= sent_count),
  CONSTRAINT {table}_refunded CHECK (refunded_fen BETWEEN 0 AND sent_fen),
  CONSTRAINT {table}_received CHECK (received_count >= 0 AND received_fen >= received_count),
  CONSTRAINT {table}_best_luck CHECK (best_luck_count BETWEEN 0 AND received_count)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
