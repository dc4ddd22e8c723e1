-- Which envelopes a transaction has moved. The row is committed with the move,
-- so whatever the envelope's receivers are owed follows from it, however late.
CREATE TABLE IF NOT EXISTS {database}.{table} (
  id         BIGINT NOT NULL AUTO_INCREMENT,
  touched    MEDIUMTEXT CHARACTER SET ascii COLLATE ascii_bin NOT NULL, -- order IDs, one after the other
  state      ENUM('pending','spread') CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  created_at DATETIME(3) NOT NULL,

  PRIMARY KEY (id),
  -- Relays poll by state: ids commit out of order, so "id greater than the last
  -- one" would miss rows (FG10).
  KEY due (state, id),
  CONSTRAINT {table}_touched CHECK (touched <> '' AND CHAR_LENGTH(touched) % 23 = 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
