package decision

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/orderset/layout"
	"hongbao/orderset/owed"
	"hongbao/orderset/setdb"
)

const (
	// What is held is little, and found by its state. What went to the sender once
	// does not go there again.
	selectUnconfirmed = "SELECT " + layout.TransferColumns + " FROM transfer FORCE INDEX (due) WHERE state = 'held' AND batch = '' AND tier IN (0, 1, 2) " +
		"AND due_at <= UTC_TIMESTAMP(3) - INTERVAL ? MICROSECOND AND reason IN (?, ?) AND seq > 0 " +
		"AND (order_id > ? OR order_id = ? AND seq > ?) AND NOT EXISTS (SELECT 1 FROM decision d WHERE d.order_id = transfer.order_id AND d.seq = transfer.seq " +
		"AND d.action = 'return' AND d.state = 'approved') ORDER BY order_id, seq LIMIT ?"

	returnPage = 200

	// byService signs what no person decided; it is no person's name.
	byService = "(service)"
)

// ReturnUnconfirmed has payouts go to the senders of their envelopes that their payees
// have not confirmed in time, nor asked for again in as long as after: the next round
// of each begins, with the sender as its payee. It returns how many that were. One
// that is disputed, about which a proposal stands, or whose envelope's day has been
// moved away, waits for people. Those that fail hold up no others.
func (s *Desk) ReturnUnconfirmed(ctx context.Context, after time.Duration) (returned int, err error) {
	var errs []error
	for last := (layout.TransferKey{}); ; {
		page, senders, err := s.unconfirmed(ctx, after, last)
		if err != nil {
			return returned, errors.Join(append(errs, s.db.Answer("unconfirmed payouts", err))...)
		}
		for i := range page {
			done, err := s.returnOne(ctx, &page[i], senders[page[i].OrderNo])
			if err != nil {
				errs = append(errs, s.db.Answer("return "+page[i].No(), err))
			}
			if done {
				returned++
			}
		}
		if len(page) < returnPage || ctx.Err() != nil {
			return returned, errors.Join(append(errs, ctx.Err())...)
		}
		last = layout.KeyOf(&page[len(page)-1].Transfer)
	}
}

// unconfirmed reads a page of them, with the senders of their envelopes.
func (s *Desk) unconfirmed(ctx context.Context, after time.Duration, last layout.TransferKey) (page []owed.Stored, senders map[envelope.ID]envelope.UserID, err error) {
	ctx, cancel := context.WithTimeout(ctx, setdb.TxMax)
	defer cancel()
	err = mariadb.Each(ctx, s.db, func(rows *sql.Rows) error {
		t, err := layout.ScanTransfer(rows)
		page = append(page, owed.Stored{Transfer: t})
		return err
	}, selectUnconfirmed, after.Microseconds(), envelope.CodeOverdue, envelope.CodeCancelled, last.ID, last.ID, last.Seq, returnPage)
	if err != nil || len(page) == 0 {
		return nil, nil, err
	}
	senders, err = s.senders(ctx, page)
	return page, senders, err
}

// returnOne decides again about one, under its lock: asked for meanwhile, it stays
// with its payee.
func (s *Desk) returnOne(ctx context.Context, seen *owed.Stored, sender envelope.UserID) (done bool, err error) {
	if sender == "" || sender == seen.Payee {
		return false, nil
	}
	err = s.db.TxRepeat(ctx, func(ctx context.Context, c *sql.Conn) error {
		done = false
		m, err := lockMatterOf(ctx, c, layout.KeyOf(&seen.Transfer))
		if err != nil {
			return err
		}
		proposed := m.standing() != nil && !m.standing().lapsed()
		if m.Round != seen.Round || m.Payee != seen.Payee || proposed || m.mayAsk() != "" {
			return nil
		}
		if _, err := s.beginUnconfirmed(ctx, c, m, Proposal{Action: ActionReturn, Payee: sender, By: byService}); err != nil {
			return fmt.Errorf("to its sender: %w", err)
		}
		done = true
		return nil
	})
	return done && err == nil, err
}
