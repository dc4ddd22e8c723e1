-- What two people decide about a transfer that was refused for good: one
-- proposes, another approves, and then its next round begins.
CREATE TABLE IF NOT EXISTS {database}.{table} (
  order_id    CHAR(23) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  seq         SMALLINT NOT NULL,
  round       TINYINT NOT NULL, -- the one that was refused
  action      ENUM('release','redirect','dissolve') CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  payee_id    VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL, -- redirect: who gets it instead
  proposed_by VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  proposed_at DATETIME(3) NOT NULL,
  approved_by VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  approved_at DATETIME(3) NULL,

  PRIMARY KEY (order_id, seq, round),
  CONSTRAINT {table}_round CHECK (round BETWEEN 1 AND 8), -- the ninth has no next
  CONSTRAINT {table}_payee CHECK ((action = 'redirect') = (payee_id IS NOT NULL)),
  CONSTRAINT {table}_approved CHECK ((approved_by IS NULL) = (approved_at IS NULL)),
  CONSTRAINT {table}_two_people CHECK (approved_by IS NULL OR approved_by <> proposed_by)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
