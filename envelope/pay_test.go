package envelope

import (
	"testing"
	"time"
)

// FF11: a payment after the close makes a refund of all of it.
func TestPaymentAfterCloseIsRefundedWhole(t *testing.T) {
	e, _ := sent(luckyOrder(1000, 5), DefaultLimits())
	if _, ok := RefundOf(&e); ok {
		t.Fatal("an unpaid envelope owes a refund")
	}
	closed, ok := Close(e)
	if !ok || closed.State != Closed || closed.Ver != e.Ver+1 || closed.Refunded != 0 {
		t.Fatalf("%+v", closed)
	}
	now := e.CreatedAt.Add(time.Hour)
	p := Payment{OrderNo: e.ID, TransactionID: "tx-1", Amount: 1000, PaidAt: now}
	late, ok := Pay(closed, p, now)
	if !ok || late.State != Closed || late.Refunded != 1000 || late.Remaining() != 0 || late.TransactionID != "tx-1" || late.PaidAt != now || late.Ver != closed.Ver+1 {
		t.Fatalf("%+v", late)
	}
	if refund, ok := RefundOf(&late); !ok || refund.Amount != 1000 || refund.Payee != e.Sender {
		t.Fatalf("%+v", refund)
	}
	p.TransactionID = "tx-2"
	if again, ok := Pay(late, p, now); ok || again != late {
		t.Errorf("paid late twice: %+v", again)
	}
	p.Amount = 999
	if got, ok := Pay(closed, p, now); ok || got != closed {
		t.Errorf("another amount: %+v", got)
	}
}

// The time of a payment is the provider's, as far as it can be true (FS15).
func TestPaidAtIsTheProvidersTime(t *testing.T) {
	e, _ := sent(luckyOrder(1000, 5), DefaultLimits())
	e.CreatedAt = e.CreatedAt.Add(700 * time.Millisecond)
	e.ExpiresAt = e.CreatedAt.Add(24 * time.Hour)
	arrival := e.CreatedAt.Add(2 * time.Hour)
	for name, c := range map[string]struct {
		said, want time.Time
		plausible  bool
	}{
		"long before its notification came":       {arrival.Add(-time.Hour), arrival.Add(-time.Hour), true},
		"just now":                                {arrival, arrival, true},
		"in another zone":                         {arrival.Add(-time.Minute).In(time.FixedZone("", 8*3600)), arrival.Add(-time.Minute), true},
		"finer than a row keeps":                  {arrival.Add(-time.Nanosecond), arrival.Add(-time.Millisecond), true},
		"in the second of the send":               {e.CreatedAt.Truncate(time.Second), e.CreatedAt, true},
		"before the send, by a clock that is off": {e.CreatedAt.Add(-PayClockSkewMax), e.CreatedAt, true},
		"after now, by a clock that is off":       {arrival.Add(PayClockSkewMax), arrival, true},
		"long before the send":                    {e.CreatedAt.Add(-PayClockSkewMax - 1), arrival, false},
		"long after now":                          {arrival.Add(PayClockSkewMax + 1), arrival, false},
		"never":                                   {time.Time{}, arrival, false},
		"in another century":                      {arrival.AddDate(100, 0, 0), arrival, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := Payment{OrderNo: e.ID, TransactionID: "tx-1", Amount: 1000, PaidAt: c.said}
			for _, before := range []Envelope{e, closed(e)} {
				next, ok := Pay(before, p, arrival)
				if !ok || !next.PaidAt.Equal(c.want) || next.Ver != before.Ver+1 || next.TransactionID != "tx-1" {
					t.Errorf("%s: paid at %v, %t, want %v", before.State, next.PaidAt, ok, c.want)
				}
				// Its openers have the whole life, however late the news of the payment.
				if next.State == Active && next.ExpiresAt != arrival.Add(24*time.Hour) {
					t.Errorf("it expires at %v, want a day after %v", next.ExpiresAt, arrival)
				}
			}
			if got := p.Plausible(&e, arrival); got != c.plausible {
				t.Errorf("plausible: %t", got)
			}
		})
	}
}

// A send that was stamped by a clock ahead of the database's is still not paid
// after it becomes active: every share is opened later than that.
func TestPaidAtIsNeverAfterActivation(t *testing.T) {
	e, _ := sent(luckyOrder(1000, 5), DefaultLimits())
	now := e.CreatedAt.Add(-time.Second)
	if next, ok := Pay(e, Payment{OrderNo: e.ID, TransactionID: "tx", Amount: 1000, PaidAt: now}, now); !ok || next.PaidAt != now {
		t.Errorf("paid at %v, want %v", next.PaidAt, now)
	}
}

func closed(e Envelope) Envelope {
	e, _ = Close(e)
	return e
}

// The notification of a payment in the old year may come in the new one: the
// book is that of the payment.
func TestTheYearOfABookIsThatOfThePayment(t *testing.T) {
	e, _ := sent(luckyOrder(1000, 5), DefaultLimits())
	e.CreatedAt = time.Date(2026, 12, 31, 15, 58, 0, 0, time.UTC) // 23:58 of the business day
	said := e.CreatedAt.Add(time.Minute + 59*time.Second)
	next, _ := Pay(e, Payment{OrderNo: e.ID, TransactionID: "tx", Amount: 1000, PaidAt: said}, e.CreatedAt.Add(time.Hour))
	if year := BookYear(next.PaidAt); year != 2026 || next.PaidAt != said {
		t.Errorf("paid at %v, in the book of %d", next.PaidAt, year)
	}
}
