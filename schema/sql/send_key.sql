-- Which envelope each Idempotency-Key has made. In the envelope's own SET the row
-- is inserted in the transaction that inserts the envelope, so that neither is
-- there without the other; the key's other homes get it afterwards. The first row of a key stays, and
-- is never changed: that a majority of the homes can name one envelope only rests on it.
CREATE TABLE IF NOT EXISTS {database}.{table} (
  sender_id       VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  idempotency_key VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  request_hash    BINARY(32) NOT NULL, -- the same key with another request is refused
  order_id        CHAR(23) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  created_at      DATETIME(3) NOT NULL,

  PRIMARY KEY (sender_id, idempotency_key)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
