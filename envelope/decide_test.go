package envelope

import (
	"errors"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// halfOpened is a lucky envelope of 1000 fen and 4 shares, 2 of them taken.
func halfOpened() (Envelope, Seed, holders) {
	e, seed := paid(luckyOrder(1000, 4), DefaultLimits())
	held := holders{}
	e, openings := Decide(e, seed, []UserID{"amy", "ben"}, held.had, e.PaidAt)
	held.keep(openings)
	return e, seed, held
}

func TestOpenerWithoutAShareGetsTheState(t *testing.T) {
	before, after := noon().Add(time.Hour), noon().Add(25*time.Hour)
	for _, row := range []struct {
		name   string
		state  State
		opened int
		now    time.Time
		open   Outcome
		err    error
		grab   Outcome
	}{
		{"unpaid", Unpaid, 0, before, "", ErrNotActive, NotPaid},
		{"unpaid, a day later", Unpaid, 0, after, "", ErrNotActive, NotPaid},
		{"active", Active, 2, before, Opened, nil, Openable},
		{"active, its life over", Active, 2, after, TooLate, nil, TooLate},
		{"empty", Empty, 4, before, Drained, nil, Drained},
		{"empty, a day later", Empty, 4, after, Drained, nil, Drained},
		{"expired", Expired, 2, after, TooLate, nil, TooLate},
		{"expired, by a clock that is behind", Expired, 2, before, TooLate, nil, TooLate},
		{"settled after it was empty", Settled, 4, after, Drained, nil, Drained},
		{"settled after it expired", Settled, 2, after, TooLate, nil, TooLate},
		{"settled, by a clock that is behind", Settled, 2, before, TooLate, nil, TooLate},
		{"closed", Closed, 0, before, "", ErrNotActive, TooLate},
	} {
		t.Run(row.name, func(t *testing.T) {
			e, seed, held := halfOpened()
			e.State, e.OpenedCount = row.state, row.opened
			next, openings := Decide(e, seed, []UserID{"cat"}, held.had, row.now)
			if got := openings[0]; got.Outcome != row.open || !errors.Is(got.Err, row.err) || (got.Share == Share{}) == (row.open == Opened) {
				t.Errorf("open: have %+v, want %q, error %v", got, row.open, row.err)
			}
			if row.open != Opened && next != e {
				t.Errorf("nobody got a share, the header changed:\n%s", cmp.Diff(e, next))
			}
			if got, err := Peek(&e, false, "cat", row.now); got != row.grab || err != nil {
				t.Errorf("grab: have %q, %v, want %q", got, err, row.grab)
			}
			if got, err := Peek(&e, true, "amy", row.now); got != AlreadyOpened || err != nil {
				t.Errorf("grab by a holder: have %q, %v", got, err)
			}
		})
	}
}

func TestHolderGetsTheSameShareForEver(t *testing.T) {
	for _, state := range allStates() {
		for _, now := range []time.Time{noon(), noon().Add(1000 * time.Hour)} {
			e, seed, held := halfOpened()
			e.State = state
			next, openings := Decide(e, seed, []UserID{"ben", "amy", "ben"}, held.had, now)
			want := []Opening{{Outcome: AlreadyOpened, Share: held["ben"]}, {Outcome: AlreadyOpened, Share: held["amy"]}, {Outcome: AlreadyOpened, Share: held["ben"]}}
			if diff := cmp.Diff(want, openings); diff != "" {
				t.Errorf("%s: (-want +have)\n%s", state, diff)
			}
			if next != e {
				t.Errorf("%s: the header changed:\n%s", state, cmp.Diff(e, next))
			}
		}
	}
}

func TestSharesGoInOrderOfArrival(t *testing.T) {
	e, seed := paid(luckyOrder(1000, 3), DefaultLimits())
	now := e.PaidAt.Add(time.Second)
	amounts := split(seed, 1000, 3, e.ShareMax)
	next, openings := Decide(e, seed, []UserID{"cat", "amy", "cat", "ben", "dan", "amy"}, nobody, now)
	cat, amy, ben := Share{1, "cat", amounts[0], now}, Share{2, "amy", amounts[1], now}, Share{3, "ben", amounts[2], now}
	if diff := cmp.Diff([]Opening{
		{Outcome: Opened, Share: cat}, {Outcome: Opened, Share: amy}, {Outcome: AlreadyOpened, Share: cat},
		{Outcome: Opened, Share: ben}, {Outcome: Drained}, {Outcome: AlreadyOpened, Share: amy},
	}, openings); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
	want := e
	want.State, want.Ver, want.Opened, want.OpenedCount, want.FinishedAt = Empty, e.Ver+1, 1000, 3, now
	if diff := cmp.Diff(want, next); diff != "" {
		t.Errorf("the header: (-want +have)\n%s", diff)
	}
}

func TestEnvelopeWithSharesLeftStaysActive(t *testing.T) {
	e, seed := paid(luckyOrder(1000, 3), DefaultLimits())
	next, openings := Decide(e, seed, []UserID{"amy", "ben"}, nobody, e.PaidAt)
	want := e
	want.Ver, want.Opened, want.OpenedCount = e.Ver+1, openings[0].Share.Amount+openings[1].Share.Amount, 2
	if diff := cmp.Diff(want, next); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
	if next.Remaining() != 1000-next.Opened || next.SharesLeft() != 1 {
		t.Errorf("%d fen and %d shares left", next.Remaining(), next.SharesLeft())
	}
}

func TestNoOpenersChangeNothing(t *testing.T) {
	e, seed := paid(luckyOrder(1000, 3), DefaultLimits())
	next, openings := Decide(e, seed, nil, nobody, e.PaidAt)
	if next != e || len(openings) != 0 {
		t.Errorf("have %+v, %+v", next, openings)
	}
}

func TestExpiryIsExact(t *testing.T) {
	for _, row := range []struct {
		name string
		late time.Duration
		want Outcome
	}{{"a nanosecond before", -1, Opened}, {"at the instant", 0, TooLate}, {"a nanosecond after", 1, TooLate}} {
		t.Run(row.name, func(t *testing.T) {
			e, seed := paid(equalOrder(10, 3), DefaultLimits())
			next, openings := Decide(e, seed, []UserID{"amy"}, nobody, e.ExpiresAt.Add(row.late))
			if openings[0].Outcome != row.want {
				t.Errorf("have %q, want %q", openings[0].Outcome, row.want)
			}
			if next.State != Active {
				t.Errorf("opening moved the envelope to %s: the sweep does that, with its refund (I6)", next.State)
			}
		})
	}
}

func TestEqualSharesAreEqual(t *testing.T) {
	e, _, shares := finished(equalOrder(123, 7), DefaultLimits())
	for _, s := range shares {
		if s.Amount != 123 {
			t.Errorf("share %d: have %d fen, want 123", s.Seq, s.Amount)
		}
	}
	if len(shares) != 7 || e.State != Empty || e.Remaining() != 0 {
		t.Errorf("%d shares, %s, %d fen left", len(shares), e.State, e.Remaining())
	}
}

func TestExclusiveIsForItsRecipientOnly(t *testing.T) {
	for _, state := range allStates() {
		e, seed := paid(exclusiveOrder(520), DefaultLimits())
		e.State = state
		next, openings := Decide(e, seed, []UserID{"eve", "ann", "bobb", "Bob", ""}, nobody, e.PaidAt)
		for i, o := range openings {
			if !errors.Is(o.Err, ErrNotFound) || o.Outcome != "" || o.Share != (Share{}) {
				t.Errorf("%s, opener %d: have %+v, want ErrNotFound", state, i, o)
			}
		}
		if next != e {
			t.Errorf("%s: the header changed:\n%s", state, cmp.Diff(e, next))
		}
		if got, err := Peek(&e, false, "eve", e.PaidAt); got != "" || !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: grab by another: have %q, %v", state, got, err)
		}
	}
	e, seed := paid(exclusiveOrder(520), DefaultLimits())
	e, openings := Decide(e, seed, []UserID{"eve", "bob", "eve", "bob"}, nobody, e.PaidAt)
	want := Share{Seq: 1, User: "bob", Amount: 520, OpenedAt: e.PaidAt}
	if diff := cmp.Diff([]Opening{{Err: ErrNotFound}, {Outcome: Opened, Share: want}, {Err: ErrNotFound}, {Outcome: AlreadyOpened, Share: want}},
		openings, cmpopts.EquateErrors()); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
	if e.State != Empty || e.Remaining() != 0 {
		t.Errorf("%s with %d fen left", e.State, e.Remaining())
	}
}

func TestImpossibleHeaderPaysNothing(t *testing.T) {
	for name, spoil := range map[string]func(*Envelope){
		"more opened than paid":        func(e *Envelope) { e.Opened = e.Total + 1 },
		"too little for those to come": func(e *Envelope) { e.Opened = e.Total - 1 },
		"refunded while active":        func(e *Envelope) { e.Refunded = e.Remaining() },
		"more than the shares hold":    func(e *Envelope) { e.Total = 80001; e.Opened = 0; e.OpenedCount = 0 },
		"money out of nowhere":         func(e *Envelope) { e.Opened = math.MinInt64 / 2 },
	} {
		t.Run(name, func(t *testing.T) {
			e, seed, held := halfOpened()
			spoil(&e)
			wantPanic(t, func() { Decide(e, seed, []UserID{"cat"}, held.had, e.PaidAt) })
		})
	}
}

// TestABatchIsASequenceOfSingles cuts random batches anywhere, down to single
// openers: the answers are the same, and the header but for Ver, which counts
// the transactions that gave something.
func TestABatchIsASequenceOfSingles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLimits(t)
		start, seed := paid(drawOrder(t, l), l)
		openers := rapid.SliceOfN(rapid.Custom(drawUser), 0, 60).Draw(t, "openers")
		now := start.PaidAt.Add(l.Life * time.Duration(rapid.IntRange(0, 2).Draw(t, "half lives")) / 2)
		whole, answers := Decide(start, seed, openers, nobody, now)

		e, held, given := start, holders{}, int64(0)
		var have []Opening
		for i := 0; i < len(openers); {
			n := rapid.IntRange(1, len(openers)-i).Draw(t, "cut")
			next, openings := Decide(e, seed, openers[i:i+n], held.had, now)
			if next.OpenedCount > e.OpenedCount {
				given++
			}
			held.keep(openings)
			have, e, i = append(have, openings...), next, i+n
		}
		if diff := cmp.Diff(answers, have, cmpopts.EquateErrors(), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("the answers differ: (-whole +cut)\n%s", diff)
		}
		if e.Ver != start.Ver+given || whole.Ver != start.Ver+min(given, 1) {
			t.Fatalf("from ver %d: whole batch %d, cut into %d that gave: %d", start.Ver, whole.Ver, given, e.Ver)
		}
		e.Ver = whole.Ver
		if e != whole {
			t.Fatalf("the headers differ: (-whole +cut)\n%s", cmp.Diff(whole, e))
		}
	})
}

// drawUser is one of forty, bob among them, so that openers come twice.
func drawUser(t *rapid.T) UserID {
	if n := rapid.IntRange(0, 40).Draw(t, "user"); n > 0 {
		return UserID("user-" + strconv.Itoa(n))
	}
	return "bob"
}
