package orderset

import (
	"context"
	"database/sql"
	"sync"

	"hongbao/internal/mariadb"
)

// reporter holds the lock under which one process of many reports what is the
// database's and not its own: each would report the same, and a sum would be a
// multiple. The lock is the connection's, so it is free as soon as its holder is gone.
type reporter struct {
	mu   sync.Mutex // guards the field below
	conn *sql.Conn  // holds the lock; nil: another process does, or none
}

const (
	// The lock's name is the database's, as several SETs may be on one server.
	takeReporting = "SELECT GET_LOCK(CONCAT(DATABASE(), '.reporting'), 0)"
	keepReporting = "SELECT IS_USED_LOCK(CONCAT(DATABASE(), '.reporting')) = CONNECTION_ID()"
)

// Reports tells whether this process is the one that reports on the SET's database.
// It is asked every few seconds, which also keeps the lock's connection open.
func (s *Set) Reports(ctx context.Context) (bool, error) {
	r := &s.reporter
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conn != nil {
		var ours sql.NullBool
		if err := r.conn.QueryRowContext(ctx, keepReporting).Scan(&ours); err == nil && ours.Bool {
			return true, nil
		}
		r.drop()
	}
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return false, s.answer("report", err)
	}
	r.conn = conn
	var taken sql.NullBool
	if err := conn.QueryRowContext(ctx, takeReporting).Scan(&taken); err != nil || !taken.Bool {
		r.drop()
		return false, s.answer("report", err)
	}
	return true, nil
}

// drop closes the connection for good, and with it the lock.
func (r *reporter) drop() {
	if r.conn == nil {
		return
	}
	mariadb.Discard(r.conn)
	_ = r.conn.Close() // it is gone already
	r.conn = nil
}

func (r *reporter) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop()
}

// countDisputes ends at waitingMax, as every count does.
const countDisputes = "SELECT COUNT(*) FROM (SELECT 1 FROM dispute LIMIT ?) d"

// CountDisputes is how many disagreements with the provider are on record.
func (s *Set) CountDisputes(ctx context.Context) (n int, err error) {
	err = s.db.QueryRowContext(ctx, countDisputes, waitingMax).Scan(&n)
	return n, s.answer("count disputes", err)
}
