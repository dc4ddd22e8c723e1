package audit

import (
	"context"
	"database/sql"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/reconcile"
)

// batchPage is how many batches are audited at a time: what is in them is some ten
// thousand rows.
const batchPage = 100

// Each is one statement, and so one moment: batches are made and ended whole.
const (
	selectBatchPage = "SELECT b.no, b.count, b.total_fen, COUNT(t.seq), COALESCE(SUM(t.amount_fen), 0) FROM " +
		"(SELECT no, count, total_fen FROM payout_batch WHERE state = 'pending' AND no > ? ORDER BY no LIMIT ?) b " +
		"LEFT JOIN transfer t FORCE INDEX (due) ON t.state = 'pending' AND t.batch = b.no GROUP BY b.no, b.count, b.total_fen ORDER BY b.no"
	selectBatchesOfTransfers = "SELECT t.batch, b.no IS NOT NULL FROM " +
		"(SELECT DISTINCT batch FROM transfer WHERE state = 'pending' AND batch > ? ORDER BY batch LIMIT ?) t " +
		"LEFT JOIN payout_batch b ON b.no = t.batch AND b.state = 'pending' ORDER BY t.batch"
)

// batches holds pending batches to their payouts (I7), and pending payouts to
// their batches: without one they are never carried out.
func (r *review) batches(ctx context.Context) error {
	report := func(no, invariant, format string, args ...any) {
		id, _ := envelope.ParsePayoutBatchNo(no) // "" of a number that is none of ours
		r.report([]reconcile.Difference{violation(invariant, id, format, args...)})
	}
	err := r.auditor.pages(ctx, selectBatchPage, func(rows *sql.Rows) (no string, err error) {
		var count, have int
		var total, sum envelope.Fen
		if err = rows.Scan(&no, &count, &total, &have, &sum); err != nil {
			return no, err
		}
		if count != have || total != sum {
			report(no, "I7", "batch %s is of %d payouts, %d fen; in it are %d, %d fen", no, count, total, have, sum)
		}
		return no, nil
	})
	if err != nil {
		return err
	}
	return r.auditor.pages(ctx, selectBatchesOfTransfers, func(rows *sql.Rows) (no string, err error) {
		var there bool
		if err = rows.Scan(&no, &there); err == nil && !there {
			report(no, "C3", "payouts are pending in batch %s, which is not", no)
		}
		return no, err
	})
}

const selectBatches = "SELECT no, total_fen, state = 'ended' AND approved_by IS NULL FROM payout_batch WHERE no > ? ORDER BY no LIMIT ?"

// Batches visits every batch of payouts of the SET, in the order of their numbers.
// One that was dissolved has not ended: the provider never had it.
func (a *Auditor) Batches(ctx context.Context, visit func(no string, total envelope.Fen, ended bool)) error {
	return a.pages(ctx, selectBatches, func(rows *sql.Rows) (no string, err error) {
		var total envelope.Fen
		var ended bool
		if err = rows.Scan(&no, &total, &ended); err == nil {
			visit(no, total, ended)
		}
		return no, err
	})
}

// pages reads a query page by page; row says how far it has come.
func (a *Auditor) pages(ctx context.Context, query string, row func(*sql.Rows) (string, error)) error {
	last := ""
	for n := batchPage; n == batchPage; {
		n = 0
		err := mariadb.Each(ctx, a.db, func(rows *sql.Rows) (err error) {
			n++
			last, err = row(rows)
			return err
		}, query, last, batchPage)
		if err != nil {
			return err
		}
	}
	return nil
}
