package books

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/schema"
)

// Account is a database account.
type Account = mariadb.Account

// Shard says where one shard of the books is.
type Shard struct {
	Addr     string // host:port
	Database string // "" is the shard's own name, hb_books_00 for the first
}

// Config is what the books are opened with. All of it is required.
type Config struct {
	Shards []Shard // 1 to 100, in their order: a user's shard is a place in this list
	App    Account
}

// Books are all shards. They implement [envelope.Books] and
// [envelope.Bookkeeper] and are safe for concurrent use.
type Books struct{ shards []*shard }

var (
	_ envelope.Books      = (*Books)(nil)
	_ envelope.Bookkeeper = (*Books)(nil)
)

// Open opens the books. It does not fail when a database is down: whether it is
// the right one is asked before it is used, and Check asks at once.
func Open(cfg Config) (*Books, error) {
	if n := len(cfg.Shards); n < 1 || n > schema.BookShardMax+1 {
		return nil, fmt.Errorf("books: want 1 <= shards <= %d, have %d", schema.BookShardMax+1, n)
	}
	if cfg.App.User == "" {
		return nil, errors.New("books: the account is required")
	}
	b := &Books{}
	seen := map[Shard]bool{}
	for i, spec := range cfg.Shards {
		spec.Database = cmp.Or(spec.Database, schema.BooksDatabaseName(i))
		if spec.Addr == "" || seen[spec] {
			return nil, errors.Join(fmt.Errorf("books: shard %d at %q: want an address, and no database twice", i, spec.Addr), b.Close())
		}
		seen[spec] = true
		s, err := openShard(i, len(cfg.Shards), spec.Addr, spec.Database, cfg.App)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("books: shard %d: %w", i, err), b.Close())
		}
		b.shards = append(b.shards, s)
	}
	return b, nil
}

// Close closes all connections.
func (b *Books) Close() error {
	var err error
	for _, s := range b.shards {
		err = errors.Join(err, s.db.Close())
	}
	return err
}

// Check asks every shard whether it is fit to keep books: that it is the one its
// place in the list says, and that what it has acknowledged survives a crash. All
// that is not is in the error. Only if nothing is, a shard that does not answer is
// an [envelope.BusyError]: it may be right.
func (b *Books) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readMax)
	defer cancel()
	var unfit, silent error
	for _, s := range b.shards {
		err := s.db.PingContext(ctx)
		if found, ok := errors.AsType[*mariadb.UnfitError](err); ok {
			unfit = errors.Join(unfit, fmt.Errorf("books: shard %d: %w", s.number, found))
		} else {
			silent = errors.Join(silent, s.answer("check", err))
		}
	}
	return cmp.Or(unfit, silent)
}

func (b *Books) shardOf(user envelope.UserID) *shard { return b.shards[shardOf(user, len(b.shards))] }
