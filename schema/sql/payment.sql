-- The provider's payments that were taken, whatever day their envelope is of. The
-- row is inserted in the transaction that moves the envelope: a number that has
-- paid one cannot pay another. It stays when the envelope's rows move away.
CREATE TABLE IF NOT EXISTS {database}.{table} (
  transaction_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, -- the provider's number
  order_id       CHAR(23) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  created_at     DATETIME(3) NOT NULL,

  PRIMARY KEY (transaction_id),
  UNIQUE KEY one_payment (order_id),
  CONSTRAINT {table}_named CHECK (transaction_id <> '')
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
