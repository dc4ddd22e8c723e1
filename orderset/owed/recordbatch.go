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

// disputedWait is how long a batch rests when the provider's status about it does
// not add up: people look at it meanwhile.
const disputedWait = time.Minute

// RecordBatch records in one transaction what became of each payout of a batch,
// settles the envelopes whose last transfer it posts, and ends the batch. A repeat
// changes nothing. A status that is unknown makes a pending batch due at once; one
// that is neither that nor done is an error.
//
// The error wraps [envelope.ErrTransferConflict] when the status does not add up to
// the batch, which then rests for a minute, or contradicts what is recorded;
// [envelope.ErrNotFound] when there is no such batch. Both are kept as disputes.
// After any other error nothing is recorded, or the outcome is unknown.
func (s *Store) RecordBatch(ctx context.Context, status envelope.PayoutBatchStatus) error {
	if status.Progress != envelope.ProgressDone && status.Progress != envelope.ProgressUnknown {
		return fmt.Errorf("SET %v: record batch %.40q: it is %q, want done or unknown", s.db.Number(), status.No, status.Progress)
	}
	var r *batchRecording
	err := s.db.TxRepeat(ctx, func(ctx context.Context, c *sql.Conn) error {
		r = &batchRecording{set: s.db.Number(), status: status}
		return r.run(ctx, c)
	})
	if err != nil {
		return s.db.Answer(fmt.Sprintf("record batch %.40q", status.No), err)
	}
	s.flows.paidOut.Add(int64(r.posted))
	s.flows.settled.Add(int64(len(r.settled)))
	s.Settled(r.settled)
	return r.answer
}

// batchRecording is one run of the transaction.
type batchRecording struct {
	set     envelope.SetNumber
	status  envelope.PayoutBatchStatus
	answer  error // to the status, once the transaction is committed
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
// before transfers, as where transfers are recorded one by one.
func (r *batchRecording) run(ctx context.Context, c *sql.Conn) error {
	if id, err := envelope.ParsePayoutBatchNo(r.status.No); err != nil || id.Set() != r.set {
		return r.dispute(ctx, c, ErrNoBatch(r.status.No))
	}
	var b storedBatch
	err := c.QueryRowContext(ctx, lockBatch, r.status.No).Scan(&b.ended, &b.count, &b.total, &b.refused)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return r.dispute(ctx, c, ErrNoBatch(r.status.No))
	case err != nil:
		return err
	case b.contradicts(&r.status):
		return r.dispute(ctx, c, fmt.Errorf("batch %s of %d payouts, %d fen, of which %d were refused: the provider speaks of %d, %d fen, and has paid %d, %d fen: %w",
			r.status.No, b.count, b.total, b.refused, r.status.Count, r.status.Total, r.status.Paid, r.status.PaidAmount, envelope.ErrTransferConflict))
	case b.ended:
		return nil
	case r.status.Progress == envelope.ProgressUnknown:
		return r.putOff(ctx, c, 0)
	}
	held, err := r.refused(ctx, c, &b)
	if errors.Is(err, envelope.ErrTransferConflict) {
		return errors.Join(r.putOff(ctx, c, disputedWait), r.dispute(ctx, c, err))
	}
	if err != nil {
		return err
	}
	return r.end(ctx, c, &b, held)
}

func (r *batchRecording) putOff(ctx context.Context, c *sql.Conn, wait time.Duration) error {
	_, err := c.ExecContext(ctx, putOffBatch, layout.Wait(wait), r.status.No)
	return err
}

// contradicts reports whether a status can not be about this batch, or is another
// one than that in which it ended.
func (b *storedBatch) contradicts(s *envelope.PayoutBatchStatus) bool {
	if s.Count != 0 && (s.Count != b.count || s.Total != b.total) {
		return true
	}
	return b.ended && (s.Paid != b.count-b.refused || b.refused == 0 && s.PaidAmount != b.total)
}

// refused are the payouts that will be held. When all are paid, which is usual,
// the sums say so and no payout is read.
func (r *batchRecording) refused(ctx context.Context, c *sql.Conn, b *storedBatch) (held []Stored, err error) {
	if len(r.status.Refused) == 0 && r.status.Paid == b.count && r.status.PaidAmount == b.total {
		return nil, nil
	}
	batch := []envelope.PayoutBatch{{No: r.status.No}}
	if err := ReadPayouts(ctx, c, batch, []string{r.status.No}); err != nil {
		return nil, err
	}
	statuses, err := batch[0].Statuses(&r.status)
	if err != nil {
		return nil, err
	}
	for i, status := range statuses {
		if status.Progress != envelope.ProgressRefused {
			continue
		}
		next, err := batch[0].Payouts[i].Apply(fitStatus(status))
		if err != nil {
			return nil, err
		}
		held = append(held, Stored{Transfer: next})
	}
	return held, nil
}

// end holds the payouts that were refused, posts all others, and ends the batch.
func (r *batchRecording) end(ctx context.Context, c *sql.Conn, b *storedBatch, held []Stored) error {
	orders, err := mariadb.Column[envelope.ID](ctx, c, selectOrdersIn, r.status.No)
	if err != nil {
		return err
	}
	finished, err := LockFinished(ctx, c, orders)
	if err != nil {
		return err
	}
	if len(held) > 0 {
		var update layout.Text
		args := updateRecorded(&update, held)
		if _, err := c.ExecContext(ctx, update.String(), args...); err != nil {
			return err
		}
	}
	res, err := c.ExecContext(ctx, postBatch, r.status.No)
	if err != nil {
		return err
	}
	if posted, err := res.RowsAffected(); err != nil || int(posted) != b.count-len(held) {
		return errors.Join(fmt.Errorf("%d of its payouts were pending, want %d", int(posted)+len(held), b.count), err)
	}
	if r.settled, err = Settle(ctx, c, finished, orders); err != nil {
		return err
	}
	r.posted = b.total
	for i := range held {
		r.posted -= held[i].Amount
	}
	_, err = c.ExecContext(ctx, endBatch, len(held), fit(r.status.ProviderNo, providerNoMax), r.status.No)
	return err
}

// dispute answers the status with why and keeps it for people.
func (r *batchRecording) dispute(ctx context.Context, c *sql.Conn, why error) error {
	r.answer = why
	id, _ := envelope.ParsePayoutBatchNo(r.status.No) // "" of a number that is none of ours
	d := dispute{kind: disputeTransfer, number: r.status.No, id: id, what: why.Error(), amount: cmp.Or(r.status.Total, r.status.PaidAmount)}
	return d.insert(ctx, c)
}
