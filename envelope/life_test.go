package envelope

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// life is one envelope under random hands, with what the database would hold
// beside the header. It expires, settles, pays and closes as orderset does;
// only taking shares is Decide's.
type life struct {
	e        Envelope
	seed     Seed
	limits   Limits
	now      time.Time
	held     holders
	shares   []Share
	previous Envelope
}

func TestInvariantsHoldAllLife(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := drawLimits(t)
		limits.CountMax = min(limits.CountMax, 30)
		l := &life{limits: limits, now: noon(), held: holders{}}
		l.e, l.seed = sent(drawOrder(t, limits), limits)
		l.previous = l.e
		t.Repeat(map[string]func(*rapid.T){
			"pay": l.pay, "close": l.close, "open": l.open, "open again": l.openAgain,
			"wait": l.wait, "sweep": l.sweep, "settle": l.settle, "": l.check,
		})
	})
}

func (l *life) pay(t *rapid.T) {
	if l.e.State == Unpaid {
		l.e.State, l.e.PaidAt, l.e.ExpiresAt = Active, l.now, l.now.Add(l.limits.Life)
		l.e.Ver++
	}
}

func (l *life) close(t *rapid.T) {
	if l.e.State == Unpaid && rapid.IntRange(0, 9).Draw(t, "closes at 0") == 0 {
		l.e.State = Closed
		l.e.Ver++
	}
}

func (l *life) open(t *rapid.T) {
	openers := rapid.SliceOfN(rapid.Custom(drawUser), 1, 8).Draw(t, "openers")
	next, openings := Decide(l.e, l.seed, openers, l.held.had, l.now)
	for i, o := range openings {
		l.checkOpening(t, openers[i], o)
		if o.Outcome == Opened {
			l.shares = append(l.shares, o.Share)
			l.held[openers[i]] = o.Share
		}
	}
	gave := next.OpenedCount > l.e.OpenedCount
	if gave && next.Ver != l.e.Ver+1 || !gave && next != l.e {
		t.Fatalf("gave a share: %t, ver %d became %d", gave, l.e.Ver, next.Ver)
	}
	l.e = next
}

func (l *life) checkOpening(t *rapid.T, user UserID, o Opening) {
	t.Helper()
	share, holds := l.held[user]
	switch {
	case holds && (o.Outcome != AlreadyOpened || o.Share != share || o.Err != nil):
		t.Fatalf("%s holds %+v and is told %+v (I2)", user, share, o)
	case !holds && o.Outcome == AlreadyOpened:
		t.Fatalf("%s holds nothing and is told %+v", user, o)
	case o.Outcome == Opened && (o.Share.User != user || o.Share.OpenedAt != l.now || !l.e.MayOpen(user)):
		t.Fatalf("%s at %v got %+v", user, l.now, o.Share)
	case o.Outcome == Opened && (l.e.State != Active || !l.now.Before(l.e.ExpiresAt)):
		t.Fatalf("%s envelope gave %+v at %v, expiry %v", l.e.State, o.Share, l.now, l.e.ExpiresAt)
	case o.Outcome != Opened && !holds && l.e.State == Active && l.now.Before(l.e.ExpiresAt) && l.e.MayOpen(user) && len(l.shares) < l.e.Count:
		t.Fatalf("%s could have had one of %d shares and is told %+v", user, l.e.SharesLeft(), o)
	}
}

func (l *life) openAgain(t *rapid.T) {
	if len(l.shares) == 0 {
		return
	}
	s := rapid.SampledFrom(l.shares).Draw(t, "share")
	next, openings := Decide(l.e, l.seed, []UserID{s.User}, l.held.had, l.now)
	if (openings[0] != Opening{Outcome: AlreadyOpened, Share: s}) || next != l.e {
		t.Fatalf("%s holds %+v and is told %+v (I2)", s.User, s, openings[0])
	}
}

func (l *life) wait(t *rapid.T) {
	l.now = l.now.Add(l.limits.Life / time.Duration(rapid.IntRange(1, 20).Draw(t, "fraction of a life")))
}

func (l *life) sweep(t *rapid.T) {
	if l.e.State == Active && l.e.ExpiredAt(l.now) {
		l.e.State, l.e.Refunded, l.e.FinishedAt = Expired, l.e.Remaining(), l.now
		l.e.Ver++
	}
}

func (l *life) settle(t *rapid.T) {
	if l.e.State == Empty || l.e.State == Expired {
		l.e.State = Settled
		l.e.Ver++
	}
}

// check holds the header against the shares, never against itself.
func (l *life) check(t *rapid.T) {
	e, sum := &l.e, Fen(0)
	for i, s := range l.shares {
		if s.Seq != i+1 {
			t.Fatalf("share %d is at position %d (I4)", i+1, s.Seq)
		}
		if s.Amount < max(1, e.ShareMin) || s.Amount > e.ShareMax {
			t.Fatalf("share %d of %d fen, promised were %d to %d (I5)", s.Seq, s.Amount, e.ShareMin, e.ShareMax)
		}
		sum += s.Amount
	}
	if e.Opened != sum || e.OpenedCount != len(l.shares) || len(l.held) != len(l.shares) {
		t.Fatalf("header: %d fen in %d; shares: %d fen in %d of %d people", e.Opened, e.OpenedCount, sum, len(l.shares), len(l.held))
	}
	if rest := e.Total - sum - e.Refunded; rest < 0 || rest != e.Remaining() {
		t.Fatalf("%d paid, %d opened, %d refunded, %d remaining (I1)", e.Total, sum, e.Refunded, e.Remaining())
	}
	if left := e.Count - len(l.shares); e.Refunded == 0 && (e.Remaining() < Fen(left)*max(1, e.ShareMin) || e.Remaining() > Fen(left)*e.ShareMax) {
		t.Fatalf("%d fen remain for %d shares (I5)", e.Remaining(), left)
	}
	if (e.State == Empty) != (len(l.shares) == e.Count && e.State != Settled) {
		t.Fatalf("%s with %d of %d shares taken", e.State, len(l.shares), e.Count)
	}
	if from := l.previous.State; e.State != from && !from.CanBecome(e.State) {
		t.Fatalf("%s became %s (I8)", from, e.State)
	}
	if e.FinishedAt.IsZero() == e.State.Finished() {
		t.Fatalf("%s, finished at %v", e.State, e.FinishedAt)
	}
	if err := Verify(e, l.seed, l.shares); err != nil {
		t.Fatalf("what was given does not verify: %v", err)
	}
	l.previous = l.e
}
