-- What people decide about transfers: one proposes, another approves. A round that
-- begins without them, because its payee asks again or has not confirmed for too
-- long, is written here too. Rows stay, so that it is known who decided what.
CREATE TABLE IF NOT EXISTS {database}.{table} (
  id          BIGINT NOT NULL AUTO_INCREMENT,
  order_id    CHAR(23) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  seq         SMALLINT NOT NULL,
  round       TINYINT NOT NULL, -- of the transfer when it was proposed
  action      ENUM('release','redirect','settle','dismiss','dissolve','again','return') CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  payee_id    VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL, -- redirect, return: who gets it instead
  paid_round  TINYINT NULL,     -- settle: the round that the provider has paid
  dispute_id  BIGINT NOT NULL,  -- the latest dispute that was known when it was proposed; 0 is none
  was_payee   VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, -- of the round
  was_batch   VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, -- in which the round was
  proposed_by VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  proposed_at DATETIME(3) NOT NULL,
  state       ENUM('standing','approved','withdrawn','lapsed') CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  standing    TINYINT NULL,     -- 1 while it stands
  decided_by  VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  decided_at  DATETIME(3) NULL,

  PRIMARY KEY (id),
  UNIQUE KEY one_stands (order_id, seq, standing),
  CONSTRAINT {table}_round CHECK (round BETWEEN 1 AND 9 AND (round < 9 OR action IN ('settle','dismiss'))), -- the ninth has no next
  CONSTRAINT {table}_payee CHECK ((action IN ('redirect','return')) = (payee_id IS NOT NULL)),
  CONSTRAINT {table}_paid CHECK ((action = 'settle') = (paid_round IS NOT NULL) AND (paid_round IS NULL OR paid_round BETWEEN 1 AND round)),
  CONSTRAINT {table}_standing CHECK ((state = 'standing') = (standing IS NOT NULL) AND (standing IS NULL OR standing = 1)),
  CONSTRAINT {table}_decided CHECK ((state = 'standing') = (decided_at IS NULL) AND (state IN ('approved','withdrawn')) = (decided_by IS NOT NULL)),
  CONSTRAINT {table}_two_people CHECK (state <> 'approved' OR action IN ('again','return') OR decided_by <> proposed_by)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
