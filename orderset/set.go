package orderset

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/orderset/decision"
	"hongbao/orderset/memory"
	"hongbao/orderset/owed"
	"hongbao/orderset/setdb"
)

// Account is a database account.
type Account = mariadb.Account

// Bounds of the pools of one SET.
const (
	poolMax       = 32 // sends, reads, the lease; in open modes fifo and plain the opens too
	writesMax     = 12 // lanes, and a spare
	startupTryMax = 5 * time.Second
)

// Set is one SET, as an order server sees it. What is in it survives a promotion,
// except what is remembered of rows: that belongs to a reign.
type Set struct {
	db        *setdb.DB
	log       *slog.Logger
	drawKey   envelope.DrawKey
	now       func() time.Time
	memory    atomic.Pointer[memory.Memory] // nil: every open locks and reads
	finished  *memory.Finished
	loading   singleflight.Group // of loads into memory
	counts    counts
	flows     flows
	reporting *setdb.Lock
	owed      *owed.Store
	desk      *decision.Desk
}

// openSet connects to the SET under the service's account. It does not fail when the
// database is down.
func openSet(spec SetSpec, cfg *Config) (*Set, error) {
	s := &Set{drawKey: cfg.DrawKey, now: cfg.Now, log: cfg.Log}
	remember := func(reign setdb.Reign) {
		if cfg.Memory > 0 {
			s.memory.Store(memory.New(cfg.Memory, reign))
		}
	}
	remember(0)
	var err error
	s.db, err = setdb.Open(setdb.Config{
		Number: spec.Number, Primary: setdb.Primary{Addr: spec.Primary}, Account: cfg.App, Pool: poolMax, Warm: writesMax,
		Changed: fitness(cfg.Log, spec.Number), Promoted: remember,
	})
	if err != nil {
		return nil, err
	}
	// Each process that reports on the database would report the same, and a sum would
	// be a multiple.
	s.reporting = s.db.NewLock("reporting")
	if s.owed, err = owed.New(owed.Config{DB: s.db, Batches: cfg.BatchPayouts, Settled: s.forget}); err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	s.desk = decision.New(s.db, s.owed)
	if s.finished, err = memory.NewFinished(spec.Memcached, cfg.DrawKey, cfg.Log); err != nil {
		return nil, errors.Join(fmt.Errorf("SET %v: memcached: %w", spec.Number, err), s.db.Close())
	}
	return s, nil
}

// Number of the SET.
func (s *Set) Number() envelope.SetNumber { return s.db.Number() }

// Owed is what follows from the SET's commits and is not carried out yet.
func (s *Set) Owed() *owed.Store { return s.owed }

// Desk is where people decide about transfers of the SET.
func (s *Set) Desk() *decision.Desk { return s.desk }

// forget drops what is remembered of envelopes that have moved.
func (s *Set) forget(ids []envelope.ID) {
	known := s.memory.Load()
	for _, id := range ids {
		known.Forget(id)
	}
}

// Promote makes another server the primary of the SET, while requests run; see
// [setdb.DB.Promote]. What was remembered of rows is dropped.
func (s *Set) Promote(ctx context.Context, p setdb.Primary) error { return s.db.Promote(ctx, p) }

// Close closes its connections.
func (s *Set) Close() error {
	s.reporting.Close()
	return errors.Join(s.db.Close(), s.finished.Close())
}

// Ping asks the database for a sign of life.
func (s *Set) Ping(ctx context.Context) error { return s.db.Ping(ctx) }

// CheckSettings connects and says everything that is wrong with the server; see
// [setdb.DB.Check].
func (s *Set) CheckSettings(ctx context.Context) error { return s.db.Check(ctx) }

// Unfit is what keeps the SET from being served, although its server answers; nil
// when nothing is known to.
func (s *Set) Unfit() error { return s.db.Unfit() }

// Reports tells whether this process is the one that reports on the SET's database.
// It is asked every few seconds.
func (s *Set) Reports(ctx context.Context) (bool, error) { return s.reporting.Held(ctx) }

// fitness writes to the log what is wrong with a SET's server, once each time it
// changes.
func fitness(log *slog.Logger, number envelope.SetNumber) func(error) {
	return func(finding error) {
		if finding != nil {
			log.Error("a SET is not served: its database is unfit", "set", number, "error", finding)
			return
		}
		log.Info("a SET is served: its database is fit", "set", number)
	}
}

// Examine connects to a SET that nothing is served from yet, under both accounts:
// its error names everything that is wrong.
func Examine(ctx context.Context, spec SetSpec, app, migrator Account) error {
	ctx, cancel := context.WithTimeout(ctx, startupTryMax)
	defer cancel()
	for _, account := range []Account{app, migrator} {
		db, err := setdb.OpenPool(spec.Number, spec.Primary, account, 1)
		if err != nil {
			return err
		}
		err = errors.Join(db.Check(ctx), db.Close())
		if unfit, ok := errors.AsType[*mariadb.UnfitError](err); ok {
			return unfit
		}
		if err != nil {
			return fmt.Errorf("SET %v: unavailable as %s: %w", spec.Number, account.User, err)
		}
	}
	return nil
}
