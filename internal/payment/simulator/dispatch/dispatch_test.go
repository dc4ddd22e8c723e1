package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongbao/internal/payment/simulator/lies"
)

var errNotTaken = errors.New("not taken")

// dispatching runs a dispatch until the end of the bubble.
func dispatching(t *testing.T, schedule []time.Duration, deliver func(context.Context, *Delivery) error) *Dispatch {
	d := New(deliver, schedule, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); d.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return d
}

// FF7.
func TestAttemptsKeepTheScheduleThenGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var at []time.Duration
		d := dispatching(t, []time.Duration{time.Second, 5 * time.Second, time.Minute}, func(context.Context, *Delivery) error {
			at = append(at, time.Since(start))
			return errNotTaken
		})
		if <-d.Notify(Event{No: "1"}, lies.Deceit{}) {
			t.Error("the first attempt was not taken")
		}
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		want := []time.Duration{0, time.Second, 6 * time.Second, 66 * time.Second}
		if diff := cmp.Diff(want, at); diff != "" {
			t.Error(diff)
		}
	})
}

func TestTakenNotificationsAreNotSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attempts := map[string]int{}
		var mu sync.Mutex
		d := dispatching(t, DefaultSchedule(), func(_ context.Context, n *Delivery) error {
			mu.Lock()
			defer mu.Unlock()
			if attempts[n.No]++; attempts[n.No] <= int(n.No[0]-'0') {
				return errNotTaken
			}
			return nil
		})
		for refusals := range 4 {
			d.Notify(Event{No: fmt.Sprint(refusals)}, lies.Deceit{})
		}
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if diff := cmp.Diff(map[string]int{"0": 1, "1": 2, "2": 3, "3": 4}, attempts); diff != "" {
			t.Error(diff)
		}
	})
}

// TestCouriersAreBounded: a slow merchant has no more than couriersMax at once,
// and gets all of them in the end.
func TestCouriersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var now, most, done int
		d := dispatching(t, DefaultSchedule(), func(context.Context, *Delivery) error {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			now--
			done++
			mu.Unlock()
			return nil
		})
		const orders = 10 * InFlightMax
		for range orders {
			d.Notify(Event{No: "1"}, lies.Deceit{})
		}
		time.Sleep(orders * time.Second)
		synctest.Wait()
		if most != InFlightMax || done != orders {
			t.Errorf("%d at once, %d done, want %d and %d", most, done, InFlightMax, orders)
		}
	})
}
