package orderset

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"
	"golang.org/x/sync/singleflight"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/schema"
)

// Account is a database account.
type Account = mariadb.Account

// Bounds of the pools of one SET.
const (
	poolMax       = 32 // sends, reads, the lease; in open modes fifo and plain the opens too
	writesMax     = 12 // lanes, and a spare
	migratorMax   = 2
	startupTryMax = 5 * time.Second
)

// Set is one SET's database, as an order server sees it. It is a bulkhead:
// pool, health and timeouts are its own.
type Set struct {
	number   envelope.SetNumber
	db       *sql.DB
	writes   *sql.DB        // sessions without autocommit, for warm batches only
	guard    *mariadb.Guard // of both pools
	log      *slog.Logger
	drawKey  envelope.DrawKey
	now      func() time.Time
	memory   *memory // nil: every open locks and reads
	memo     *memo
	loading  singleflight.Group // of loads into memory
	health   health
	counts   counts
	flows    flows
	reporter reporter
	touches  chan struct{} // buffered 1: something can be spread
	batches  bool          // new payouts go into batches
}

// poolConfig is how every connection to a SET is made.
func poolConfig(spec SetSpec, a Account) *mysql.Config {
	return a.Config(spec.Primary, schema.DatabaseName(int(spec.Number)))
}

// writeConfig is the same for warm batches: several statements in one packet,
// built in statements.go from IDs, integers and escaped names, and a transaction
// that is always open.
func writeConfig(spec SetSpec, a Account) *mysql.Config {
	c := poolConfig(spec, a)
	c.MultiStatements = true
	c.DialFunc = dialBlocking
	c.Params["autocommit"] = "0"
	return c
}

// openSet connects to the SET under the service's account. It does not fail
// when the database is down: a SET that is down when the process starts is like
// one that fails later. Which server may be trusted is for the guard to say, of
// every one that turns up at the address.
func openSet(spec SetSpec, cfg *Config) (*Set, error) {
	s := &Set{number: spec.Number, drawKey: cfg.DrawKey, now: cfg.Now, log: cfg.Log, batches: cfg.BatchPayouts, touches: make(chan struct{}, 1)}
	s.guard = mariadb.NewGuard(mariadb.GuardConfig{Examine: examination(spec.Number), Changed: s.fitness})
	var err error
	if s.db, err = s.guard.Open(poolConfig(spec, cfg.App), poolMax); err != nil {
		return nil, fmt.Errorf("SET %v: %w", spec.Number, err)
	}
	if s.writes, err = s.guard.Open(writeConfig(spec, cfg.App), writesMax); err != nil {
		return nil, errors.Join(fmt.Errorf("SET %v: %w", spec.Number, err), s.db.Close())
	}
	if cfg.Memory > 0 {
		s.memory = newMemory(cfg.Memory)
	}
	if s.memo, err = newMemo(spec.Memcached, cfg.DrawKey, cfg.Log); err != nil {
		return nil, errors.Join(fmt.Errorf("SET %v: memcached: %w", spec.Number, err), s.db.Close(), s.writes.Close())
	}
	return s, nil
}

// Number of the SET.
func (s *Set) Number() envelope.SetNumber { return s.number }

// disconnect closes its connections.
func (s *Set) disconnect() error {
	s.reporter.close()
	return errors.Join(s.db.Close(), s.writes.Close(), s.memo.close())
}

// Ping asks the database for a sign of life.
func (s *Set) Ping(ctx context.Context) error {
	return s.answer("ping", s.db.PingContext(ctx))
}

// Migrator makes day tables in one SET. It has an account and a pool of its
// own: no request ever runs under it.
type Migrator struct {
	number  envelope.SetNumber
	db      *sql.DB
	horizon atomic.Int64 // the last day whose tables it made or found; 0: none yet
}

// OpenMigrator connects under the migrator's account.
func OpenMigrator(spec SetSpec, migrator Account) (*Migrator, error) {
	db, err := newGuard(spec.Number).Open(poolConfig(spec, migrator), migratorMax)
	if err != nil {
		return nil, fmt.Errorf("SET %v: %w", spec.Number, err)
	}
	return &Migrator{number: spec.Number, db: db}, nil
}

// Number of the SET.
func (m *Migrator) Number() envelope.SetNumber { return m.number }

// Close closes its connections.
func (m *Migrator) Close() error { return m.db.Close() }
