package envelope

import "time"

// Expire ends an envelope's life: what was not taken is refunded, to the fen and
// once (I6). e is the header under its row lock, now the database's clock under
// the same lock. It reports false, and leaves the header as it is, when there is
// nothing to end.
func Expire(e Envelope, now time.Time) (Envelope, bool) {
	if e.State != Active || now.Before(e.ExpiresAt) {
		return e, false
	}
	e.State, e.FinishedAt = Expired, now
	e.Refunded = e.Remaining()
	e.Ver++
	return e, true
}

// Close ends an unpaid envelope. The provider must have closed the
// charge before.
func Close(e Envelope) (Envelope, bool) {
	if e.State != Unpaid {
		return e, false
	}
	e.State = Closed
	e.Ver++
	return e, true
}

// RefundOf is the transfer that brings back what the header says is refunded.
// It reports false when that is nothing.
func RefundOf(e *Envelope) (Transfer, bool) {
	if e.Refunded == 0 {
		return Transfer{}, false
	}
	return Transfer{OrderNo: e.ID, Round: 1, Payee: e.Sender, Amount: e.Refunded, Charged: e.Total, State: Pending}, true
}

// PayoutOf is the transfer that credits a share to its opener.
func PayoutOf(e *Envelope, s Share) Transfer {
	return Transfer{OrderNo: e.ID, Seq: s.Seq, Round: 1, Payee: s.User, Amount: s.Amount, Charged: e.Total, State: Pending}
}
