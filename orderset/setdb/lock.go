package setdb

import (
	"context"
	"database/sql"
	"sync"

	"hongbao/internal/mariadb"
)

const (
	// The lock's name begins with the database's, as several SETs may be on one server.
	takeLock = "SELECT GET_LOCK(CONCAT(DATABASE(), '.', ?), 0)"
	keepLock = "SELECT IS_USED_LOCK(CONCAT(DATABASE(), '.', ?)) = CONNECTION_ID()"
)

// Lock is held by one process at most, on a connection of its own: it ends with the
// connection, and with the reign.
type Lock struct {
	db   *DB
	name string

	mu   sync.Mutex // guards the fields below
	conn *sql.Conn  // nil: another process holds the lock, or none
	of   *term      // whose connection it is
}

// NewLock is a lock of that name in the SET's database. Close ends it.
func (d *DB) NewLock(name string) *Lock { return &Lock{db: d, name: name} }

// Held takes the lock unless another process holds it, and reports whether it is
// held. To be asked every few seconds keeps its connection open.
func (l *Lock) Held(ctx context.Context) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil && l.of == l.db.current.Load() {
		var ours sql.NullBool
		if err := l.conn.QueryRowContext(ctx, keepLock, l.name).Scan(&ours); err == nil && ours.Bool {
			return true, nil
		}
	}
	l.drop()
	l.of = l.db.current.Load()
	conn, err := l.of.pool.Conn(ctx)
	if err != nil {
		return false, l.db.Answer("lock "+l.name, err)
	}
	l.conn = conn
	var taken sql.NullBool
	if err := conn.QueryRowContext(ctx, takeLock, l.name).Scan(&taken); err != nil || !taken.Bool {
		l.drop()
		return false, l.db.Answer("lock "+l.name, err)
	}
	return true, nil
}

// Close gives the lock back.
func (l *Lock) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop()
}

// drop closes the connection for good, and with it the lock.
func (l *Lock) drop() {
	if l.conn == nil {
		return
	}
	mariadb.Discard(l.conn)
	_ = l.conn.Close() // it is gone already
	l.conn = nil
}
