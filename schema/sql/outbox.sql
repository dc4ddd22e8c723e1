-- Transfers and events that are owed. A row is committed with what it is owed
-- for, and carried out afterwards.
CREATE TABLE IF NOT EXISTS {database}.{table} (
  id           BIGINT NOT NULL AUTO_INCREMENT,
  intent_no    VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, -- the provider's number for it, for ever
  kind         ENUM('payout','refund','event') CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  order_id     CHAR(23) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  user_id      VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  amount_fen   BIGINT NOT NULL,
  state        ENUM('pending','posted','held') CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'pending',
  attempts     INT NOT NULL DEFAULT 0,
  due_at       DATETIME(3) NOT NULL,
  leased_until DATETIME(3) NULL, -- a relay that holds the row; others pass it by until then
  created_at   DATETIME(3) NOT NULL,

  PRIMARY KEY (id),
  UNIQUE KEY one_intent (intent_no), -- I7
  -- Relays poll by state: ids commit out of order, so "id greater than the last
  -- one" would miss rows (FG10).
  KEY due (state, due_at),
  CONSTRAINT {table}_amount CHECK (amount_fen >= 0),
  CONSTRAINT {table}_attempts CHECK (attempts >= 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
