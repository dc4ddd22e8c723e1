package simulator

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"hongbao/internal/payment/simulator/dispatch"
	"hongbao/internal/payment/simulator/ledger"
)

func TestPayerWaitsABoundForFirstAttempt(t *testing.T) {
	cfg := testConfig(t)
	synctest.Test(t, func(t *testing.T) {
		s, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		release := make(chan struct{})
		s.dispatch = dispatch.New(func(context.Context, *dispatch.Delivery) error { <-release; return nil }, cfg.Schedule, cfg.Log)
		ctx, cancel := context.WithCancel(t.Context())
		delivered := make(chan struct{})
		go func() { defer close(delivered); s.dispatch.Run(ctx) }()
		t.Cleanup(func() { close(release); <-delivered })
		ended := make(chan error, 1)
		go func() { ended <- s.journal.Run(ctx) }()
		defer func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}()
		want := &ledger.OrderTerms{AmountFen: 1, ExpiresAt: time.Now().Add(time.Hour), Token: "token"}
		if err := s.journal.Commit(ctx, func(b *ledger.Book) (*ledger.Record, error) { return b.Place("order-1", want, time.Now()) }); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		o, err := s.pay(ctx, "token")
		if err != nil || o.Notified || o.PaidAt.IsZero() {
			t.Errorf("%+v, %v", o, err)
		}
		if took := time.Since(start); took != firstDeliveryWaitMax {
			t.Errorf("took %v, want %v", took, firstDeliveryWaitMax)
		}
	})
}

// TestPaymentIsNotifiedWithoutItsPayer: the payment and its notification are
// not parted by a broken connection.
func TestPaymentIsNotifiedWithoutItsPayer(t *testing.T) {
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
