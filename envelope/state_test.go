package envelope

import (
	"testing"
	"time"
)

func allStates() []State { return []State{Unpaid, Active, Empty, Expired, Settled, Closed} }

func TestStatesMoveAlongTheArrowsOnly(t *testing.T) {
	diagram := map[State][]State{
		Unpaid:  {Active, Closed},
		Active:  {Empty, Expired},
		Empty:   {Settled},
		Expired: {Settled},
	}
	for _, from := range append(allStates(), "", "ACTIVE", "paid") {
		arrows := map[State]bool{}
		for _, to := range diagram[from] {
			arrows[to] = true
		}
		for _, to := range append(allStates(), "", "ACTIVE", "paid") {
			if got := from.CanBecome(to); got != arrows[to] {
				t.Errorf("%q → %q: have %t, want %t", from, to, got, arrows[to])
			}
		}
	}
}

func TestEveryStateHasItsPlace(t *testing.T) {
	for _, row := range []struct {
		state    State
		spelled  string
		finished bool
	}{
		{Unpaid, "unpaid", false}, {Active, "active", false}, {Closed, "closed", false},
		{Empty, "empty", true}, {Expired, "expired", true}, {Settled, "settled", true},
	} {
		if got := string(row.state); got != row.spelled {
			t.Errorf("state %q is spelled %q", row.spelled, got)
		}
		if got := row.state.Finished(); got != row.finished {
			t.Errorf("%s: finished %t, want %t", row.state, got, row.finished)
		}
		// A state after which no share is taken stays so: seeds are shown then.
		for _, next := range allStates() {
			if row.finished && row.state.CanBecome(next) && !next.Finished() {
				t.Errorf("%s → %s takes shares again", row.state, next)
			}
		}
	}
}

func TestKindsAreThree(t *testing.T) {
	for _, k := range []Kind{"lucky", "equal", "exclusive"} {
		if got, err := ParseKind(string(k)); err != nil || got != k {
			t.Errorf("%q parses as %q, %v", k, got, err)
		}
	}
	for _, s := range []string{"", "Lucky", "random", "lucky ", "拼手气"} {
		got, err := ParseKind(s)
		wantInvalid(t, err, "kind", "lucky, equal or exclusive")
		if got != "" {
			t.Errorf("%q parses as kind %q", s, got)
		}
	}
}

func TestAnEnvelopeIsOverExactlyAtItsExpiry(t *testing.T) {
	at := noon()
	for _, row := range []struct {
		state State
		now   time.Time
		want  bool
	}{
		{Active, at.Add(-time.Nanosecond), false}, {Active, at, true}, {Active, at.Add(time.Nanosecond), true},
		{Expired, at.Add(-time.Hour), true}, {Expired, at, true},
		{Unpaid, at.Add(time.Hour), false}, {Empty, at.Add(time.Hour), false},
		{Settled, at.Add(time.Hour), false}, {Closed, at.Add(time.Hour), false},
	} {
		e := Envelope{State: row.state, ExpiresAt: at}
		if got := e.ExpiredAt(row.now); got != row.want {
			t.Errorf("%s, %v after expiry: have %t, want %t", row.state, row.now.Sub(at), got, row.want)
		}
	}
}
