package books

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
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
	counts     counts
}

func openShard(number, of int, addr, database string, app Account) (*shard, error) {
	s := &shard{number: number, of: of}
	guard := mariadb.NewGuard(mariadb.GuardConfig{Examine: s.examine, Changed: func(error) {}})
	var err error
	s.db, err = guard.Open(app.Config(addr, database), poolMax)
	return s, err
}

// ErrWrongShard says that a database is not the shard its place in the list
// says. Only a correction of the list helps.
var ErrWrongShard = errors.New("the database is another shard of the books")

// examine asks a server, before it is used, which shard it is, whether its settings
// are safe (a post that a crash loses is not made again), and whether its tables are
// those of this program.
func (s *shard) examine(ctx context.Context, db *sql.DB) error {
	var number, of int
	if err := db.QueryRowContext(ctx, selectInfo).Scan(&number, &of); err != nil {
		return fmt.Errorf("book_info: %w", err)
	}
	if number != s.number || of != s.of {
		return fmt.Errorf("%w: it says shard %d of %d, the list says %d of %d", ErrWrongShard, number, of, s.number, s.of)
	}
	return errors.Join(mariadb.CheckSettings(ctx, db), schema.CheckBooks(ctx, db, schema.BookShard{Number: number, Of: of}))
}

// read runs one query.
func (s *shard) read(ctx context.Context, row func(*sql.Rows) error, query string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, readMax)
	defer cancel()
	return mariadb.Each(ctx, s.db, row, query, args...)
}
