package setdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
)

// Reign is one primary's term of a SET, numbered. 0 is the first.
type Reign int64

// Primary is the server that a SET's database is on for one reign.
type Primary struct {
	Addr  string // host:port
	Reign Reign
}

// Config is what a SET's database is opened with.
type Config struct {
	Number  envelope.SetNumber
	Primary Primary
	Account mariadb.Account
	Pool    int // connections at most
	Warm    int // connections at most whose sessions have no autocommit; 0: no such pool

	SocketMax time.Duration // of one read or write; 0: mariadb.SocketMax
	TxMax     time.Duration // of one transaction; 0: TxMax

	Changed  func(finding error) // what is wrong with the server, when that changes; nil: kept
	Promoted func(Reign)         // after each promotion, before another can begin; nil: none
}

func (c *Config) validate() error {
	switch {
	case c.Number > envelope.SetNumberMax:
		return fmt.Errorf("number: want 0 <= number <= %d, have %d", envelope.SetNumberMax, c.Number)
	case c.Pool < 1 || c.Warm < 0:
		return fmt.Errorf("connections: want pool >= 1 and warm >= 0, have %d and %d", c.Pool, c.Warm)
	case c.Primary.Addr == "" || c.Primary.Reign < 0:
		return fmt.Errorf("primary: want an address and a reign >= 0, have %q and %d", c.Primary.Addr, c.Primary.Reign)
	case c.SocketMax < 0 || c.TxMax < 0:
		return fmt.Errorf("bounds: want socket >= 0 and transaction >= 0, have %v and %v", c.SocketMax, c.TxMax)
	}
	return nil
}

// DB is one SET's database. It is a bulkhead: its pools, its health and its timeouts
// are its own. It is safe for concurrent use.
type DB struct {
	cfg       Config
	current   atomic.Pointer[term]
	promoting sync.Mutex // lets one promotion happen at a time
	health    health
	unknown   atomic.Uint64
}

// Open makes the pools. It does not fail when the database is down: a SET that is
// down when the process starts is like one that fails later. The guard decides, for
// every server that turns up at the address, whether it may be used.
func Open(cfg Config) (*DB, error) {
	if cfg.SocketMax == 0 {
		cfg.SocketMax = mariadb.SocketMax
	}
	if cfg.TxMax == 0 {
		cfg.TxMax = TxMax
	}
	if cfg.Changed == nil {
		cfg.Changed = func(error) {}
	}
	if cfg.Promoted == nil {
		cfg.Promoted = func(Reign) {}
	}
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("SET %v: %w", cfg.Number, err)
	}
	d := &DB{cfg: cfg}
	t, err := newTerm(&d.cfg, cfg.Primary)
	if err != nil {
		return nil, fmt.Errorf("SET %v: %w", cfg.Number, err)
	}
	d.current.Store(t)
	return d, nil
}

// OpenPool is a SET's database at addr with a pool of its own, for other work than
// requests.
func OpenPool(number envelope.SetNumber, addr string, account mariadb.Account, conns int) (*DB, error) {
	return Open(Config{Number: number, Primary: Primary{Addr: addr}, Account: account, Pool: conns})
}

// Number of the SET.
func (d *DB) Number() envelope.SetNumber { return d.cfg.Number }

// Primary is the server that is written to now, and its reign.
func (d *DB) Primary() Primary { return d.current.Load().Primary }

// Close closes all connections.
func (d *DB) Close() error { return d.current.Load().close() }

// Ping asks the database for a sign of life.
func (d *DB) Ping(ctx context.Context) error {
	return d.Answer("ping", d.current.Load().pool.PingContext(ctx))
}

// InUse is how many connections are in use.
func (d *DB) InUse() int { return d.current.Load().pool.Stats().InUse }

// Unknown is how many COMMITs had no answer and were run again.
func (d *DB) Unknown() uint64 { return d.unknown.Load() }

// QueryContext reads, without a transaction. A read that is cut off by a promotion is
// run again on the new primary.
func (d *DB) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	for {
		t := d.current.Load()
		rows, err := t.pool.QueryContext(ctx, query, args...)
		if err == nil || d.current.Load() == t {
			return rows, err
		}
	}
}

// QueryRowContext reads one row in the same way.
func (d *DB) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	for {
		t := d.current.Load()
		row := t.pool.QueryRowContext(ctx, query, args...)
		if row.Err() == nil || d.current.Load() == t {
			return row
		}
	}
}

// ExecContext runs one statement that is a transaction by itself. An error does not
// say that it had no effect: it is for statements that may be repeated.
func (d *DB) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	t := d.current.Load()
	if err := t.Enter(); err != nil {
		return nil, err
	}
	defer t.Leave()
	ctx, cancel := context.WithTimeout(ctx, d.cfg.TxMax)
	defer cancel()
	return t.pool.ExecContext(ctx, query, args...)
}

// Apart runs statements that commit by themselves, such as DDL, on a connection that
// is thrown away afterwards with all its session was set to.
func (d *DB) Apart(ctx context.Context, do func(ctx context.Context, c *sql.Conn) error) error {
	t := d.current.Load()
	if err := t.Enter(); err != nil {
		return err
	}
	defer t.Leave()
	conn, err := t.pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer mariadb.Discard(conn)
	return do(ctx, conn)
}

// DryRun runs a transaction and rolls it back.
func (d *DB) DryRun(ctx context.Context, do func(ctx context.Context, c *sql.Conn) error) error {
	conn, err := d.current.Load().pool.Conn(ctx)
	if err != nil {
		return err
	}
	return errors.Join(mariadb.DryRun(ctx, conn, do), conn.Close())
}
