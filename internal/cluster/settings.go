package cluster

import (
	"fmt"
	"path/filepath"
	"slices"
)

// baseDir returns the installation that program belongs to: /usr for
// /usr/sbin/mariadbd. An unpacked package works the same way.
func baseDir(program string) string {
	if real, err := filepath.EvalSymlinks(program); err == nil {
		program = real
	}
	return filepath.Dir(filepath.Dir(program))
}

// args is the whole command line. No option file is read, and nothing that
// correctness rests on is left to a default: MariaDB 10.11 defaults to latin1,
// sync_binlog=0, 50 s lock waits and a binlog without GTID order.
func (c MariaDBConfig) args(program Database, socket string) []string {
	own := mariadbArgs()
	if program.MySQL {
		own = mysqlArgs()
	}
	return slices.Concat(
		[]string{"--no-defaults"}, // must be the first
		c.placeArgs(program, socket),
		sqlArgs(),
		durabilityArgs(),
		waitArgs(),
		c.sizeArgs(),
		c.redoArgs(program),
		own,
		c.Args,
	)
}

// placeArgs keep the server in its directory and on the loopback interface.
func (c MariaDBConfig) placeArgs(program Database, socket string) []string {
	return append(userArgs(),
		"--basedir="+baseDir(program.Path),
		"--datadir="+c.dataDir(),
		"--tmpdir="+filepath.Join(c.Dir, "tmp"),
		"--pid-file="+filepath.Join(c.Dir, "mariadbd.pid"),
		"--socket="+socket,
		"--bind-address="+loopback,
		fmt.Sprintf("--port=%d", c.Port),
		fmt.Sprintf("--server-id=%d", c.ServerID),
		"--skip-name-resolve", // and so 127.0.0.1 is not 'localhost'
		"--local-infile=OFF",
		"--symbolic-links=OFF",
	)
}

// sqlArgs fix what statements mean.
func sqlArgs() []string {
	return []string{
		"--character-set-server=utf8mb4",
		"--collation-server=utf8mb4_bin",
		// Without strict mode a sum too large for its column is stored cut off.
		"--sql-mode=STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,ONLY_FULL_GROUP_BY",
		"--default-time-zone=+00:00",
		"--default-storage-engine=InnoDB",
		// Decisions are made under row locks, never from a snapshot.
		"--transaction-isolation=READ-COMMITTED",
		"--innodb-strict-mode=ON",
		"--max-allowed-packet=16M",
	}
}

// durabilityArgs make an acknowledged commit survive kill -9 and loss of power:
// redo log and binlog are both synced before the commit is acknowledged.
func durabilityArgs() []string {
	return []string{
		"--innodb-flush-log-at-trx-commit=1",
		"--innodb-flush-method=O_DIRECT",
		"--innodb-doublewrite=ON",
		"--log-bin=binlog",
		"--binlog-format=ROW", // READ-COMMITTED allows no other
		"--sync-binlog=1",
		// An hour of binlog in small files, so that disk use stays bounded.
		"--binlog-expire-logs-seconds=3600",
		"--max-binlog-size=64M",
		"--read-only=OFF",
	}
}

// waitArgs bound what a client can make others wait for.
func waitArgs() []string {
	return []string{
		"--innodb-lock-wait-timeout=2",
		"--lock-wait-timeout=10",
		"--innodb-rollback-on-timeout=ON", // a timeout undoes it all, not one statement
		"--innodb-print-all-deadlocks=ON",
	}
}

// mariadbArgs are the same for what only MariaDB has, or only MariaDB spells so.
//
// A server is a primary without replicas: waiting for an acknowledgement that will
// never come would hang every commit, so semi-sync is off; only its wait point is
// set, which is the unsafe one by default.
func mariadbArgs() []string {
	return []string{
		"--loose-feedback=OFF", // would report this host to mariadb.org
		// A snapshot that would lose an update is an error.
		"--innodb-snapshot-isolation=ON",
		// The texts of statements of hundreds of rows would double the binlog.
		"--binlog-annotate-row-events=OFF",
		"--gtid-strict-mode=ON",
		"--rpl-semi-sync-master-enabled=OFF",
		"--rpl-semi-sync-slave-enabled=OFF",
		"--rpl-semi-sync-master-wait-point=AFTER_SYNC",
		"--max-statement-time=5", // a job that reads for longer sets its own
		// Locks of a client that went away in the middle are freed.
		"--idle-write-transaction-timeout=5",
		"--query-cache-type=OFF",
		"--query-cache-size=0",
		"--aria-pagecache-buffer-size=1M",
	}
}

// mysqlArgs are mariadbArgs for MySQL, where semi-sync is a plugin that is not
// loaded.
func mysqlArgs() []string {
	return []string{
		"--mysqlx=OFF",
		"--secure-file-priv=",
		"--gtid-mode=ON",
		"--enforce-gtid-consistency=ON",
		"--max-execution-time=5000", // of SELECT; nothing bounds a write
	}
}

// sizeArgs keep an idle server at 70 MB of memory, since a playground runs half
// a dozen.
func (c MariaDBConfig) sizeArgs() []string {
	return []string{
		fmt.Sprintf("--innodb-buffer-pool-size=%dM", c.BufferPoolMiB),
		fmt.Sprintf("--max-connections=%d", c.MaxConnections),
		// io_uring is often forbidden in containers; a server behaves the same
		// everywhere without it.
		"--innodb-use-native-aio=OFF",
		"--performance-schema=OFF",
		"--key-buffer-size=64K",
		"--table-definition-cache=2000", // a SET has 620 day tables
	}
}

// redoArgs give the redo log the size of the buffer pool: it does not force pages
// out before the pool would.
func (c MariaDBConfig) redoArgs(program Database) []string {
	name := "innodb-log-file-size"
	if program.MySQL {
		name = "innodb-redo-log-capacity"
	}
	return []string{fmt.Sprintf("--%s=%dM", name, max(16, c.BufferPoolMiB))}
}
