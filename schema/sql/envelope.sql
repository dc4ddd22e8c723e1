-- The envelopes of one table digit and one day of the month. The CHECKs are the
-- second wall: the domain decides the same before, and nothing that gets past
-- it by mistake can be stored. Their names carry the table's, because in MySQL 8
-- the names of CHECKs are unique in a database.
CREATE TABLE IF NOT EXISTS {database}.{table} (
  order_id        CHAR(23) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  kind            ENUM('lucky','equal','exclusive') CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  state           ENUM('unpaid','active','empty','expired','settled','closed') CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  ver             BIGINT NOT NULL, -- counts commits to the row; every write names the one it saw
  sender_id       VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  group_id        VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  recipient_id    VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  greeting        VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  total_fen       BIGINT NOT NULL,
  `count`         INT NOT NULL,
  share_min_fen   INT NOT NULL DEFAULT 1, -- what this envelope was promised …
  share_max_fen   INT NOT NULL, -- … at least and at most in a share; the settings may change
  opened_fen      BIGINT NOT NULL DEFAULT 0,
  opened_count    INT NOT NULL DEFAULT 0,
  refunded_fen    BIGINT NOT NULL DEFAULT 0,
  draw_commitment BINARY(32) NOT NULL,
  transaction_id  VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL, -- the provider's number, as in payment
  created_at      DATETIME(3) NOT NULL,
  paid_at         DATETIME(3) NULL,
  expires_at      DATETIME(3) NOT NULL,
  finished_at     DATETIME(3) NULL,

  PRIMARY KEY (order_id),
  -- For the expiry sweep of the day. An open changes neither column until it
  -- takes the last share, so it costs a few index writes in an envelope's life.
  KEY expiry (state, expires_at),

  CONSTRAINT {table}_ver CHECK (ver >= 1),
  CONSTRAINT {table}_count CHECK (`count` BETWEEN 1 AND 500),
  CONSTRAINT {table}_share_max CHECK (share_max_fen BETWEEN 1 AND 20000),
  CONSTRAINT {table}_share_min CHECK (share_min_fen BETWEEN 1 AND share_max_fen),
  CONSTRAINT {table}_total CHECK (total_fen BETWEEN `count` * share_min_fen AND `count` * share_max_fen),

  CONSTRAINT {table}_exclusive_names_one CHECK ((kind = 'exclusive') = (recipient_id IS NOT NULL)),
  CONSTRAINT {table}_exclusive_is_one CHECK (kind <> 'exclusive' OR `count` = 1),
  CONSTRAINT {table}_equal_divides CHECK (kind <> 'equal' OR total_fen % `count` = 0),

  CONSTRAINT {table}_opened_count CHECK (opened_count BETWEEN 0 AND `count`),
  -- Every share was at least and at most what was promised (I5).
  CONSTRAINT {table}_opened CHECK (opened_fen BETWEEN opened_count * share_min_fen AND total_fen
    AND opened_fen <= opened_count * share_max_fen),
  -- Nothing is given twice (I1).
  CONSTRAINT {table}_conserved CHECK (refunded_fen >= 0 AND opened_fen + refunded_fen <= total_fen),
  -- The last share takes the rest (I5).
  CONSTRAINT {table}_last_takes_rest CHECK (opened_count < `count` OR opened_fen = total_fen),
  -- While shares are left, each has at least that much to come (I5).
  CONSTRAINT {table}_active_has_left CHECK (state <> 'active'
    OR (opened_count < `count` AND total_fen - opened_fen >= (`count` - opened_count) * share_min_fen AND refunded_fen = 0)),
  CONSTRAINT {table}_empty_is_opened CHECK (state <> 'empty' OR opened_count = `count`),
  CONSTRAINT {table}_unpaid_is_unopened CHECK (state NOT IN ('unpaid','closed') OR opened_count = 0),
  -- What was not opened by the end goes back, all of it (I6).
  CONSTRAINT {table}_ended CHECK (state NOT IN ('expired','settled') OR opened_fen + refunded_fen = total_fen),
  CONSTRAINT {table}_paid CHECK (state IN ('unpaid','closed') OR (paid_at IS NOT NULL AND transaction_id IS NOT NULL))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
