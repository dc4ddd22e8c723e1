-- What people have stopped. A topic without a row runs.
CREATE TABLE IF NOT EXISTS {database}.{table} (
  topic     ENUM('outbox','charge','book','event','transfer') CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  paused    BOOLEAN NOT NULL,
  reason    VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  paused_at DATETIME(3) NOT NULL,

  PRIMARY KEY (topic)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
