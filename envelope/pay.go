package envelope

import "time"

// PayClockSkewMax is how far the provider's clock may be off ours.
const PayClockSkewMax = 5 * time.Minute

// Pay is the envelope after a payment of what it asks for: active, or, when it
// was closed meanwhile, closed still with all of the money on its way back. e is
// the header under its row lock, now the database's clock under the same lock. It
// reports false, and leaves the header as it is, when the payment is not what the
// envelope waits for.
//
// PaidAt is the provider's time of the payment. The life is counted from now
// instead: a notification that was hours on its way must not cost the openers
// theirs.
func Pay(e Envelope, p Payment, now time.Time) (Envelope, bool) {
	if e.State != Unpaid && e.State != Closed || e.TransactionID != "" || p.Amount != e.Total {
		return e, false
	}
	life := e.ExpiresAt.Sub(e.CreatedAt)
	e.TransactionID = p.TransactionID
	e.PaidAt, _ = p.paidAt(&e, now)
	if e.State == Closed {
		e.Refunded = e.Total
	} else {
		e.State, e.ExpiresAt = Active, now.Add(life)
	}
	e.Ver++
	return e, true
}

// Plausible reports whether the provider's time of the payment can be one of e,
// up to [PayClockSkewMax]: not before it was sent, not after now.
func (p Payment) Plausible(e *Envelope, now time.Time) bool {
	_, plausible := p.paidAt(e, now)
	return plausible
}

// paidAt is when e was paid: always between the send and now, so that what is
// recorded keeps its order whatever the provider's clock. A time that can not be
// the payment's is replaced by now, its arrival.
func (p Payment) paidAt(e *Envelope, now time.Time) (at time.Time, plausible bool) {
	if p.PaidAt.Before(e.CreatedAt.Add(-PayClockSkewMax)) || p.PaidAt.After(now.Add(PayClockSkewMax)) {
		return now, false
	}
	if at = p.PaidAt.Truncate(time.Millisecond); at.Before(e.CreatedAt) { // the provider's times have no fractions of a second
		at = e.CreatedAt
	}
	if at.After(now) {
		at = now
	}
	return at, true
}
