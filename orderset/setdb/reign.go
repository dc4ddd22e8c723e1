package setdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"hongbao/internal/mariadb"
	"hongbao/schema"
)

// ErrFenced says that the reign of a transaction was over before its COMMIT was sent:
// nothing was committed. Run again, it belongs to the next reign.
var ErrFenced = errors.New("the SET's database has another primary now")

const (
	// commitWaitMax is how long a promotion waits for COMMITs that were sent. It exceeds
	// the time after which a connection gives its answer up as unknown.
	commitWaitMax = mariadb.SocketMax + 2*time.Second
	commitPoll    = time.Millisecond
	// successionMax is how long a transaction that was fenced waits for the next reign,
	// to be run again in it.
	successionMax = 2 * time.Second
)

// term is one reign: its primary, and the pools of connections to it.
//
// It is the barrier that every transaction of the reign passes before its COMMIT.
// Inside counts the transactions between the barrier and the answer of their COMMIT;
// barring makes it negative for good, so that one atomic addition both counts a
// transaction and finds the reign over.
type term struct {
	Primary
	pool   *sql.DB
	warm   *sql.DB        // nil: none
	guard  *mariadb.Guard // of both pools
	inside atomic.Int64
	bar    sync.Once
	over   chan struct{} // closed once the next reign is in force
}

// barred is added to inside once. No process has as many transactions.
const barred = math.MinInt64 / 2

func newTerm(cfg *Config, p Primary) (*term, error) {
	t := &term{Primary: p, over: make(chan struct{})}
	t.guard = mariadb.NewGuard(mariadb.GuardConfig{Examine: examination(cfg.Number), Changed: cfg.Changed})
	c := cfg.Account.Config(p.Addr, schema.DatabaseName(int(cfg.Number)))
	c.ReadTimeout, c.WriteTimeout = cfg.SocketMax, cfg.SocketMax
	var err error
	if t.pool, err = t.guard.Open(c, cfg.Pool); err != nil || cfg.Warm == 0 {
		return t, err
	}
	// Warm batches: several statements in one packet, built from IDs, integers and
	// escaped names, in sessions that are always in a transaction.
	warm := cfg.Account.Config(p.Addr, schema.DatabaseName(int(cfg.Number)))
	warm.MultiStatements = true
	warm.DialFunc = dialBlocking
	warm.Params["autocommit"] = "0"
	if t.warm, err = t.guard.Open(warm, cfg.Warm); err != nil {
		return nil, errors.Join(err, t.pool.Close())
	}
	return t, nil
}

func (t *term) close() error {
	err := t.pool.Close()
	if t.warm != nil {
		err = errors.Join(err, t.warm.Close())
	}
	return err
}

// Enter implements [mariadb.Barrier].
func (t *term) Enter() error {
	if t.inside.Add(1) < 0 {
		t.inside.Add(-1)
		return t.fenced()
	}
	return nil
}

// Leave implements [mariadb.Barrier].
func (t *term) Leave() { t.inside.Add(-1) }

func (t *term) isBarred() bool { return t.inside.Load() < 0 }

func (t *term) fenced() error { return fmt.Errorf("reign %d: %w", t.Reign, ErrFenced) }

// drain bars the term and waits until every COMMIT that was sent has ended.
func (t *term) drain() error {
	t.bar.Do(func() { t.inside.Add(barred) })
	for deadline := time.Now().Add(commitWaitMax); t.inside.Load() != barred; {
		if time.Now().After(deadline) {
			return fmt.Errorf("%d COMMITs of reign %d have had no answer for %v: promote again", t.inside.Load()-barred, t.Reign, commitWaitMax)
		}
		time.Sleep(commitPoll)
	}
	return nil
}

// Promote makes another server the primary, while requests run. It first asks that
// server whether it is fit; then it bars new transactions of the old reign, waits for
// those that have sent COMMIT, puts the new reign in force and closes the old
// connections. A reign that does not go up is refused.
//
// When the wait runs out, the old reign stays barred: nothing can be written until
// Promote is called again.
func (d *DB) Promote(ctx context.Context, p Primary) error {
	d.promoting.Lock()
	defer d.promoting.Unlock()
	old := d.current.Load()
	if p.Reign <= old.Reign {
		return fmt.Errorf("SET %v: promote %s: want a reign > %d, have %d", d.cfg.Number, p.Addr, old.Reign, p.Reign)
	}
	next, err := newTerm(&d.cfg, p)
	if err != nil {
		return fmt.Errorf("SET %v: promote %s: %w", d.cfg.Number, p.Addr, err)
	}
	if err := next.pool.PingContext(ctx); err != nil {
		return errors.Join(fmt.Errorf("SET %v: promote %s: it is not fit to be the primary: %w", d.cfg.Number, p.Addr, err), next.close())
	}
	if err := old.drain(); err != nil {
		return errors.Join(fmt.Errorf("SET %v: promote %s: %w", d.cfg.Number, p.Addr, err), next.close())
	}
	d.current.Store(next)
	d.health.worked()
	d.cfg.Promoted(p.Reign)
	close(old.over)
	_ = old.close() // it may be gone, which is why there is another
	return nil
}

// awaitNext waits until the reign after t is in force, and reports whether it is.
func (d *DB) awaitNext(ctx context.Context, t *term) bool {
	timer := time.NewTimer(successionMax)
	defer timer.Stop()
	select {
	case <-t.over:
		return true
	case <-ctx.Done():
	case <-timer.C:
	}
	return false
}
