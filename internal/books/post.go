package books

import (
	"context"
	"database/sql"
	"errors"
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
// of fresh facts. The facts may be of any number of envelopes; they are cut into
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

// writeAgain is write, run again while it loses locks or races, and when the answer
// of its COMMIT was lost. The first run takes for granted that new rows are not there
// yet; if that is wrong, a key refuses it, and later ones ask the rows themselves.
func (s *shard) writeAgain(ctx context.Context, part *entries) error {
	retry := func(err error) bool {
		return (errors.Is(err, mariadb.ErrCommitUnknown) || contended(err)) && ctx.Err() == nil
	}
	return mariadb.Again(triesMax, retry, func(try int) error {
		if try > 1 {
			s.counts.again.Add(1)
		}
		err := s.write(ctx, part, try == 1)
		if errors.Is(err, mariadb.ErrCommitUnknown) {
			s.counts.unknown.Add(1)
		}
		return err
	})
}

// write is one transaction, trusting that new rows were not posted before, or looking
// for every row.
func (s *shard) write(ctx context.Context, part *entries, trusting bool) error {
	fresh, others := entries{}, *part
	if trusting {
		fresh, others = part.split()
	}
	written := 0
	err := mariadb.Tx{Max: txMax}.Run(ctx, s.db, func(ctx context.Context, c *sql.Conn) error {
		w := &writing{conn: c}
		err := w.run(ctx, part.years(), &fresh, &others)
		written = w.written
		return err
	})
	if err != nil {
		return err
	}
	s.counts.transactions.Add(1)
	s.counts.rows.Add(uint64(written))
	return nil
}
