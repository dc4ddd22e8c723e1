package mariadb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"
)

// ErrNotCommitted wraps the reason why a transaction had no effect.
var ErrNotCommitted = errors.New("not committed")

// ErrCommitUnknown says that COMMIT was sent and its answer was lost.
var ErrCommitUnknown = errors.New("commit outcome unknown")

const (
	begin    = "START TRANSACTION"
	commit   = "COMMIT"
	rollback = "ROLLBACK"
)

// Tx is how a transaction runs.
type Tx struct {
	// Max bounds it, from the wait for a connection to the answer of its COMMIT. It
	// exceeds the lock wait and the socket timeouts.
	Max time.Duration
	// Detached keeps the caller's cancellation away from it: once money moves, a client
	// that hangs up must not decide. Max does.
	Detached bool
	// Begun is for pools whose sessions have no autocommit: they are always in a
	// transaction, which saves the round trip that starts one.
	Begun bool
	// Barrier stands before the COMMIT. Nil: none.
	Barrier Barrier
}

// A Barrier decides, at the last moment, whether a transaction may commit.
type Barrier interface {
	// Enter is called before COMMIT is sent. Its error rolls back.
	Enter() error
	// Leave follows every Enter that returned nil, once COMMIT was answered or its
	// answer was lost.
	Leave()
}

// Run runs one transaction on a connection of the pool.
//
// It ends in one of three ways. nil: committed. ErrCommitUnknown: COMMIT was sent,
// the answer was lost. Anything else wraps ErrNotCommitted and the reason: rolled
// back, and the connection thrown away, because after an error the session may be in
// autocommit (1213) or hold half a transaction (1205, 1062).
func (tx Tx) Run(ctx context.Context, pool *sql.DB, do func(ctx context.Context, c *sql.Conn) error) error {
	if tx.Detached {
		ctx = context.WithoutCancel(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, tx.Max)
	defer cancel()
	conn, err := pool.Conn(ctx)
	if err != nil {
		return fmt.Errorf("%w: connect: %w", ErrNotCommitted, err)
	}
	defer conn.Close()
	if err := tx.work(ctx, conn, do); err != nil {
		Abandon(ctx, conn)
		return fmt.Errorf("%w: %w", ErrNotCommitted, err)
	}
	if tx.Barrier != nil {
		if err := tx.Barrier.Enter(); err != nil {
			Abandon(ctx, conn)
			return fmt.Errorf("%w: %w", ErrNotCommitted, err)
		}
		defer tx.Barrier.Leave()
	}
	if _, err = conn.ExecContext(ctx, commit); err == nil {
		return nil
	}
	Abandon(ctx, conn)
	if CommitRefused(err) {
		return fmt.Errorf("%w: commit: %w", ErrNotCommitted, err)
	}
	return fmt.Errorf("%w: %w", ErrCommitUnknown, err)
}

func (tx Tx) work(ctx context.Context, conn *sql.Conn, do func(ctx context.Context, c *sql.Conn) error) error {
	if !tx.Begun {
		if _, err := conn.ExecContext(ctx, begin); err != nil {
			return err
		}
	}
	return do(ctx, conn)
}

// Abandon rolls back and closes the connection for good.
func Abandon(ctx context.Context, conn *sql.Conn) {
	// The rollback is a courtesy that frees locks early; closing the socket rolls back
	// all the same, so its error says nothing new.
	_, _ = conn.ExecContext(ctx, rollback)
	Discard(conn)
}

// Discard closes the connection for good, with all that its session was set to.
func Discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
}

// Snapshot reads from one snapshot: do sees the rows as they were at its first read,
// whatever is committed meanwhile.
func Snapshot(ctx context.Context, pool *sql.DB, do func(ctx context.Context, c *sql.Conn) error) error {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"); err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"); err != nil {
		return err
	}
	err = do(ctx, conn)
	_, rollbackErr := conn.ExecContext(context.WithoutCancel(ctx), rollback)
	return errors.Join(err, rollbackErr)
}

// DryRun runs a transaction on a connection and rolls it back.
func DryRun(ctx context.Context, conn *sql.Conn, do func(ctx context.Context, c *sql.Conn) error) error {
	if _, err := conn.ExecContext(ctx, begin); err != nil {
		return err
	}
	if err := do(ctx, conn); err != nil {
		Abandon(ctx, conn)
		return err
	}
	_, err := conn.ExecContext(ctx, rollback)
	return err
}

// Again runs do until it succeeds, fails for good or has been run tries times. retry
// says after which errors it may be run again; do gets the number of the run, from 1.
func Again(tries int, retry func(error) bool, do func(try int) error) error {
	for try := 1; ; try++ {
		err := do(try)
		if err == nil || try == tries || !retry(err) {
			return err
		}
	}
}
