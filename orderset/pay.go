package orderset

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/orderset/layout"
	"hongbao/orderset/owed"
	"hongbao/orderset/setdb"
)

// Pay makes an unpaid envelope active. A payment for an envelope that was
// closed meanwhile is owed back to the sender, in the same transaction (FF11):
// the envelope comes back closed. A payment that does not match changes nothing
// and is kept as a dispute (FF5); so is one that has paid for another envelope of
// the SET (FS13).
func (s *Set) Pay(ctx context.Context, p envelope.Payment) (envelope.Envelope, error) {
	var moved bool
	err := s.db.TxAgain(ctx, func(ctx context.Context, c *sql.Conn) (err error) {
		moved, err = s.pay(ctx, c, p)
		return err
	})
	if mariadb.Duplicate(err) {
		return envelope.Envelope{}, s.paidAnother(ctx, p)
	}
	if err != nil && !errors.Is(err, mariadb.ErrCommitUnknown) {
		return envelope.Envelope{}, s.db.Answer("pay "+string(p.OrderNo), err)
	}
	if moved {
		s.owed.Touch()
	}
	known, asked := s.memory.Load(), s.now()
	known.Forget(p.OrderNo)
	e, now, readErr := s.header(ctx, s.db, p.OrderNo)
	if moved && readErr == nil {
		s.flows.paidIn(&e, p.Amount)
	}
	switch {
	case readErr != nil:
		return e, s.db.Answer("pay "+string(p.OrderNo), errors.Join(readErr, err))
	case e.TransactionID == p.TransactionID && e.Total == p.Amount:
		// Moved now, or a repeat of the same payment.
		if known != nil && e.OpenedCount == 0 {
			// Its first opener finds it warm. With a wrong draw key that is the
			// one to hear of it: the payment has been taken.
			_, _ = s.remember(known, envelope.Snapshot{Envelope: e, Now: now}, asked)
		}
		return e, nil
	case err != nil:
		return e, s.db.Answer("pay "+string(p.OrderNo), err)
	case moved:
		return e, fmt.Errorf("SET %v: envelope %s was paid but does not read so", s.Number(), p.OrderNo)
	}
	return e, s.owed.DisputePayment(ctx, p, fmt.Errorf("payment %s of %d fen for envelope %s, which wants %d fen and has been paid by %q: %w",
		p.TransactionID, p.Amount, p.OrderNo, e.Total, e.TransactionID, envelope.ErrPaymentMismatch))
}

// pay is the body of the transaction. It reports whether the envelope has moved.
func (s *Set) pay(ctx context.Context, c *sql.Conn, p envelope.Payment) (moved bool, err error) {
	e, now, err := s.locked(ctx, c, p.OrderNo)
	if err != nil {
		return false, err
	}
	next, moved := envelope.Pay(e, p, now)
	if !moved {
		return false, nil
	}
	if !p.Plausible(&e, now) {
		s.log.Warn("the provider's time of a payment cannot be true, its arrival is recorded", "order_no", e.ID, "success_time", p.PaidAt, "arrived", now)
	}
	t := layout.TableOf(e.ID)
	if next.State == envelope.Active {
		err = setdb.Move(ctx, c, updatePaid(t), next.Ver, next.TransactionID, next.PaidAt, next.ExpiresAt, e.ID, e.Ver)
	} else {
		err = setdb.Move(ctx, c, updatePaidLate(t), next.Ver, next.TransactionID, next.PaidAt, next.Refunded, e.ID, e.Ver)
	}
	if err == nil {
		err = owed.InsertRefund(ctx, c, &next)
	}
	if err != nil {
		return false, err
	}
	// Envelopes are one table a digit and a day, payments one a SET: its key
	// refuses a number that has paid for any of them.
	if _, err := c.ExecContext(ctx, insertPayment, p.TransactionID, p.OrderNo); err != nil {
		return false, err
	}
	return true, owed.Enqueue(ctx, c, p.OrderNo)
}

// paidAnother is the answer to a payment whose number has paid for an envelope
// before.
func (s *Set) paidAnother(ctx context.Context, p envelope.Payment) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), setdb.TxMax)
	defer cancel()
	var paid envelope.ID
	if err := s.db.QueryRowContext(ctx, selectPaidBy, p.TransactionID).Scan(&paid); err != nil {
		return s.db.Answer("pay "+string(p.OrderNo), err)
	}
	return s.owed.DisputePayment(ctx, p, fmt.Errorf("transaction %s has paid envelope %s and is said to pay %s too: %w",
		p.TransactionID, paid, p.OrderNo, envelope.ErrPaymentMismatch))
}
