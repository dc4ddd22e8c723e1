package orderset

import (
	"context"
)

// Durability is what an acknowledged commit outlives, as a SET's primary says.
type Durability struct {
	Fsynced bool // binlog and redo log, at every commit: it outlives the server
	Copied  bool // a replica has it before it is acknowledged: it outlives the disk
}

// Weaker reports whether d promises less than o.
func (d Durability) Weaker(o Durability) bool { return d.rank() < o.rank() }

func (d Durability) rank() (n int) {
	if d.Fsynced {
		n += 2
	}
	if d.Copied {
		n++
	}
	return n
}

func (d Durability) String() string {
	nodes, logs := "one node per SET", "binlog or redo log not fsynced at every commit"
	if d.Copied {
		nodes = "a replica acknowledges"
	}
	if d.Fsynced {
		logs = "binlog and redo log fsynced at every commit"
	}
	return nodes + ", " + logs
}

const (
	selectFsync    = "SELECT @@sync_binlog, @@innodb_flush_log_at_trx_commit"
	selectSemiSync = "SHOW GLOBAL STATUS WHERE Variable_name IN ('Rpl_semi_sync_master_status', 'Rpl_semi_sync_source_status') AND Value = 'ON'"
)

// Durability asks the primary.
func (s *Set) Durability(ctx context.Context) (d Durability, err error) {
	var binlog, redo int
	if err := s.db.QueryRowContext(ctx, selectFsync).Scan(&binlog, &redo); err != nil {
		return d, s.db.Answer("durability", err)
	}
	d.Fsynced = binlog == 1 && redo == 1
	rows, err := s.db.QueryContext(ctx, selectSemiSync)
	if err != nil {
		return d, s.db.Answer("durability", err)
	}
	defer rows.Close()
	d.Copied = rows.Next()
	return d, s.db.Answer("durability", rows.Err())
}
