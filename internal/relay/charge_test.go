package relay

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"hongbao/envelope"
)

// near compares instants to the second: a job looks once a second.
func near(got, want []time.Duration) bool {
	return slices.EqualFunc(got, want, func(g, w time.Duration) bool { return g >= w && g <= w+1100*time.Millisecond })
}

// FF7.
func TestUnpaidEnvelopeIsQueriedThenClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		p := s.owe(envelope.TopicCharge, unpaid(0))
		p.due = start().Add(5 * time.Second)
		run(t, s.relay(t), 20*time.Minute)
		want := []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 15 * time.Minute}
		if got := s.called("query charge"); !near(got, want) {
			t.Errorf("asked at %v, want %v", got, want)
		}
		if closed, here := s.called("close charge"), s.called("close"); !near(closed, want[4:]) || !near(here, want[4:]) || here[0] < closed[0] {
			t.Errorf("closed there at %v, here at %v", closed, here)
		}
		if p.s.Envelope.State != envelope.Closed || p.state != "idle" {
			t.Errorf("%s, delivery %s", p.s.Envelope.State, p.state)
		}
	})
}

func TestPaidEnvelopeCostsNoProviderCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		for n := range 1000 {
			s.owe(envelope.TopicCharge, active(n))
		}
		run(t, s.relay(t), time.Second)
		for _, p := range s.deliveries {
			if p.state != "idle" {
				t.Fatalf("%s is %s", p.d.ID, p.state)
			}
		}
		if len(s.calls) != 0 {
			t.Errorf("%d calls", len(s.calls))
		}
	})
}

func TestChargeDecidesTheEnvelope(t *testing.T) {
	charged := func(state envelope.ChargeState) func(envelope.ID) (envelope.ChargeStatus, error) {
		return func(id envelope.ID) (envelope.ChargeStatus, error) {
			return envelope.ChargeStatus{State: state, Payment: envelope.Payment{OrderNo: id, TransactionID: "tx", Amount: 100}}, nil
		}
	}
	untilClosed := func(s *script) func(envelope.ID) (envelope.ChargeStatus, error) {
		closed := false
		s.end = func(envelope.ID) error { closed = true; return envelope.ErrChargePaid }
		return func(id envelope.ID) (envelope.ChargeStatus, error) {
			if closed {
				return charged(envelope.ChargePaid)(id)
			}
			return envelope.ChargeStatus{State: envelope.ChargeUnpaid}, nil
		}
	}
	for name, c := range map[string]struct {
		age    time.Duration
		script func(s *script)
		want   envelope.State
		state  string
		calls  []string
	}{
		"paid":                   {0, func(s *script) { s.query = charged(envelope.ChargePaid) }, envelope.Active, "idle", []string{"query charge", "pay"}},
		"closed over there":      {0, func(s *script) { s.query = charged(envelope.ChargeClosed) }, envelope.Closed, "idle", []string{"query charge", "close"}},
		"refunded over there":    {0, func(s *script) { s.query = charged(envelope.ChargeRefunded) }, envelope.Unpaid, "parked", []string{"query charge"}},
		"never placed":           {0, func(s *script) { s.query = charged(envelope.ChargeNotFound) }, envelope.Unpaid, "pending", []string{"query charge"}},
		"never placed, and late": {15 * time.Minute, func(s *script) { s.query = charged(envelope.ChargeNotFound) }, envelope.Closed, "idle", []string{"query charge", "close charge", "close"}},
		"paid while it is closed": {15 * time.Minute, func(s *script) {
			s.query = untilClosed(s)
		}, envelope.Active, "idle", []string{"query charge", "close charge", "query charge", "pay"}},
		"closing says paid, the query does not": {15 * time.Minute, func(s *script) {
			s.end = func(envelope.ID) error { return fmt.Errorf("close: %w", envelope.ErrChargePaid) }
		}, envelope.Unpaid, "pending",
			[]string{"query charge", "close charge", "query charge"}},
		"closing fails": {15 * time.Minute, func(s *script) { s.end = func(envelope.ID) error { return envelope.ErrUnknownOutcome } }, envelope.Unpaid, "pending", []string{"query charge", "close charge"}},
		"FF5 another amount": {0, func(s *script) {
			s.query, s.pay = charged(envelope.ChargePaid), func(envelope.Payment) error { return envelope.ErrPaymentMismatch }
		}, envelope.Unpaid, "parked", []string{"query charge", "pay"}},
		"the database is busy": {0, func(s *script) {
			s.query, s.pay = charged(envelope.ChargePaid), func(envelope.Payment) error { return &envelope.BusyError{RetryAfter: time.Second} }
		}, envelope.Unpaid, "pending", []string{"query charge", "pay"}},
		"the query is refused": {0, func(s *script) {
			s.query = func(envelope.ID) (envelope.ChargeStatus, error) {
				return envelope.ChargeStatus{}, &envelope.RefusedError{Status: 401, Code: "SIGN_ERROR", Final: true}
			}
		}, envelope.Unpaid, "parked", []string{"query charge"}},
		"the query is refused with a code of an unknown sort": {0, func(s *script) {
			s.query = func(envelope.ID) (envelope.ChargeStatus, error) {
				return envelope.ChargeStatus{}, fmt.Errorf("%w: %w", envelope.ErrUnknownOutcome, &envelope.RefusedError{Status: 400, Code: "NEVER_SEEN"})
			}
		}, envelope.Unpaid, "pending", []string{"query charge"}},
		"the closing is refused": {15 * time.Minute, func(s *script) {
			s.end = func(envelope.ID) error { return &envelope.RefusedError{Status: 403, Code: "NO_AUTH", Final: true} }
		}, envelope.Unpaid, "parked", []string{"query charge", "close charge"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript()
				c.script(s)
				e := unpaid(0)
				e.CreatedAt = time.Now().Add(-c.age)
				p := s.owe(envelope.TopicCharge, e)
				run(t, s.relay(t), time.Millisecond)
				var calls []string
				for _, c := range s.calls {
					calls = append(calls, c.what)
				}
				if p.s.Envelope.State != c.want || p.state != c.state || !slices.Equal(calls, c.calls) {
					t.Errorf("%s, delivery %s (%s), calls %q", p.s.Envelope.State, p.state, p.reason, calls)
				}
				if p.state == "pending" && !p.due.After(time.Now()) {
					t.Error("it is due again at once")
				}
			})
		})
	}
}

func TestNoUnpaidEnvelopeIsEverGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		p := s.owe(envelope.TopicCharge, unpaid(0))
		const outage = 3 * time.Hour
		s.query = func(envelope.ID) (envelope.ChargeStatus, error) {
			if time.Since(start()) < outage {
				return envelope.ChargeStatus{}, &envelope.RefusedError{Status: 403, Code: "NO_AUTH", Final: true}
			}
			return envelope.ChargeStatus{State: envelope.ChargeUnpaid}, nil
		}
		run(t, s.relay(t), outage+2*whileStuck().max)
		if p.s.Envelope.State != envelope.Closed {
			t.Errorf("%s, delivery %s after %d attempts", p.s.Envelope.State, p.state, p.d.Attempts)
		}
	})
}

func TestAnOutageIsProbedWithFewCharges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		for n := range 2000 {
			s.owe(envelope.TopicCharge, unpaid(n))
		}
		settled := s.owe(envelope.TopicCharge, active(5000))
		back := 5 * time.Minute
		s.query = func(id envelope.ID) (envelope.ChargeStatus, error) {
			if time.Since(start()) < back {
				return envelope.ChargeStatus{}, &envelope.BusyError{RetryAfter: 2 * time.Second}
			}
			return envelope.ChargeStatus{State: envelope.ChargePaid, Payment: envelope.Payment{OrderNo: id, Amount: 100}}, nil
		}
		s.after(back-time.Second, func() {
			if n := len(s.called("query charge")); n > 200 {
				t.Errorf("%d questions to a provider that is out", n)
			}
			if settled.state != "idle" {
				t.Errorf("what needs no question is %s", settled.state)
			}
		})
		run(t, s.relay(t), back+5*time.Minute)
		for _, p := range s.deliveries {
			if p.s.Envelope.State != envelope.Active {
				t.Fatalf("%s is %s", p.d.ID, p.s.Envelope.State)
			}
		}
	})
}

func TestTheNextLookGoesByAge(t *testing.T) {
	for _, c := range []struct{ age, payWithin, want time.Duration }{
		{0, 15 * time.Minute, 5 * time.Second},
		{5 * time.Second, 15 * time.Minute, 25 * time.Second},
		{7 * time.Second, 15 * time.Minute, 23 * time.Second},
		{3 * time.Minute, 15 * time.Minute, 7 * time.Minute},
		{14 * time.Minute, 15 * time.Minute, time.Minute},
		{40 * time.Second, time.Minute, 20 * time.Second},
		{time.Hour, 24 * time.Hour, 23 * time.Hour},
		{30*time.Second - time.Millisecond, 15 * time.Minute, chargeWaitMin},
		{-3 * time.Second, 15 * time.Minute, 8 * time.Second},
	} {
		if got := nextLook(c.age, c.payWithin); got != c.want {
			t.Errorf("%v old, to be paid within %v: %v, want %v", c.age, c.payWithin, got, c.want)
		}
	}
}

func TestAStopLeavesWhatIsNotBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		for n := range 200 {
			s.owe(envelope.TopicCharge, unpaid(n))
		}
		s.query = func(envelope.ID) (envelope.ChargeStatus, error) {
			time.Sleep(5 * time.Second)
			return envelope.ChargeStatus{State: envelope.ChargeUnpaid}, nil
		}
		run(t, s.relay(t), time.Second)
		if n := len(s.called("query charge")); n > 2*chargesInFlight || time.Since(start()) > 11*time.Second {
			t.Errorf("%d questions, stopped after %v", n, time.Since(start()))
		}
	})
}
