package orderset

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/orderset/setdb"
)

const transferColumns = "order_id, seq, round, payee_id, amount_fen, charged_fen, state, placed, attempts, " +
	"provider_no, hint, reason, created_at, placed_at, due_at"

const (
	selectTransfer = "SELECT " + transferColumns + " FROM transfer WHERE order_id = ? AND seq = ?"
	// An envelope's transfers are one range of the primary key.
	selectTransfersTo = "SELECT " + transferColumns + " FROM transfer WHERE order_id = ? AND (payee_id = ? OR seq = ?) ORDER BY seq"

	// One tier is one range of the index, in the order in which it is due.
	selectDueTransfers = "SELECT " + transferColumns + " FROM transfer WHERE state = 'pending' AND batch = '' AND tier = ? AND due_at <= UTC_TIMESTAMP(3) " +
		"ORDER BY due_at LIMIT ? FOR UPDATE SKIP LOCKED"

	// What is stuck is looked at now and then only, and its amounts do not matter
	// before that changes.
	selectDueStuck = "SELECT " + transferColumns + " FROM transfer WHERE state = 'stuck' AND batch = '' AND tier IN (0, 1, 2) AND due_at <= UTC_TIMESTAMP(3) " +
		"ORDER BY due_at LIMIT ? FOR UPDATE SKIP LOCKED"

	insertRefund = "INSERT INTO transfer (order_id, seq, payee_id, amount_fen, charged_fen, tier, created_at, due_at) " +
		"VALUES (?, 0, ?, ?, ?, " + tierOfAmount + ", UTC_TIMESTAMP(3), UTC_TIMESTAMP(3))"
)

func scanTransfer(rows *sql.Rows, more ...any) (t envelope.Transfer, err error) {
	var placed sql.NullTime
	err = rows.Scan(append([]any{&t.OrderNo, &t.Seq, &t.Round, &t.Payee, &t.Amount, &t.Charged, &t.State, &t.Placed, &t.Attempts,
		&t.ProviderNo, &t.Hint, &t.Reason, &t.CreatedAt, &placed, &t.DueAt}, more...)...)
	t.PlacedAt = placed.Time
	return t, err
}

func queryTransfers(ctx context.Context, q mariadb.Queryer, query string, args ...any) (ts []envelope.Transfer, err error) {
	err = mariadb.Each(ctx, q, func(rows *sql.Rows) error {
		t, err := scanTransfer(rows)
		ts = append(ts, t)
		return err
	}, query, args...)
	return ts, err
}

// refund inserts the transfer that brings back what the header says. Its key
// makes a second one impossible (I6, FG13).
func refund(ctx context.Context, c *sql.Conn, e *envelope.Envelope) error {
	t, owed := envelope.RefundOf(e)
	if !owed {
		return nil
	}
	_, err := c.ExecContext(ctx, insertRefund, t.OrderNo, t.Payee, t.Amount, t.Charged)
	return err
}

// Transfer reads one; seq 0 is the refund.
func (s *Set) Transfer(ctx context.Context, id envelope.ID, seq int) (envelope.Transfer, error) {
	ctx, cancel := context.WithTimeout(ctx, setdb.TxMax)
	defer cancel()
	ts, err := queryTransfers(ctx, s.db, selectTransfer, id, seq)
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
func (s *Set) Transfers(ctx context.Context, id envelope.ID, user envelope.UserID, own int) ([]envelope.Transfer, error) {
	ctx, cancel := context.WithTimeout(ctx, setdb.TxMax)
	defer cancel()
	ts, err := queryTransfers(ctx, s.db, selectTransfersTo, id, user, own)
	return ts, s.db.Answer("read transfers", err)
}

// ClaimTransfers takes up to max pending or stuck transfers that are due and in no batch,
// 1024 at most: larger amounts first, but a quarter of them are those that are due longest, so
// that nothing waits for ever; an eighth, and what is left over, is for those that are stuck. No other claim gets them before the
// lease ends. They are marked as placed; what is returned says whether and since when they were before, and
// Attempts counts this claim.
func (s *Set) ClaimTransfers(ctx context.Context, max int, lease time.Duration) (claimed []envelope.Transfer, err error) {
	max = min(max, claimMax)
	err = s.db.TxAgain(ctx, func(ctx context.Context, c *sql.Conn) error {
		stuck, err := queryTransfers(ctx, c, selectDueStuck, max)
		if err != nil {
			return err
		}
		var due [envelope.Tiers][]envelope.Transfer
		for tier := range due {
			if due[tier], err = queryTransfers(ctx, c, selectDueTransfers, tier, max); err != nil {
				return err
			}
		}
		chosen := choose(due, max-min(len(stuck), max/8), func(t *envelope.Transfer) time.Time { return t.DueAt })
		if claimed = append(chosen, stuck[:min(len(stuck), max-len(chosen))]...); len(claimed) == 0 {
			return nil
		}
		keys := make([]transferKey, len(claimed))
		for i := range claimed {
			claimed[i].Attempts++
			keys[i] = keyOf(&claimed[i])
		}
		slices.SortFunc(keys, compareKeys)
		_, err = c.ExecContext(ctx, claimTransfers(keys), push(lease))
		return err
	})
	return claimed, s.db.Answer("claim transfers", err)
}

func keyOf(t *envelope.Transfer) transferKey { return transferKey{id: t.OrderNo, seq: t.Seq} }

func compareKeys(a, b transferKey) int {
	return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.seq, b.seq))
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
