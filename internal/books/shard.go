package books

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"

	"hongbao/envelope"
)

// Bounds of the sockets and pools of one shard. Read and write timeouts exceed
// the lock wait, so that a lock timeout is heard as such.
const (
	connectMax     = 500 * time.Millisecond
	socketMax      = 4 * time.Second
	lockWaitMax    = 2 // seconds, innodb_lock_wait_timeout of our sessions
	connLifeMax    = 4 * time.Minute
	poolMax        = 16
	readMax        = 5 * time.Second // one query, with the wait for a connection
	sessionSQLMode = "STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,ONLY_FULL_GROUP_BY"
)

// shardOf is the number of the shard, of n, in which a user's books are: FNV-1a
// over the bytes of the name, and because its low bits follow the last letters,
// the 64-bit finaliser of MurmurHash3 (Appleby 2011). Frozen: golden tests hold it.
func shardOf(user envelope.UserID, n int) int {
	const offset, prime = 0xcbf29ce484222325, 0x100000001b3
	x := uint64(offset)
	for i := range len(user) {
		x = (x ^ uint64(user[i])) * prime
	}
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	return int(x % uint64(n))
}

// shard is one database of books. It is a bulkhead: its pool and its timeouts
// are its own.
type shard struct {
	number, of int
	db         *sql.DB
	known      atomic.Bool // the database has said that it is this shard
	counts     counts
}

func openShard(number, of int, addr, database string, app Account) (*shard, error) {
	c := mysql.NewConfig()
	c.Net, c.Addr, c.DBName = "tcp", addr, database
	c.User, c.Passwd = app.User, app.Password
	c.Collation = "utf8mb4_bin"
	c.ParseTime, c.Loc = true, time.UTC
	c.InterpolateParams = true // one round trip a statement, and any number of placeholders
	c.Timeout, c.ReadTimeout, c.WriteTimeout = connectMax, socketMax, socketMax
	c.Logger = &mysql.NopLogger{} // all it would print is returned, too
	c.Params = map[string]string{
		"time_zone":                "'+00:00'",
		"sql_mode":                 "'" + sessionSQLMode + "'",
		"innodb_lock_wait_timeout": fmt.Sprint(lockWaitMax),
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	s := &shard{number: number, of: of, db: sql.OpenDB(connector)}
	s.db.SetMaxOpenConns(poolMax)
	s.db.SetMaxIdleConns(poolMax)
	s.db.SetConnMaxLifetime(connLifeMax)
	return s, nil
}

// ErrWrongShard says that a database is not the shard its place in the list
// says. Only a correction of the list helps.
var ErrWrongShard = errors.New("the database is another shard of the books")

// identify asks the database, until it has answered once, which shard it is. A
// shard that was down when the process started is asked by the first who needs it.
func (s *shard) identify(ctx context.Context) error {
	if s.known.Load() {
		return nil
	}
	var number, of int
	if err := s.db.QueryRowContext(ctx, selectInfo).Scan(&number, &of); err != nil {
		return fmt.Errorf("book_info: %w", err)
	}
	if number != s.number || of != s.of {
		return fmt.Errorf("%w: it says shard %d of %d, the list says %d of %d", ErrWrongShard, number, of, s.number, s.of)
	}
	s.known.Store(true)
	return nil
}

// read runs one query.
func (s *shard) read(ctx context.Context, row func(*sql.Rows) error, query string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, readMax)
	defer cancel()
	if err := s.identify(ctx); err != nil {
		return err
	}
	return each(ctx, s.db, row, query, args...)
}

// queryer is a pool, one connection of it, or a transaction.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func each(ctx context.Context, q queryer, row func(*sql.Rows) error, query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	for rows.Next() {
		if err := row(rows); err != nil {
			return errors.Join(err, rows.Close())
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}
