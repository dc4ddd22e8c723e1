-- What each receiver has been told of each envelope, and whether it is owed more.
CREATE TABLE IF NOT EXISTS {database}.{table} (
  order_id CHAR(23) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  topic    ENUM('charge','book','event') CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  stage    TINYINT NOT NULL DEFAULT 0,  -- how far in the envelope's life
  seq      SMALLINT NOT NULL DEFAULT 0, -- up to which share
  wanted   BIGINT NOT NULL DEFAULT 1,   -- counts what has happened
  state    ENUM('idle','pending','parked') CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'pending',
  attempts INT NOT NULL DEFAULT 0,      -- since the last success
  due_at   DATETIME(3) NOT NULL,        -- pending: when a relay looks at it; a claim moves it on
  since    DATETIME(3) NOT NULL,        -- when it began to be owed; with attempts it names a claim
  reason   VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '',

  PRIMARY KEY (order_id, topic),
  -- The last column is only read along, for the age of the oldest.
  KEY due (topic, state, due_at, since),
  CONSTRAINT {table}_stage CHECK (stage BETWEEN 0 AND 3),
  CONSTRAINT {table}_seq CHECK (seq BETWEEN 0 AND 500),
  CONSTRAINT {table}_wanted CHECK (wanted >= 1),
  CONSTRAINT {table}_attempts CHECK (attempts >= 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
