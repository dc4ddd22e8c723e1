-- Every SET that has been part of the deployment this database belongs to: what a
-- program checks its settings against when it starts, so that a SET does not leave
-- them unnoticed with money in it. Rows are added and never changed.
CREATE TABLE IF NOT EXISTS {database}.{table} (
  set_number SMALLINT UNSIGNED NOT NULL,
  first_seen DATETIME(3) NOT NULL,

  PRIMARY KEY (set_number),
  CONSTRAINT {table}_number CHECK (set_number <= 999)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
