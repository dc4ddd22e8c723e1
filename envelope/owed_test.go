package envelope

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// lives lists what one envelope looks like after each of its commits, with all
// shares, in order.
func lives(t *rapid.T) []Statement {
	l := drawLimits(t)
	l.CountMax = min(l.CountMax, 12)
	e, seed := sent(drawOrder(t, l), l)
	all := []Statement{{Snapshot: Snapshot{Envelope: e}}}
	commit := func(e Envelope, shares []Share, r Refund) {
		all = append(all, Statement{Snapshot: Snapshot{Envelope: e, Shares: slices.Clone(shares)}, Refund: r})
	}
	e.State, e.PaidAt, e.ExpiresAt = Active, noon(), noon().Add(l.Life)
	commit(e, nil, Refund{})
	var shares []Share
	for _, u := range crowd(rapid.IntRange(0, e.Count).Draw(t, "openers")) {
		if e.Kind == Exclusive {
			u = e.Recipient
		}
		next, openings := Decide(e, seed, []UserID{u}, nobody, noon())
		e, shares = next, append(shares, openings[0].Share)
		commit(e, shares, Refund{})
	}
	if next, ok := Expire(e, e.ExpiresAt); ok {
		e = next
		commit(e, shares, Refund{})
	}
	if e.State.Finished() && e.Refunded > 0 {
		commit(e, shares, Refund{Amount: e.Refunded, PostedAt: noon().Add(time.Hour)})
		e.State = Settled
		commit(e, shares, Refund{Amount: e.Refunded, PostedAt: noon().Add(time.Hour)})
	}
	return all
}

// asRead is the statement as the store reads it for a receiver: the shares after
// the cursor, and all of them once it is finished.
func asRead(s Statement, at Cursor) Statement {
	if !s.Envelope.State.Finished() {
		s.Shares = slices.DeleteFunc(slices.Clone(s.Shares), func(sh Share) bool { return sh.Seq <= at.Seq })
	}
	return s
}

// tell tells a receiver everything, stopping for breath at the moments given,
// and lists each fact it hears, shares one by one.
func tell(t *rapid.T, life []Statement, moments []int) (heard []string, at Cursor) {
	for _, m := range moments {
		s := asRead(life[m], at)
		facts, next := Owed(&s, at)
		for _, f := range facts {
			if f.Kind == FactOpened {
				for _, sh := range f.Shares {
					heard = append(heard, "share "+TransferNo(f.Envelope.ID, sh.Seq, 1)+" "+string(sh.User)+" "+sh.Amount.String())
				}
				continue
			}
			heard = append(heard, string(f.Kind))
			if f.Kind == FactFinished && (len(f.Shares) != len(life[m].Shares) || f.BestLuck != BestLuck(&f.Envelope, life[m].Shares)) {
				t.Fatalf("finished with %d of %d shares, best luck %d", len(f.Shares), len(life[m].Shares), f.BestLuck)
			}
			if f.Kind == FactRefunded && (f.Refund.Amount != f.Envelope.Refunded || f.Refund.PostedAt.IsZero()) {
				t.Fatalf("refunded %+v of %d fen", f.Refund, f.Envelope.Refunded)
			}
		}
		if next.Stage < at.Stage || next.Seq < at.Seq {
			t.Fatalf("the cursor went back from %+v to %+v", at, next)
		}
		at = next
		if facts, same := Owed(&s, at); len(facts) != 0 || same != at {
			t.Fatalf("told all, and %d facts are owed", len(facts))
		}
	}
	return heard, at
}

func TestFactsAreTheSameInAnySteps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		life := lives(t)
		var every, some []int
		for m := range life {
			every = append(every, m)
			for range rapid.IntRange(0, 2).Draw(t, "tellings") { // not at all, once, twice the same
				some = append(some, m)
			}
		}
		some = append(some, len(life)-1)
		want, end := tell(t, life, every)
		got, at := tell(t, life, some)
		if !slices.Equal(got, want) || at != end {
			t.Fatalf("in steps %v: %q up to %+v\nin all: %q up to %+v", some, got, at, want, end)
		}
		last := life[len(life)-1]
		if want[0] != string(FactActive) || end.Seq != len(last.Shares) {
			t.Fatalf("%q up to %+v of %d shares", want, end, len(last.Shares))
		}
	})
}

func TestUnpaidEnvelopeHasNoFacts(t *testing.T) {
	e, _ := sent(luckyOrder(1000, 5), DefaultLimits())
	closed, _ := Close(e)
	for _, e := range []Envelope{e, closed} {
		if facts, at := Owed(&Statement{Snapshot: Snapshot{Envelope: e}}, Cursor{}); len(facts) != 0 || at != (Cursor{}) {
			t.Errorf("%s: %+v up to %+v", e.State, facts, at)
		}
	}
}

// FF11: a payment after the close gives no fact but its refund, once.
func TestLatePaymentOnlyGivesARefundFact(t *testing.T) {
	e, _ := sent(luckyOrder(1000, 5), DefaultLimits())
	e, _ = Close(e)
	e, _ = Pay(e, Payment{OrderNo: e.ID, TransactionID: "tx", Amount: 1000}, noon())
	s := Statement{Snapshot: Snapshot{Envelope: e}}
	facts, at := Owed(&s, Cursor{})
	if len(facts) != 0 || at != (Cursor{}) {
		t.Fatalf("before the refund: %+v up to %+v", facts, at)
	}
	s.Refund = Refund{Amount: 1000, PostedAt: noon()}
	facts, at = Owed(&s, at)
	if len(facts) != 1 || facts[0].Kind != FactRefunded || at.Stage != StageRefunded {
		t.Fatalf("after it: %+v up to %+v", facts, at)
	}
	if facts, _ := Owed(&s, at); len(facts) != 0 {
		t.Errorf("told twice: %+v", facts)
	}
}

func TestStatementIsCutAtTheCursor(t *testing.T) {
	e, _, shares := finished(luckyOrder(1000, 5), DefaultLimits())
	s := Statement{Snapshot: Snapshot{Envelope: e, Shares: shares}}
	facts, at := Owed(&s, Cursor{Stage: StageActive, Seq: 3})
	if len(facts) != 2 || len(facts[0].Shares) != 2 || facts[0].Shares[0].Seq != 4 || len(facts[1].Shares) != 5 {
		t.Fatalf("%+v", facts)
	}
	if at != (Cursor{StageFinished, 5}) {
		t.Errorf("up to %+v", at)
	}
}
