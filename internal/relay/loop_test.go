package relay

import (
	"testing"
	"testing/synctest"
	"time"
)

func (s *script) touch() {
	s.outbox++
	select {
	case s.touched <- struct{}{}:
	default:
	}
}

func TestBusySetGathersLoneOpenDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		const lone = 10*time.Second + 500*time.Millisecond
		for n := range 500 { // five seconds of an open every 10 ms
			s.after(time.Duration(n)*10*time.Millisecond, s.touch)
		}
		s.after(lone, s.touch)
		run(t, s.relay(t), 12*time.Second)
		n := len(s.spreads)
		if n < 25 || n > 28 {
			t.Errorf("%d spreads, want some 5 a second for five seconds, and one", n)
		}
		if last := s.spreads[n-1]; last < lone || last > lone+time.Millisecond {
			t.Errorf("the lone open is spread at %v, want at %v", last, lone)
		}
	})
}

// When all payouts are in batches the drain of bills finds nothing, spread after
// spread.
func TestDrainWokenInVainFallsBackToPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		const seconds = 60
		for n := range seconds * 20 {
			s.after(time.Duration(n)*50*time.Millisecond, func() {
				s.touch()
				s.batch(n, 1)
			})
		}
		m := s.debt(100_000)
		m.DueAt = start().Add(seconds / 2 * time.Second)
		run(t, s.relay(t), seconds*time.Second)
		if n := s.claims["bills"]; n > seconds+3*vainMax {
			t.Errorf("%d claims of bills in %d seconds", n, seconds)
		}
		if n := s.claims["batches"]; n < seconds*4 {
			t.Errorf("%d claims of batches, though there were some at every spread", n)
		}
		if at := s.called("place"); len(at) != 1 || at[0] > seconds/2*time.Second+1100*time.Millisecond {
			t.Errorf("the one bill was placed at %v", at)
		}
	})
}
