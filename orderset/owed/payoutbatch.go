package owed

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/orderset/layout"
	"hongbao/orderset/setdb"
)

// claimBatchesMax bounds the batches in one claim: with their payouts they are
// some thousand rows.
const claimBatchesMax = 16

// dueBatch is a batch as it is claimed.
type dueBatch struct {
	envelope.PayoutBatch
	dueAt time.Time
}

// ClaimBatches takes up to max pending batches of payouts that are due, 16 at
// most, with their payouts, which have no DueAt of their own: larger amounts first,
// but a quarter of them are those that are due longest. No other claim gets them
// before the lease ends. They are marked as placed; what is returned says whether
// they were before, and Attempts counts this claim.
func (s *Store) ClaimBatches(ctx context.Context, max int, lease time.Duration) (claimed []envelope.PayoutBatch, err error) {
	max = min(max, claimBatchesMax)
	err = s.db.TxAgain(ctx, func(ctx context.Context, c *sql.Conn) error {
		due, err := lockDueBatches(ctx, c, max)
		if claimed = nil; err != nil || len(due) == 0 {
			return err
		}
		nos := make([]string, len(due))
		for i := range due {
			claimed, nos[i] = append(claimed, due[i].PayoutBatch), due[i].No
		}
		if _, err := c.ExecContext(ctx, claimBatches(nos), layout.Wait(lease)); err != nil {
			return err
		}
		return ReadPayouts(ctx, c, claimed, nos)
	})
	return claimed, s.db.Answer("claim payout batches", err)
}

func lockDueBatches(ctx context.Context, c *sql.Conn, max int) ([]dueBatch, error) {
	var due [envelope.Tiers][]dueBatch
	for tier := range due {
		err := mariadb.Each(ctx, c, func(rows *sql.Rows) error {
			var b dueBatch
			var placed sql.NullTime
			err := rows.Scan(&b.No, &b.Placed, &placed, &b.Attempts, &b.CreatedAt, &b.dueAt)
			b.PlacedAt = placed.Time
			due[tier] = append(due[tier], b)
			return err
		}, selectDueBatches, tier, max)
		if err != nil {
			return nil, err
		}
	}
	return choose(due, max, func(b *dueBatch) time.Time { return b.dueAt }), nil
}

// ReadPayouts reads what is in some batches, without locks: while they are pending
// nothing joins them or leaves.
func ReadPayouts(ctx context.Context, q mariadb.Queryer, batches []envelope.PayoutBatch, nos []string) error {
	at := make(map[string]*envelope.PayoutBatch, len(batches))
	for i := range batches {
		at[batches[i].No] = &batches[i]
	}
	err := mariadb.Each(ctx, q, func(rows *sql.Rows) error {
		var no string
		t := envelope.Transfer{State: envelope.Pending}
		err := rows.Scan(&no, &t.OrderNo, &t.Seq, &t.Round, &t.Payee, &t.Amount, &t.Charged, &t.CreatedAt)
		if b := at[no]; b != nil {
			b.Payouts = append(b.Payouts, t)
		}
		return err
	}, selectPayoutsIn(nos))
	for i := range batches {
		slices.SortFunc(batches[i].Payouts, func(a, b envelope.Transfer) int { return layout.CompareKeys(layout.KeyOf(&a), layout.KeyOf(&b)) })
	}
	return err
}

// PutOffBatch makes a pending batch due again after the word's wait, a day at
// most, and records why it does not go on: the code of a status that is stuck or
// rejected, nothing once it does. An unknown status says neither. A batch that has
// ended stays so. A number that no batch can have is ErrNotFound.
func (s *Store) PutOffBatch(ctx context.Context, word envelope.PayoutBatchUpdate) error {
	if _, err := envelope.ParsePayoutBatchNo(word.No); err != nil {
		return ErrNoBatch(word.No)
	}
	what, wait := fmt.Sprintf("put off batch %.40q", word.No), layout.Wait(word.Wait)
	switch word.Progress {
	case envelope.ProgressUnknown:
		return s.db.Update(ctx, what, putOffBatch, wait, word.No)
	case envelope.ProgressStuck, envelope.ProgressRejected:
		return s.db.Update(ctx, what, stickBatch, wait, cmp.Or(layout.FitReason(word.Code), unknownRefusal),
			word.Progress == envelope.ProgressRejected, word.Attempt, word.No)
	}
	return s.db.Update(ctx, what, freeBatch, wait, word.No)
}

func ErrNoBatch(no string) error { return fmt.Errorf("batch %.40q: %w", no, envelope.ErrNotFound) }

const nextRound = "UPDATE transfer SET round = ?, payee_id = ?, batch = ?, " + FreshRound + " WHERE order_id = ? AND seq = ? AND round = ? AND state <> 'posted'"

// BeginRound makes a held transfer pending under its next number: in a batch of
// its own where payouts go in batches.
func (s *Store) BeginRound(ctx context.Context, c *sql.Conn, t *Stored) error {
	var heads []string
	batch := ""
	if s.cfg.Batches && !t.IsRefund() {
		head := envelope.TransferNo(t.OrderNo, t.Seq, t.Round+1)
		heads, batch = append(heads, head), envelope.PayoutBatchNo(head)
	}
	if err := setdb.Move(ctx, c, nextRound, t.Round+1, t.Payee, batch, t.OrderNo, t.Seq, t.Round); err != nil {
		return err
	}
	return MakeBatches(ctx, c, heads)
}
