package simulator

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"hongbao/envelope"
)

func TestAChargeIsPlacedPaidAndQueried(t *testing.T) {
	m := newMerchant(t)
	m.start(testConfig(t))
	ctx, charge := context.Background(), m.charge(0)

	if s, err := m.client.QueryCharge(ctx, charge.OrderNo); err != nil || s.State != envelope.ChargeNotFound {
		t.Fatalf("before: %+v, %v", s, err)
	}
	url := m.place(charge)
	if s, err := m.client.QueryCharge(ctx, charge.OrderNo); err != nil || s.State != envelope.ChargeUnpaid {
		t.Fatalf("placed: %+v, %v", s, err)
	}
	r, status, err := m.pay(url)
	if err != nil || status != 200 || r.OrderNo != string(charge.OrderNo) || r.TradeState != "SUCCESS" || !r.Notified {
		t.Fatalf("paid: %d %+v, %v", status, r, err)
	}
	heard := <-m.notified
	if heard.OrderNo != charge.OrderNo || heard.TransactionID != r.TransactionID || heard.Amount != charge.Amount {
		t.Errorf("heard of %+v, paid %+v", heard, r)
	}
	s, err := m.client.QueryCharge(ctx, charge.OrderNo)
	if err != nil || s.State != envelope.ChargePaid || s.Payment.TransactionID != heard.TransactionID || !s.Payment.PaidAt.Equal(heard.PaidAt) {
		t.Errorf("query: %+v, %v, want %+v", s, err, heard)
	}
	e := m.books()[r.OrderNo]
	if e.State != "SUCCESS" || e.AmountFen != 10000 || e.TransactionID != r.TransactionID || e.PaidAt == nil || !e.Notified {
		t.Errorf("ledger: %+v", e)
	}
}

func TestRepeatsAreResults(t *testing.T) {
	m := newMerchant(t)
	m.start(testConfig(t))
	charge := m.charge(0)
	url := m.place(charge)
	if again := m.place(charge); again != url {
		t.Errorf("placed again at %s, want %s", again, url)
	}

	for name, change := range map[string]func(*envelope.Charge){
		"amount": func(c *envelope.Charge) { c.Amount++ },
		"expiry": func(c *envelope.Charge) { c.ExpiresAt = c.ExpiresAt.Add(time.Second) },
	} {
		other := charge
		change(&other)
		_, err := m.client.Prepay(context.Background(), other)
		refused, ok := errors.AsType[*envelope.RefusedError](err)
		if !ok || refused.Code != "OUT_TRADE_NO_USED" {
			t.Errorf("another %s under the same number: %v", name, err)
		}
	}

	first, _, err := m.pay(url)
	if err != nil {
		t.Fatal(err)
	}
	again, status, err := m.pay(url)
	if err != nil || status != 200 || again != first {
		t.Errorf("paid again: %d %+v, %v, want %+v", status, again, err, first)
	}
	if _, err := m.client.Prepay(context.Background(), charge); !errors.Is(err, envelope.ErrChargePaid) {
		t.Errorf("placed after it was paid: %v", err)
	}
}

func TestOneOfManyPayersPays(t *testing.T) {
	m := newMerchant(t)
	_, stop := m.start(testConfig(t))
	url := m.place(m.charge(0))
	var payers sync.WaitGroup
	var mu sync.Mutex
	transactions := map[string]int{}
	for range 32 {
		payers.Go(func() {
			r, status, err := m.pay(url)
			if err != nil || status != 200 {
				t.Errorf("%d, %v", status, err)
			}
			mu.Lock()
			defer mu.Unlock()
			transactions[r.TransactionID]++
		})
	}
	payers.Wait()
	if len(transactions) != 1 {
		t.Errorf("paid as %v, want one transaction", transactions)
	}
	stop()
	if n := len(m.notified); n != 1 {
		t.Errorf("heard of it %d times, want once", n)
	}
}

func TestOrderCannotBePaidLate(t *testing.T) {
	m := newMerchant(t)
	cfg := testConfig(t)
	cfg.Now = m.clock.now
	m.start(cfg)
	charge := m.charge(0)
	url := m.place(charge)
	m.clock.pass(16 * time.Minute)

	if _, status, _ := m.pay(url); status != http.StatusBadRequest {
		t.Errorf("paid late: %d", status)
	}
	if _, err := m.client.Prepay(context.Background(), charge); !errors.Is(err, envelope.ErrChargeClosed) {
		t.Errorf("placed late: %v", err)
	}
	if s, err := m.client.QueryCharge(context.Background(), charge.OrderNo); err != nil || s.State != envelope.ChargeClosed {
		t.Errorf("query: %+v, %v", s, err)
	}
	if e := m.books()[string(charge.OrderNo)]; e.State != "CLOSED" || e.PaidAt != nil {
		t.Errorf("ledger: %+v", e)
	}
}

func TestPaidOrderStaysPaidAfterItsTime(t *testing.T) {
	m := newMerchant(t)
	cfg := testConfig(t)
	cfg.Now = m.clock.now
	m.start(cfg)
	charge := m.charge(0)
	url := m.place(charge)
	first, _, err := m.pay(url)
	if err != nil {
		t.Fatal(err)
	}
	m.clock.pass(time.Hour)
	if again, _, err := m.pay(url); err != nil || again != first {
		t.Errorf("paid again: %+v, %v, want %+v", again, err, first)
	}
	if s, err := m.client.QueryCharge(context.Background(), charge.OrderNo); err != nil || s.State != envelope.ChargePaid {
		t.Errorf("query: %+v, %v", s, err)
	}
}

func TestNotificationsAreSentUntilTaken(t *testing.T) {
	m := newMerchant(t)
	cfg := testConfig(t)
	cfg.Schedule = []time.Duration{time.Millisecond, time.Millisecond, time.Millisecond}
	_, stop := m.start(cfg)
	m.refuse.Store(3)
	r, _, err := m.pay(m.place(m.charge(0)))
	if err != nil || r.Notified {
		t.Fatalf("%+v, %v: the first attempt was refused", r, err)
	}
	if heard := <-m.notified; heard.TransactionID != r.TransactionID {
		t.Errorf("heard of %+v", heard)
	}
	stop()
	if n := len(m.notified); n != 0 {
		t.Errorf("heard %d times more", n)
	}
}

func TestNotificationsSurviveARestart(t *testing.T) {
	m := newMerchant(t)
	cfg := testConfig(t)
	cfg.Schedule = []time.Duration{time.Hour}
	_, stop := m.start(cfg)
	m.refuse.Store(1)
	taken, _, err := m.pay(m.place(m.charge(0)))
	if err != nil || taken.Notified {
		t.Fatalf("%+v, %v: the first attempt was refused", taken, err)
	}
	if r, _, err := m.pay(m.place(m.charge(1))); err != nil || !r.Notified {
		t.Fatalf("%+v, %v", r, err)
	}
	<-m.notified
	stop()
	_, stop = m.start(cfg)
	if heard := <-m.notified; heard.TransactionID != taken.TransactionID {
		t.Errorf("heard of %+v, want %+v", heard, taken)
	}
	stop()
	m.start(cfg)
	if e := m.books()[taken.OrderNo]; !e.Notified {
		t.Errorf("ledger: %+v", e)
	}
	if n := len(m.notified); n != 0 {
		t.Errorf("heard %d times more", n)
	}
}

func TestARestartRepeatsNoTransactionNumber(t *testing.T) {
	m := newMerchant(t)
	cfg := testConfig(t)
	seen := map[string]bool{}
	for life := range 3 {
		_, stop := m.start(cfg)
		for i := range 2 {
			r, _, err := m.pay(m.place(m.charge(life*2 + i)))
			if err != nil || seen[r.TransactionID] {
				t.Errorf("%+v, %v: seen before", r, err)
			}
			seen[r.TransactionID] = true
		}
		stop()
	}
}

func TestPlatformKeyThatWeAskForMustExist(t *testing.T) {
	m := newMerchant(t)
	cfg := testConfig(t)
	cfg.PlatformSerial = "PUB_KEY_ID_NEXT"
	m.start(cfg)
	// The answer is signed under a key that the client does not have.
	if _, err := m.client.Prepay(context.Background(), m.charge(0)); !errors.Is(err, envelope.ErrUnknownOutcome) || !strings.Contains(err.Error(), "PUB_KEY_ID_NEXT") {
		t.Errorf("%v, want an unknown outcome that names the key", err)
	}
}
