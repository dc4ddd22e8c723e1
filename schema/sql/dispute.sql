-- What the provider says and our rows deny. Nothing is changed by it; people look.
CREATE TABLE IF NOT EXISTS {database}.{table} (
  id         BIGINT NOT NULL AUTO_INCREMENT,
  kind       ENUM('payment','transfer') CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  number     VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, -- the provider's, or ours for a transfer
  order_id   CHAR(23) CHARACTER SET ascii COLLATE ascii_bin NULL,
  what       VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  amount_fen BIGINT NOT NULL, -- that the provider speaks of
  created_at DATETIME(3) NOT NULL,
  resolved_at DATETIME(3) NULL, -- when two people did; until then it stops its transfer

  PRIMARY KEY (id),
  UNIQUE KEY said_once (kind, number, what), -- callbacks are repeated
  KEY by_order (order_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
