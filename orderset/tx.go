package orderset

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"hongbao/internal/mariadb"
)

// txMax bounds one transaction from the first statement to the commit's
// answer. It is longer than the lock wait and the socket timeouts below it.
const txMax = 5 * time.Second

// inTx runs one transaction. The caller's cancellation does not reach it: once
// money moves, a client that hangs up must not decide; txMax does.
//
// It ends in one of three ways. nil: committed. errCommitUnknown: COMMIT was
// sent, the answer was lost. Anything else wraps errNotCommitted and the reason:
// rolled back, and the connection thrown away, because after an error the
// session may be in autocommit (1213) or hold half a transaction (1205, 1062).
func (s *Set) inTx(ctx context.Context, do func(ctx context.Context, c *sql.Conn) error) error {
	return s.transact(ctx, s.db, func(ctx context.Context, c *sql.Conn) error {
		if _, err := c.ExecContext(ctx, "START TRANSACTION"); err != nil {
			return err
		}
		return do(ctx, c)
	})
}

// inWrite is inTx on the pool whose sessions are always in a transaction, which
// saves the round trip that starts one.
func (s *Set) inWrite(ctx context.Context, do func(ctx context.Context, c *sql.Conn) error) error {
	return s.transact(ctx, s.writes, do)
}

func (s *Set) transact(ctx context.Context, pool *sql.DB, do func(ctx context.Context, c *sql.Conn) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), txMax)
	defer cancel()
	conn, err := pool.Conn(ctx)
	if err != nil {
		return fmt.Errorf("%w: connect: %w", errNotCommitted, err)
	}
	defer conn.Close()
	if err := do(ctx, conn); err != nil {
		abandon(ctx, conn)
		return fmt.Errorf("%w: %w", errNotCommitted, err)
	}
	if _, err = conn.ExecContext(ctx, "COMMIT"); err == nil {
		s.health.worked()
		return nil
	}
	abandon(ctx, conn)
	if mariadb.CommitRefused(err) {
		return fmt.Errorf("%w: commit: %w", errNotCommitted, err)
	}
	return fmt.Errorf("%w: %w", errCommitUnknown, err)
}

// abandon rolls back and closes the connection for good.
func abandon(ctx context.Context, conn *sql.Conn) {
	// The rollback is a courtesy that frees locks early; closing the socket
	// rolls back all the same, so its error says nothing new.
	_, _ = conn.ExecContext(ctx, "ROLLBACK")
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
}

// retriesMax bounds how often a transaction that lost a lock or a race is run
// again before its caller is told to come back.
const retriesMax = 3

// inTxAgain is inTx, run again while it loses locks or races.
func (s *Set) inTxAgain(ctx context.Context, do func(ctx context.Context, c *sql.Conn) error) error {
	for try := 1; ; try++ {
		err := s.inTx(ctx, do)
		if try == retriesMax || !again(err) || errors.Is(err, errCommitUnknown) {
			return err
		}
	}
}

// inTxRepeat is for transactions that change nothing when they are run a second
// time: after a lost commit they are run again, and find out that way.
func (s *Set) inTxRepeat(ctx context.Context, do func(ctx context.Context, c *sql.Conn) error) error {
	for try := 1; ; try++ {
		err := s.inTxAgain(ctx, do)
		if try == retriesMax || !errors.Is(err, errCommitUnknown) {
			return err
		}
		s.counts.unknown.Add(1)
	}
}
