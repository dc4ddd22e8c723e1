-- Money owed and carried out once: the payout of a share, or the refund of what
-- is left. The key is the intent (I7): the provider's number follows from it.
CREATE TABLE IF NOT EXISTS {database}.{table} (
  order_id    CHAR(23) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  seq         SMALLINT NOT NULL, -- of the share; 0 is the refund
  round       TINYINT NOT NULL DEFAULT 1,
  payee_id    VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  amount_fen  BIGINT NOT NULL,
  charged_fen BIGINT NOT NULL, -- what the sender paid
  state       ENUM('pending','posted','held','stuck') CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'pending',
  placed      BOOLEAN NOT NULL DEFAULT FALSE, -- the provider may know of it
  placed_at   DATETIME(3) NULL, -- when it was first asked for by itself in this round; it forgets after 30 days
  attempts    INT NOT NULL DEFAULT 0,
  batch       VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '', -- payout_batch.no; '' is asked for by itself
  tier        TINYINT NOT NULL, -- larger amounts first when there is more to do than can be done
  provider_no VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  hint        VARCHAR(1024) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  reason      VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '',
  created_at  DATETIME(3) NOT NULL, -- when this round began to be owed
  due_at      DATETIME(3) NOT NULL, -- pending or stuck: when a relay looks at it; a claim moves it on; held: since when
  posted_at   DATETIME(3) NULL,

  PRIMARY KEY (order_id, seq),
  -- The last columns are only read along, for the age of the oldest and the sum of
  -- a batch.
  KEY due (state, batch, tier, due_at, created_at, amount_fen),
  CONSTRAINT {table}_seq CHECK (seq BETWEEN 0 AND 500),
  CONSTRAINT {table}_round CHECK (round BETWEEN 1 AND 9),
  CONSTRAINT {table}_amount CHECK (amount_fen BETWEEN 1 AND charged_fen),
  CONSTRAINT {table}_tier CHECK (tier = CASE WHEN amount_fen >= 10000 THEN 0 WHEN amount_fen >= 1000 THEN 1 ELSE 2 END),
  CONSTRAINT {table}_refund_alone CHECK (seq > 0 OR batch = ''),
  CONSTRAINT {table}_attempts CHECK (attempts >= 0),
  -- In a batch, what is stuck is the batch.
  CONSTRAINT {table}_stuck CHECK (state <> 'stuck' OR (batch = '' AND reason <> '')),
  -- The provider decides only about what it was asked.
  CONSTRAINT {table}_placed_first CHECK (state IN ('pending','stuck') OR placed),
  CONSTRAINT {table}_posted CHECK ((state = 'posted') = (posted_at IS NOT NULL))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
