package owed

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/orderset/layout"
)

// disputedWait is how long a batch rests when the provider's word about it does
// not add up: people look at it meanwhile.
const disputedWait = time.Minute

// RecordBatch records in one transaction what became of each payout of a batch,
// settles the envelopes whose last transfer it posts, and ends the batch. A repeat
// changes nothing. A status that is unknown makes a pending batch due at once; one
// that is neither that nor done is an error.
//
// The error wraps [envelope.ErrTransferConflict] when the word does not add up to
// the batch, which then rests for a minute, or contradicts what is recorded;
// [envelope.ErrNotFound] when there is no such batch. Both are kept as disputes.
// After any other error nothing is recorded, or nobody knows.
func (s *Store) RecordBatch(ctx context.Context, status envelope.PayoutBatchStatus) error {
	if status.Progress != envelope.ProgressDone && status.Progress != envelope.ProgressUnknown {
		return fmt.Errorf("SET %v: hear batch %.40q: it is %q, want done or unknown", s.db.Number(), status.No, status.Progress)
	}
	var h *batchHearing
	err := s.db.TxRepeat(ctx, func(ctx context.Context, c *sql.Conn) error {
		h = &batchHearing{set: s.db.Number(), status: status}
		return h.run(ctx, c)
	})
	if err != nil {
		return s.db.Answer(fmt.Sprintf("hear batch %.40q", status.No), err)
	}
	s.flows.paidOut.Add(int64(h.posted))
	s.flows.settled.Add(int64(len(h.settled)))
	s.Settled(h.settled)
	return h.answer
}

// batchHearing is one run of the transaction.
type batchHearing struct {
	set     envelope.SetNumber
	status  envelope.PayoutBatchStatus
	answer  error // to the word, once the transaction is committed
	settled []envelope.ID
	posted  envelope.Fen // the sum of its payouts that were posted just now
}

// storedBatch is what the row says of a batch.
type storedBatch struct {
	ended          bool
	count, refused int
	total          envelope.Fen
}

// run is the body of the transaction. The batch is locked first; then headers
// before transfers, as by whoever hears of transfers one by one.
func (h *batchHearing) run(ctx context.Context, c *sql.Conn) error {
	if id, err := envelope.ParsePayoutBatchNo(h.status.No); err != nil || id.Set() != h.set {
		return h.dispute(ctx, c, ErrNoBatch(h.status.No))
	}
	var b storedBatch
	err := c.QueryRowContext(ctx, lockBatch, h.status.No).Scan(&b.ended, &b.count, &b.total, &b.refused)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return h.dispute(ctx, c, ErrNoBatch(h.status.No))
	case err != nil:
		return err
	case b.contradicts(&h.status):
		return h.dispute(ctx, c, fmt.Errorf("batch %s of %d payouts, %d fen, of which %d were refused: the provider speaks of %d, %d fen, and has paid %d, %d fen: %w",
			h.status.No, b.count, b.total, b.refused, h.status.Count, h.status.Total, h.status.Paid, h.status.PaidAmount, envelope.ErrTransferConflict))
	case b.ended:
		return nil
	case h.status.Progress == envelope.ProgressUnknown:
		return h.putOff(ctx, c, 0)
	}
	held, err := h.refused(ctx, c, &b)
	if errors.Is(err, envelope.ErrTransferConflict) {
		return errors.Join(h.putOff(ctx, c, disputedWait), h.dispute(ctx, c, err))
	}
	if err != nil {
		return err
	}
	return h.end(ctx, c, &b, held)
}

func (h *batchHearing) putOff(ctx context.Context, c *sql.Conn, wait time.Duration) error {
	_, err := c.ExecContext(ctx, putOffBatch, layout.Wait(wait), h.status.No)
	return err
}

// contradicts reports whether a word can not be about this batch, or is another
// one than that in which it ended.
func (b *storedBatch) contradicts(s *envelope.PayoutBatchStatus) bool {
	if s.Count != 0 && (s.Count != b.count || s.Total != b.total) {
		return true
	}
	return b.ended && (s.Paid != b.count-b.refused || b.refused == 0 && s.PaidAmount != b.total)
}

// refused are the payouts that will be held. When all are paid, which is usual,
// the sums say so and no payout is read.
func (h *batchHearing) refused(ctx context.Context, c *sql.Conn, b *storedBatch) (held []Stored, err error) {
	if len(h.status.Refused) == 0 && h.status.Paid == b.count && h.status.PaidAmount == b.total {
		return nil, nil
	}
	batch := []envelope.PayoutBatch{{No: h.status.No}}
	if err := ReadPayouts(ctx, c, batch, []string{h.status.No}); err != nil {
		return nil, err
	}
	words, err := batch[0].Hear(&h.status)
	if err != nil {
		return nil, err
	}
	for i, word := range words {
		if word.Progress != envelope.ProgressRefused {
			continue
		}
		next, err := batch[0].Payouts[i].Hear(fitWord(word))
		if err != nil {
			return nil, err
		}
		held = append(held, Stored{Transfer: next})
	}
	return held, nil
}

// end holds the payouts that were refused, posts all others, and ends the batch.
func (h *batchHearing) end(ctx context.Context, c *sql.Conn, b *storedBatch, held []Stored) error {
	orders, err := mariadb.Column[envelope.ID](ctx, c, selectOrdersIn, h.status.No)
	if err != nil {
		return err
	}
	finished, err := LockFinished(ctx, c, orders)
	if err != nil {
		return err
	}
	if len(held) > 0 {
		var update layout.Text
		args := updateHeard(&update, held)
		if _, err := c.ExecContext(ctx, update.String(), args...); err != nil {
			return err
		}
	}
	res, err := c.ExecContext(ctx, postBatch, h.status.No)
	if err != nil {
		return err
	}
	if posted, err := res.RowsAffected(); err != nil || int(posted) != b.count-len(held) {
		return errors.Join(fmt.Errorf("%d of its payouts were pending, want %d", int(posted)+len(held), b.count), err)
	}
	if h.settled, err = Settle(ctx, c, finished, orders); err != nil {
		return err
	}
	h.posted = b.total
	for i := range held {
		h.posted -= held[i].Amount
	}
	_, err = c.ExecContext(ctx, endBatch, len(held), fit(h.status.ProviderNo, providerNoMax), h.status.No)
	return err
}

// dispute answers the word with why and keeps it for people.
func (h *batchHearing) dispute(ctx context.Context, c *sql.Conn, why error) error {
	h.answer = why
	id, _ := envelope.ParsePayoutBatchNo(h.status.No) // "" of a number that is none of ours
	d := dispute{kind: disputeTransfer, number: h.status.No, id: id, what: why.Error(), amount: cmp.Or(h.status.Total, h.status.PaidAmount)}
	return d.insert(ctx, c)
}

func queryIDs(ctx context.Context, q mariadb.Queryer, query string, args ...any) ([]envelope.ID, error) {
	return mariadb.Column[envelope.ID](ctx, q, query, args...)
}
