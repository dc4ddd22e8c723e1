package orderset

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
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
	number  envelope.SetNumber
	db      *sql.DB
	writes  *sql.DB // sessions without autocommit, for warm batches only
	drawKey envelope.DrawKey
	now     func() time.Time
	memory  *memory // nil: every open locks and reads
	memo    *memo
	loading singleflight.Group // of loads into memory
	health  health
	counts  counts
	touches chan struct{} // buffered 1: something can be spread
	log     *slog.Logger
	batches bool // new payouts go into batches
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
// one that fails later. CheckSettings says whether it may be trusted.
func openSet(spec SetSpec, cfg *Config) (*Set, error) {
	db, err := mariadb.Open(poolConfig(spec, cfg.App), poolMax)
	if err != nil {
		return nil, fmt.Errorf("SET %v: %w", spec.Number, err)
	}
	writes, err := mariadb.Open(writeConfig(spec, cfg.App), writesMax)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("SET %v: %w", spec.Number, err), db.Close())
	}
	s := &Set{number: spec.Number, db: db, writes: writes, drawKey: cfg.DrawKey, now: cfg.Now, batches: cfg.BatchPayouts, touches: make(chan struct{}, 1), log: cfg.Log}
	if cfg.Memory > 0 {
		s.memory = newMemory(cfg.Memory)
	}
	if s.memo, err = newMemo(spec.Memcached, cfg.DrawKey, cfg.Log); err != nil {
		return nil, errors.Join(fmt.Errorf("SET %v: memcached: %w", spec.Number, err), db.Close(), writes.Close())
	}
	return s, nil
}

// Number of the SET.
func (s *Set) Number() envelope.SetNumber { return s.number }

// disconnect closes its connections.
func (s *Set) disconnect() error { return errors.Join(s.db.Close(), s.writes.Close(), s.memo.close()) }

// CheckSettings refuses a server whose settings make our promises untrue, one that
// is not the SET its address says, and tables of another version of this program,
// with all that is wrong at once. One that does not answer is a BusyError.
func (s *Set) CheckSettings(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startupTryMax)
	defer cancel()
	settings := mariadb.CheckSettings(ctx, s.db)
	place := s.checkNumber(ctx)
	if place == nil {
		place = schema.CheckSet(ctx, s.db, int(s.number))
	}
	var found, silent error
	for _, err := range []error{settings, place} {
		if err != nil && !unfit(err) {
			silent = errors.Join(silent, s.answer("check", err))
		} else if err != nil {
			found = errors.Join(found, fmt.Errorf("SET %v: %w", s.number, err))
		}
	}
	return cmp.Or(found, silent)
}

// errWrongSet says that a database is not the SET its place in the topology says.
var errWrongSet = errors.New("correct its address in the topology")

// unfit reports whether a check came to its end and found something wrong.
func unfit(err error) bool {
	_, unsafe := errors.AsType[*mariadb.UnsafeError](err)
	_, outdated := errors.AsType[*schema.OutdatedError](err)
	return unsafe || outdated || errors.Is(err, errWrongSet)
}

func (s *Set) checkNumber(ctx context.Context) error {
	var number int
	if err := s.db.QueryRowContext(ctx, selectSetInfo).Scan(&number); err != nil {
		return fmt.Errorf("read set_info: %w", err)
	}
	if number != int(s.number) {
		return fmt.Errorf("the database says it is SET %03d; %w", number, errWrongSet)
	}
	return nil
}

// Examine is CheckSettings of a SET that nothing is served from yet, under the
// account of the migrator, too: its error names everything that is wrong.
func Examine(ctx context.Context, spec SetSpec, app, migrator Account) error {
	db, err := mariadb.Open(poolConfig(spec, app), 1)
	if err != nil {
		return fmt.Errorf("SET %v: %w", spec.Number, err)
	}
	defer db.Close()
	m, err := OpenMigrator(spec, migrator)
	if err != nil {
		return err
	}
	defer m.Close()
	s := &Set{number: spec.Number, db: db}
	if err := s.CheckSettings(ctx); err != nil {
		return err
	}
	if err := m.db.PingContext(ctx); err != nil {
		return fmt.Errorf("SET %v: under the migrator's account: %w", spec.Number, err)
	}
	return nil
}

// Ping asks the database for a sign of life.
func (s *Set) Ping(ctx context.Context) error {
	return s.answer("ping", s.db.PingContext(ctx))
}

// Migrator makes day tables in one SET. It has an account and a pool of its
// own: no request ever runs under it.
type Migrator struct {
	number envelope.SetNumber
	db     *sql.DB
}

// OpenMigrator connects under the migrator's account.
func OpenMigrator(spec SetSpec, migrator Account) (*Migrator, error) {
	db, err := mariadb.Open(poolConfig(spec, migrator), migratorMax)
	if err != nil {
		return nil, fmt.Errorf("SET %v: %w", spec.Number, err)
	}
	return &Migrator{number: spec.Number, db: db}, nil
}

// Number of the SET.
func (m *Migrator) Number() envelope.SetNumber { return m.number }

// Close closes its connections.
func (m *Migrator) Close() error { return m.db.Close() }
