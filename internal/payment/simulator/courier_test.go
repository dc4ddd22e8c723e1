package simulator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

var errNotTaken = errors.New("not taken")

// dispatching runs a dispatch until the end of the bubble.
func dispatching(t *testing.T, schedule []time.Duration, deliver func(context.Context, *delivery) error) *dispatch {
	d := newDispatch(deliver, schedule, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); d.run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return d
}

func TestFF7AttemptsKeepTheScheduleAndThenGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var at []time.Duration
		d := dispatching(t, []time.Duration{time.Second, 5 * time.Second, time.Minute}, func(context.Context, *delivery) error {
			at = append(at, time.Since(start))
			return errNotTaken
		})
		if <-d.notify(event{no: "1"}, deceit{}) {
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
		d := dispatching(t, DefaultSchedule(), func(_ context.Context, n *delivery) error {
			mu.Lock()
			defer mu.Unlock()
			if attempts[n.no]++; attempts[n.no] <= int(n.no[0]-'0') {
				return errNotTaken
			}
			return nil
		})
		for refusals := range 4 {
			d.notify(event{no: fmt.Sprint(refusals)}, deceit{})
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
		d := dispatching(t, DefaultSchedule(), func(context.Context, *delivery) error {
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
		const orders = 10 * couriersMax
		for range orders {
			d.notify(event{no: "1"}, deceit{})
		}
		time.Sleep(orders * time.Second)
		synctest.Wait()
		if most != couriersMax || done != orders {
			t.Errorf("%d at once, %d done, want %d and %d", most, done, couriersMax, orders)
		}
	})
}

func TestPayerWaitsForTheFirstAttemptUpToABound(t *testing.T) {
	cfg := testConfig(t)
	synctest.Test(t, func(t *testing.T) {
		s, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		release := make(chan struct{})
		s.dispatch = dispatching(t, cfg.Schedule, func(context.Context, *delivery) error { <-release; return nil })
		t.Cleanup(func() { close(release) })
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.journal.run(ctx) }()
		defer func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}()
		want := &terms{AmountFen: 1, ExpiresAt: time.Now().Add(time.Hour), Token: "token"}
		if err := s.journal.commit(ctx, func(b *book) (*record, error) { return b.place("order-1", want, time.Now()) }); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		o, err := s.pay(ctx, "token")
		if err != nil || o.notified || o.paidAt.IsZero() {
			t.Errorf("%+v, %v", o, err)
		}
		if took := time.Since(start); took != firstDeliveryWaitMax {
			t.Errorf("took %v, want %v", took, firstDeliveryWaitMax)
		}
	})
}

// TestPayerWhoHangsUpStillHasTheMerchantTold: the payment and its notification
// are not parted by a broken connection.
func TestPayerWhoHangsUpStillHasTheMerchantTold(t *testing.T) {
	m := newMerchant(t)
	s, _ := m.start(testConfig(t))
	charge := m.charge(0)
	url := m.place(charge)
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.pay(gone, url[len(m.base)+len("/pay/"):]); err != nil {
		t.Fatal(err)
	}
	if heard := <-m.notified; heard.OrderNo != charge.OrderNo {
		t.Errorf("heard of %+v", heard)
	}
}

func TestRunEndsWhenItsPortIsGone(t *testing.T) {
	s, err := New(testConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if err := s.Run(context.Background(), ln); err == nil {
		t.Error("served on a closed port")
	}
}
