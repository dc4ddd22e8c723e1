-- Payouts that the provider is asked for together. What is in a batch was decided
-- by the transaction that made it, and stays so while it is pending (I7): the key
-- makes a second batch of the same number impossible.
CREATE TABLE IF NOT EXISTS {database}.{table} (
  no          VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, -- the provider knows it by this
  state       ENUM('pending','ended') CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'pending',
  tier        TINYINT NOT NULL, -- that of its largest payout
  `count`     SMALLINT NOT NULL,
  total_fen   BIGINT NOT NULL,
  placed      BOOLEAN NOT NULL DEFAULT FALSE, -- the provider may know of it
  placed_at   DATETIME(3) NULL, -- when it was first asked for
  attempts    INT NOT NULL DEFAULT 0,
  provider_no VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  refused     SMALLINT NOT NULL DEFAULT 0, -- ended: how many were
  reason      VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '', -- why it does not go on, or was dissolved
  proposed_by VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL, -- to dissolve it
  proposed_at DATETIME(3) NULL,
  approved_by VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL, -- ended: by two people, and never placed
  created_at  DATETIME(3) NOT NULL,        -- when the oldest payout began to be owed
  due_at      DATETIME(3) NOT NULL,        -- pending: when a relay looks at it; a claim moves it on
  ended_at    DATETIME(3) NULL,

  PRIMARY KEY (no),
  KEY due (state, tier, due_at),
  CONSTRAINT {table}_tier CHECK (tier BETWEEN 0 AND 2),
  CONSTRAINT {table}_count CHECK (`count` BETWEEN 1 AND 500),
  CONSTRAINT {table}_total CHECK (total_fen BETWEEN `count` AND `count` * 20000),
  CONSTRAINT {table}_attempts CHECK (attempts >= 0),
  CONSTRAINT {table}_refused CHECK (refused BETWEEN 0 AND `count` AND (refused = 0 OR state = 'ended')),
  -- The provider decides only about what it was asked.
  CONSTRAINT {table}_placed_first CHECK (state = 'pending' OR placed),
  CONSTRAINT {table}_proposed CHECK ((proposed_by IS NULL) = (proposed_at IS NULL)),
  CONSTRAINT {table}_dissolved CHECK (approved_by IS NULL OR (proposed_by IS NOT NULL AND LOWER(approved_by) <> LOWER(proposed_by) AND state = 'ended' AND refused = `count`)),
  CONSTRAINT {table}_ended CHECK ((state = 'ended') = (ended_at IS NOT NULL))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
