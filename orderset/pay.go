package orderset

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"hongbao/envelope"
)

// Pay makes an unpaid envelope active by a conditional update; zero rows is an
// answer, and reading the row says which one.
func (s *Set) Pay(ctx context.Context, p envelope.Payment) (envelope.Envelope, error) {
	t := TableOf(p.OrderNo)
	var moved int64
	err := s.inTxAgain(ctx, func(ctx context.Context, c *sql.Conn) error {
		res, err := c.ExecContext(ctx, t.updatePaid(), p.TransactionID, p.OrderNo, p.Amount)
		if err != nil {
			return err
		}
		moved, err = res.RowsAffected()
		return err
	})
	if isDuplicate(err) {
		return envelope.Envelope{}, fmt.Errorf("transaction %s has paid another envelope than %s: %w", p.TransactionID, p.OrderNo, envelope.ErrPaymentMismatch)
	}
	if err != nil && !errors.Is(err, errCommitUnknown) {
		return envelope.Envelope{}, s.answer("pay "+string(p.OrderNo), err)
	}
	if s.memory != nil {
		s.memory.forget(p.OrderNo)
	}
	e, now, readErr := s.header(ctx, s.db, p.OrderNo)
	switch {
	case readErr != nil:
		return e, s.answer("pay "+string(p.OrderNo), errors.Join(readErr, err))
	case e.TransactionID == p.TransactionID && e.Total == p.Amount:
		// Moved now, or a repeat of the same payment.
		if s.memory != nil && e.OpenedCount == 0 {
			// Its first opener finds it warm. With a wrong draw key that is the
			// one to hear of it: the payment has been taken.
			_, _ = s.remember(envelope.Snapshot{Envelope: e, Now: now})
		}
		return e, nil
	case err != nil:
		return e, s.answer("pay "+string(p.OrderNo), err)
	case moved == 1:
		return e, fmt.Errorf("SET %v: envelope %s was paid but does not read so", s.number, p.OrderNo)
	}
	return e, fmt.Errorf("payment %s of %d fen for envelope %s, which is %s and wants %d fen: %w",
		p.TransactionID, p.Amount, p.OrderNo, e.State, e.Total, envelope.ErrPaymentMismatch)
}
