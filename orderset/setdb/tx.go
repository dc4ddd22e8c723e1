package setdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"hongbao/internal/mariadb"
)

// TxMax bounds one transaction from the first statement to the COMMIT's answer. It is
// longer than the lock wait and the socket timeouts below it.
const TxMax = 5 * time.Second

// triesMax bounds how often a transaction that lost a lock or a race is run before
// its caller is refused.
const triesMax = 3

// Tx runs one transaction of the current reign, with the three answers of
// [mariadb.Tx]. The caller's cancellation does not reach it. A transaction whose reign
// is over before COMMIT is sent is not committed, and wraps [ErrFenced].
func (d *DB) Tx(ctx context.Context, do func(ctx context.Context, c *sql.Conn) error) error {
	t := d.current.Load()
	return d.run(ctx, t, t.pool, false, do)
}

// Warm is Tx, in the reign named, on the pool whose sessions are always in a
// transaction, which saves the round trip that starts one. What it writes was decided
// from what is remembered of that reign.
func (d *DB) Warm(ctx context.Context, reign Reign, do func(ctx context.Context, c *sql.Conn) error) error {
	t := d.current.Load()
	if t.Reign != reign {
		return fmt.Errorf("%w: reign %d: %w", mariadb.ErrNotCommitted, reign, ErrFenced)
	}
	return d.run(ctx, t, t.warm, true, do)
}

func (d *DB) run(ctx context.Context, t *term, pool *sql.DB, begun bool, do func(ctx context.Context, c *sql.Conn) error) error {
	if t.isBarred() {
		return fmt.Errorf("%w: %w", mariadb.ErrNotCommitted, t.fenced())
	}
	err := mariadb.Tx{Max: d.cfg.TxMax, Detached: true, Begun: begun, Barrier: t}.Run(ctx, pool, do)
	switch {
	case err == nil:
		d.health.worked()
	case t.isBarred() && !errors.Is(err, mariadb.ErrCommitUnknown) && !errors.Is(err, ErrFenced) && !classified(err):
		return fmt.Errorf("%w: %w", t.fenced(), err) // the old primary is gone, or its pool is closed
	}
	return err
}

// TxAgain is Tx, run again while it loses locks or races, and in the next reign when
// its own is over.
func (d *DB) TxAgain(ctx context.Context, do func(ctx context.Context, c *sql.Conn) error) error {
	var t *term
	retry := func(err error) bool {
		switch {
		case errors.Is(err, mariadb.ErrCommitUnknown):
			return false
		case errors.Is(err, ErrFenced):
			return d.awaitNext(ctx, t)
		}
		return Retry(err)
	}
	return mariadb.Again(triesMax, retry, func(int) error {
		t = d.current.Load()
		return d.run(ctx, t, t.pool, false, do)
	})
}

// TxRepeat is for transactions that change nothing when they are run a second time:
// after a lost COMMIT they are run again, and find out that way.
func (d *DB) TxRepeat(ctx context.Context, do func(ctx context.Context, c *sql.Conn) error) error {
	unknown := func(err error) bool { return errors.Is(err, mariadb.ErrCommitUnknown) }
	return mariadb.Again(triesMax, unknown, func(try int) error {
		if try > 1 {
			d.CountUnknown()
		}
		return d.TxAgain(ctx, do)
	})
}

// CountUnknown counts a COMMIT whose answer was lost and that is run again.
func (d *DB) CountUnknown() { d.unknown.Add(1) }

// Update runs one statement that may be repeated, as a transaction.
func (d *DB) Update(ctx context.Context, what, statement string, args ...any) error {
	err := d.TxRepeat(ctx, func(ctx context.Context, c *sql.Conn) error {
		_, err := c.ExecContext(ctx, statement, args...)
		return err
	})
	return d.Answer(what, err)
}

// Move runs a conditional update of one row. Zero rows is a conflict.
func Move(ctx context.Context, c *sql.Conn, update string, args ...any) error {
	res, err := c.ExecContext(ctx, update, args...)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return errors.Join(ErrConflict, err)
	}
	return nil
}
