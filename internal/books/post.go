package books

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
)

const (
	shardsAtOnceMax = 8               // shards one post writes to at the same time
	rowsMax         = 2000            // rows of either kind in one transaction
	triesMax        = 3               // of one transaction that loses locks, races or its answer
	txMax           = 5 * time.Second // one transaction, from the connection to the commit's answer
)

// Post writes what happened. It may be repeated at any time and from anywhere:
// what is there already is not written again, but found, at up to twice the cost
// of news. The facts may be of any number of envelopes; they are cut into
// transactions of at most 2,000 rows of a kind.
//
// An error says that some of it may not be written. It is a [envelope.BusyError]
// or wraps [envelope.ErrUnknownOutcome] where only time has to pass.
func (b *Books) Post(ctx context.Context, facts []envelope.Fact) error {
	all := entriesOf(facts)
	errs := make([]error, len(b.shards))
	var posting errgroup.Group
	posting.SetLimit(shardsAtOnceMax)
	for i, part := range all.byShard(len(b.shards)) {
		if len(part.received)+len(part.sent) > 0 {
			posting.Go(func() error {
				errs[i] = b.shards[i].post(ctx, part)
				return nil
			})
		}
	}
	_ = posting.Wait() // errs has them all, by shard
	return errors.Join(errs...)
}

// post writes the rows of one shard.
func (s *shard) post(ctx context.Context, all entries) error {
	for part := range all.chunks(rowsMax) {
		if err := s.writeAgain(ctx, &part); err != nil {
			return s.answer("post", err)
		}
	}
	return nil
}

// writeAgain is write, run again while it loses locks or races, and when nobody
// knows whether it was committed. The first run takes for granted that news is
// news; if that is wrong, a key refuses it, and later ones ask the rows themselves.
func (s *shard) writeAgain(ctx context.Context, part *entries) error {
	for try := 1; ; try++ {
		err := s.write(ctx, part, try == 1)
		lost := errors.Is(err, errCommitUnknown)
		if lost {
			s.counts.unknown.Add(1)
		}
		if try == triesMax || !lost && !contended(err) || ctx.Err() != nil {
			return err
		}
		s.counts.again.Add(1)
	}
}

// write is one transaction, trusting that news was not posted before, or looking
// for every row. After any error it is rolled back and its connection is closed:
// the session may be in autocommit (1213) or hold half a transaction (1205).
func (s *shard) write(ctx context.Context, part *entries, trusting bool) error {
	ctx, cancel := context.WithTimeout(ctx, txMax)
	defer cancel()
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	w := &writing{conn: conn}
	news, others := entries{}, *part
	if trusting {
		news, others = part.split()
	}
	if err := w.run(ctx, part.years(), &news, &others); err != nil {
		abandon(ctx, conn)
		return err
	}
	if _, err := conn.ExecContext(ctx, "COMMIT"); err != nil {
		abandon(ctx, conn)
		if mariadb.CommitRefused(err) {
			return fmt.Errorf("commit: %w", err)
		}
		return fmt.Errorf("%w: %w", errCommitUnknown, err)
	}
	s.counts.transactions.Add(1)
	s.counts.rows.Add(uint64(w.written))
	return nil
}

// abandon rolls back and closes the connection for good.
func abandon(ctx context.Context, conn *sql.Conn) {
	// A courtesy that frees locks early: closing the socket rolls back, too.
	_, _ = conn.ExecContext(ctx, "ROLLBACK")
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
}
