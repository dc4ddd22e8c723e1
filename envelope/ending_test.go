package envelope

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestExpiryRefundsExactlyTheRest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLimits(t)
		e, seed := paid(drawOrder(t, l), l)
		openers := crowd(rapid.IntRange(0, e.Count-1).Draw(t, "openers"))
		if e.Kind == Exclusive {
			openers = nil
		}
		e, openings := Decide(e, seed, openers, nobody, e.PaidAt)
		taken := Fen(0)
		for _, o := range openings {
			taken += o.Share.Amount
		}
		ended, ok := Expire(e, e.ExpiresAt)
		if !ok || ended.State != Expired || ended.Refunded != e.Total-taken || ended.Remaining() != 0 || ended.Opened != taken {
			t.Fatalf("%d paid, %d taken: %+v (I1, I6)", e.Total, taken, ended)
		}
		if ended.Ver != e.Ver+1 || ended.FinishedAt != e.ExpiresAt || !e.State.CanBecome(ended.State) {
			t.Fatalf("from %s to %+v (I8)", e.State, ended)
		}
		refund, ok := RefundOf(&ended)
		if !ok || refund.Amount != e.Total-taken || refund.Charged != e.Total || refund.Payee != e.Sender || !refund.IsRefund() || refund.No() != string(e.ID)+"R" {
			t.Fatalf("the refund is %+v", refund)
		}
		if again, ok := Expire(ended, e.ExpiresAt.Add(time.Hour)); ok || again != ended {
			t.Fatalf("it expired twice: %+v (I6)", again)
		}
	})
}

func TestExpiryIsAtItsTimeAndNotBefore(t *testing.T) {
	e, _ := paid(luckyOrder(1000, 5), DefaultLimits())
	for _, before := range []time.Duration{time.Nanosecond, time.Millisecond, time.Hour} {
		if got, ok := Expire(e, e.ExpiresAt.Add(-before)); ok || got != e {
			t.Errorf("%v before its time: %+v", before, got)
		}
	}
	if _, ok := Expire(e, e.ExpiresAt); !ok {
		t.Error("not at its time")
	}
}

// An open and the expiry agree on the instant: one of them has it (FG12).
func TestNoInstantIsBothOpenAndExpired(t *testing.T) {
	e, seed := paid(luckyOrder(1000, 5), DefaultLimits())
	for _, at := range []time.Duration{-2, -1, 0, 1, 2} {
		now := e.ExpiresAt.Add(at)
		_, openings := Decide(e, seed, []UserID{"bob"}, nobody, now)
		if _, expires := Expire(e, now); expires == (openings[0].Outcome == Opened) {
			t.Errorf("%v from its end: expires %t, open answers %s", at, expires, openings[0].Outcome)
		}
	}
}

func TestOnlyWhatCanEndEnds(t *testing.T) {
	e, _ := paid(luckyOrder(1000, 5), DefaultLimits())
	late := e.ExpiresAt.Add(time.Hour)
	for _, s := range []State{Unpaid, Empty, Expired, Settled, Closed} {
		if e.State = s; s != Active {
			if got, ok := Expire(e, late); ok || got != e {
				t.Errorf("%s expired: %+v", s, got)
			}
		}
	}
	for _, s := range []State{Active, Empty, Expired, Settled, Closed} {
		e.State = s
		if got, ok := Close(e); ok || got != e {
			t.Errorf("%s closed: %+v", s, got)
		}
	}
}

func TestEveryShareIsPaidOutToItsOpener(t *testing.T) {
	e, _, shares := finished(luckyOrder(1000, 5), DefaultLimits())
	sum, numbers := Fen(0), map[string]bool{}
	for _, s := range shares {
		p := PayoutOf(&e, s)
		if p.Payee != s.User || p.Seq != s.Seq || p.Round != 1 || p.State != Pending || p.Charged != e.Total || p.IsRefund() {
			t.Errorf("%+v is paid out as %+v", s, p)
		}
		sum += p.Amount
		numbers[p.No()] = true
	}
	if sum != e.Total || len(numbers) != len(shares) {
		t.Errorf("%d fen under %d numbers for %d shares of %d fen", sum, len(numbers), len(shares), e.Total)
	}
}
