package orderset

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"hongbao/internal/mariadb"
)

// txMax bounds one transaction from the first statement to the commit's
// answer. It is longer than the lock wait and the socket timeouts below it.
const txMax = 5 * time.Second

// inTx runs one transaction, with the three answers of [mariadb.Tx].
func (s *Set) inTx(ctx context.Context, do func(ctx context.Context, c *sql.Conn) error) error {
	return s.worked(mariadb.Tx{Max: txMax, Detached: true}.Run(ctx, s.db, do))
}

// inWrite is inTx on the pool whose sessions are always in a transaction.
func (s *Set) inWrite(ctx context.Context, do func(ctx context.Context, c *sql.Conn) error) error {
	return s.worked(mariadb.Tx{Max: txMax, Detached: true, Begun: true}.Run(ctx, s.writes, do))
}

func (s *Set) worked(err error) error {
	if err == nil {
		s.health.worked()
	}
	return err
}

// retriesMax bounds how often a transaction that lost a lock or a race is run
// again before its caller is told to come back.
const retriesMax = 3

// inTxAgain is inTx, run again while it loses locks or races.
func (s *Set) inTxAgain(ctx context.Context, do func(ctx context.Context, c *sql.Conn) error) error {
	retry := func(err error) bool { return again(err) && !errors.Is(err, mariadb.ErrCommitUnknown) }
	return mariadb.Again(retriesMax, retry, func(int) error { return s.inTx(ctx, do) })
}

// inTxRepeat is for transactions that change nothing when they are run a second
// time: after a lost commit they are run again, and find out that way.
func (s *Set) inTxRepeat(ctx context.Context, do func(ctx context.Context, c *sql.Conn) error) error {
	unknown := func(err error) bool { return errors.Is(err, mariadb.ErrCommitUnknown) }
	return mariadb.Again(retriesMax, unknown, func(try int) error {
		if try > 1 {
			s.counts.unknown.Add(1)
		}
		return s.inTxAgain(ctx, do)
	})
}
