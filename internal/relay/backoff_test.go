package relay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"hongbao/envelope"
)

func TestAWaitGrowsByHalfUpToItsBound(t *testing.T) {
	w := wait{time.Second, 10 * time.Minute}
	total := time.Duration(0)
	for n, most := 1, time.Second; n <= 60; n, most = n+1, min(most+most/2, w.max) {
		for range 20 {
			if d := w.after(n); d < most/2 || d > most {
				t.Fatalf("after attempt %d: %v, want %v to %v", n, d, most/2, most)
			}
		}
		if n > 2 && most > total/2+2*time.Second && most < w.max {
			t.Fatalf("after attempt %d it waits %v for trouble that has lasted %v", n, most, total)
		}
		total += most
	}
}

func TestRetriesAreSpreadOut(t *testing.T) {
	seen := map[time.Duration]bool{}
	for range 100 {
		seen[afterFailure().after(10)] = true
	}
	if len(seen) < 50 {
		t.Errorf("100 waits, %d of them different", len(seen))
	}
}

func TestABusyReceiverIsAskedInItsTime(t *testing.T) {
	for asked, want := range map[time.Duration]time.Duration{0: retryAfterMin, time.Second: time.Second, time.Hour: retryAfterMax, -time.Second: retryAfterMin} {
		err := fmt.Errorf("call: %w", &envelope.BusyError{RetryAfter: asked})
		if d, busy := retryAfter(err); !busy || d < want || d > want+want/2 {
			t.Errorf("asked for %v: %v, want %v and up to half more", asked, d, want)
		}
	}
	if _, busy := retryAfter(errors.New("no")); busy {
		t.Error("any error is busy")
	}
}

// Whichever of a batch are poisoned, they and no others fail (FG8).
func TestPoisonedItemsFailAlone(t *testing.T) {
	poison := errors.New("poison")
	rapid.Check(t, func(t *rapid.T) {
		items := make([]int, rapid.IntRange(1, 512).Draw(t, "items"))
		for i := range items {
			items[i] = i
		}
		bad := rapid.SliceOfNDistinct(rapid.IntRange(0, len(items)-1), 0, 2, rapid.ID).Draw(t, "bad")
		slices.Sort(bad)
		var done, failed []int
		err := alone(items, func(part []int) error {
			if slices.ContainsFunc(part, func(i int) bool { return slices.Contains(bad, i) }) {
				return poison
			}
			done = append(done, part...)
			return nil
		}, func(i int, err error) { failed = append(failed, i) })
		if err != nil || !slices.Equal(failed, bad) || len(done)+len(failed) != len(items) || !slices.IsSorted(done) {
			t.Fatalf("%d items, poisoned %v: failed %v, done %d, %v", len(items), bad, failed, len(done), err)
		}
	})
}

func TestBatchIsNotHalvedDuringAnOutage(t *testing.T) {
	for _, out := range []error{&envelope.BusyError{}, envelope.ErrUnknownOutcome, context.DeadlineExceeded} {
		tries := 0
		err := alone(make([]int, 512), func([]int) error { tries++; return fmt.Errorf("post: %w", out) }, func(int, error) { t.Error("one of them is blamed") })
		if tries != 1 || !errors.Is(err, out) {
			t.Errorf("%v: %d tries, %v", out, tries, err)
		}
	}
}

func TestWholeBatchFailureIsTheReceivers(t *testing.T) {
	tries, blamed := 0, 0
	err := alone(make([]int, 512), func([]int) error { tries++; return errors.New("no") }, func(int, error) { blamed++ })
	if err == nil || tries > halvingsMax+1 || blamed > halvingsMax {
		t.Errorf("%d tries, %d blamed, %v", tries, blamed, err)
	}
}

func TestAnOpenBreakerAllowsOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turns []bool
		b := &breaker{now: time.Now, changed: func(s bool, _ error) { turns = append(turns, s) }}
		b.record(&envelope.BusyError{RetryAfter: 10 * time.Second})
		if !b.isOpen() || b.allow(64) != 0 {
			t.Fatal("a busy answer does not stop it")
		}
		time.Sleep(10*time.Second - 1)
		if b.allow(64) != 0 {
			t.Error("it asks before the receiver wants to be asked")
		}
		time.Sleep(5*time.Second + 1)
		if b.allow(64) != 1 || b.allow(0) != 0 {
			t.Error("it does not probe with one")
		}
		b.record(errors.New("still out"))
		if b.allow(64) != 0 {
			t.Error("a failed probe is followed by the next at once")
		}
		time.Sleep(betweenProbes().max)
		b.record(nil)
		if b.isOpen() || b.allow(64) != 64 || !slices.Equal(turns, []bool{true, false}) {
			t.Errorf("after a success: allow %d, turns %v", b.allow(64), turns)
		}
	})
}

func TestTheBreakerOpensAtFailuresInARow(t *testing.T) {
	b := &breaker{now: time.Now, changed: func(bool, error) {}}
	for range 10 {
		for range failuresMax - 1 {
			b.record(errors.New("no"))
		}
		if b.isOpen() {
			t.Fatal("shut too early")
		}
		b.record(nil)
	}
	for range failuresMax {
		b.record(errors.New("no"))
	}
	if !b.isOpen() {
		t.Error("not shut")
	}
	b = &breaker{now: time.Now, changed: func(bool, error) {}}
	if b.trip(context.DeadlineExceeded); !b.isOpen() {
		t.Error("an outage does not shut it")
	}
}
