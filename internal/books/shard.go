package books

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/schema"
)

// Bounds of the pool of one shard.
const (
	poolMax = 16
	readMax = 5 * time.Second // one query, with the wait for a connection
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
	known      atomic.Bool // the database has said that it is this shard, and safe
	counts     counts
}

func openShard(number, of int, addr, database string, app Account) (*shard, error) {
	db, err := mariadb.Open(app.Config(addr, database), poolMax)
	if err != nil {
		return nil, err
	}
	return &shard{number: number, of: of, db: db}, nil
}

// ErrWrongShard says that a database is not the shard its place in the list
// says. Only a correction of the list helps.
var ErrWrongShard = errors.New("the database is another shard of the books")

// identify asks the database, until it has answered once, which shard it is,
// whether its settings are safe (a post that a crash loses is not made again), and
// whether its tables are those of this program. A shard that was down when the process started is asked by the first use of it.
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
	if err := mariadb.CheckSettings(ctx, s.db); err != nil {
		return err
	}
	if err := schema.CheckBooks(ctx, s.db, schema.BookShard{Number: number, Of: of}); err != nil {
		return err
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
