package owed

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"hongbao/envelope"
	"hongbao/orderset/layout"
	"hongbao/orderset/setdb"
)

const (
	// An envelope's transfers are one range of the primary key.
	selectTransfersTo = "SELECT " + layout.TransferColumns + " FROM transfer WHERE order_id = ? AND (payee_id = ? OR seq = ?) ORDER BY seq"

	// One tier is one range of the index, in the order in which it is due.
	selectDueTransfers = "SELECT " + layout.TransferColumns + " FROM transfer WHERE state = 'pending' AND batch = '' AND tier = ? AND due_at <= UTC_TIMESTAMP(3) " +
		"ORDER BY due_at LIMIT ? FOR UPDATE SKIP LOCKED"

	// What is stuck is looked at now and then only, and its amounts do not matter
	// before that changes.
	selectDueStuck = "SELECT " + layout.TransferColumns + " FROM transfer WHERE state = 'stuck' AND batch = '' AND tier IN (0, 1, 2) AND due_at <= UTC_TIMESTAMP(3) " +
		"ORDER BY due_at LIMIT ? FOR UPDATE SKIP LOCKED"

	insertRefund = "INSERT INTO transfer (order_id, seq, payee_id, amount_fen, charged_fen, tier, created_at, due_at) " +
		"VALUES (?, 0, ?, ?, ?, " + layout.TierOfAmount + ", UTC_TIMESTAMP(3), UTC_TIMESTAMP(3))"
)

// refund inserts the transfer that brings back what the header says. Its key
// makes a second one impossible (I6, FG13).
func InsertRefund(ctx context.Context, c *sql.Conn, e *envelope.Envelope) error {
	t, owed := envelope.RefundOf(e)
	if !owed {
		return nil
	}
	_, err := c.ExecContext(ctx, insertRefund, t.OrderNo, t.Payee, t.Amount, t.Charged)
	return err
}

// Transfer reads one; seq 0 is the refund.
func (s *Store) Transfer(ctx context.Context, id envelope.ID, seq int) (envelope.Transfer, error) {
	ctx, cancel := context.WithTimeout(ctx, setdb.TxMax)
	defer cancel()
	ts, err := layout.QueryTransfers(ctx, s.db, layout.SelectTransfer, id, seq)
	if err == nil && len(ts) == 0 {
		err = fmt.Errorf("transfer %s: %w", envelope.TransferNo(id, seq, 1), envelope.ErrNotFound)
	}
	if err != nil {
		return envelope.Transfer{}, s.db.Answer("read transfer", err)
	}
	return ts[0], s.db.Answer("read transfer", nil)
}

// Transfers reads, in the order of their positions, the transfers of an envelope
// that go to user, and the one at position own wherever it goes.
func (s *Store) Transfers(ctx context.Context, id envelope.ID, user envelope.UserID, own int) ([]envelope.Transfer, error) {
	ctx, cancel := context.WithTimeout(ctx, setdb.TxMax)
	defer cancel()
	ts, err := layout.QueryTransfers(ctx, s.db, selectTransfersTo, id, user, own)
	return ts, s.db.Answer("read transfers", err)
}

// ClaimTransfers takes up to max pending or stuck transfers that are due and in no batch,
// 1024 at most: larger amounts first, but a quarter of them are those that are due longest, so
// that nothing waits for ever; an eighth, and what is left over, is for those that are stuck. No other claim gets them before the
// lease ends. They are marked as placed; what is returned says whether and since when they were before, and
// Attempts counts this claim.
func (s *Store) ClaimTransfers(ctx context.Context, max int, lease time.Duration) (claimed []envelope.Transfer, err error) {
	max = min(max, claimMax)
	err = s.db.TxAgain(ctx, func(ctx context.Context, c *sql.Conn) error {
		stuck, err := layout.QueryTransfers(ctx, c, selectDueStuck, max)
		if err != nil {
			return err
		}
		var due [envelope.Tiers][]envelope.Transfer
		for tier := range due {
			if due[tier], err = layout.QueryTransfers(ctx, c, selectDueTransfers, tier, max); err != nil {
				return err
			}
		}
		chosen := choose(due, max-min(len(stuck), max/8), func(t *envelope.Transfer) time.Time { return t.DueAt })
		if claimed = append(chosen, stuck[:min(len(stuck), max-len(chosen))]...); len(claimed) == 0 {
			return nil
		}
		keys := make([]layout.TransferKey, len(claimed))
		for i := range claimed {
			claimed[i].Attempts++
			keys[i] = layout.KeyOf(&claimed[i])
		}
		slices.SortFunc(keys, layout.CompareKeys)
		_, err = c.ExecContext(ctx, claimTransfers(keys), layout.Wait(lease))
		return err
	})
	return claimed, s.db.Answer("claim transfers", err)
}

// choose picks max of what is due in each tier, given in the order in which it is
// due: a quarter by age whatever the tier, the rest by tier.
func choose[T any](due [envelope.Tiers][]T, max int, dueAt func(*T) time.Time) []T {
	var chosen []T
	for len(chosen) < (max+3)/4 {
		oldest := -1
		for tier := range due {
			if len(due[tier]) > 0 && (oldest < 0 || dueAt(&due[tier][0]).Before(dueAt(&due[oldest][0]))) {
				oldest = tier
			}
		}
		if oldest < 0 {
			return chosen
		}
		chosen = append(chosen, due[oldest][0])
		due[oldest] = due[oldest][1:]
	}
	for tier := range due {
		chosen = append(chosen, due[tier][:min(len(due[tier]), max-len(chosen))]...)
	}
	return chosen
}
