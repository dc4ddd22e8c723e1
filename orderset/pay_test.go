package orderset_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/settest"
)

// payment is the one that an envelope waits for.
func payment(e envelope.Envelope, transaction string) envelope.Payment {
	return envelope.Payment{OrderNo: e.ID, TransactionID: transaction, Amount: e.Total, PaidAt: time.Now()}
}

func wantState(t testing.TB, w *settest.World, id envelope.ID, state envelope.State, ver int64) {
	t.Helper()
	if e := find(t, w, id).Envelope; e.State != state || e.Ver != ver {
		t.Errorf("envelope %s is %s at version %d, want %s at %d", id, e.State, e.Ver, state, ver)
	}
}

func TestPayMakesAnUnpaidEnvelopeActiveOnce(t *testing.T) {
	w := servers.World(t, 1)
	e := w.Unpaid(t, 0, envelope.Order{Total: 100, Count: 2})
	wantState(t, w, e.ID, envelope.Unpaid, 1)
	paid, err := w.Router.Pay(t.Context(), payment(e, "tx-1"))
	if err != nil {
		t.Fatal(err)
	}
	if paid.State != envelope.Active || paid.Ver != 2 || paid.TransactionID != "tx-1" || paid.PaidAt.IsZero() {
		t.Errorf("got %+v, want it active under tx-1", paid)
	}
	for range 3 { // a repeat is a result, and changes nothing
		again, err := w.Router.Pay(t.Context(), payment(e, "tx-1"))
		if err != nil || again != paid {
			t.Errorf("a repeat: got %+v, %v, want %+v", again, err, paid)
		}
	}
	open(t, w.Router.Sets()[0], requests(e.ID, "ann", "bob"))
	if empty, err := w.Router.Pay(t.Context(), payment(e, "tx-1")); err != nil || empty.State != envelope.Empty {
		t.Errorf("a repeat after the last share: got %s, %v, want empty", empty.State, err)
	}
	wantState(t, w, e.ID, envelope.Empty, 3)
}

// The provider's time of a payment is kept, in time and late, and its arrival
// where that time cannot be true (FS15).
func TestPaidAtIsTheProvidersTime(t *testing.T) {
	w := servers.World(t, 1)
	set := w.Router.Sets()[0]
	for name, c := range map[string]struct {
		before time.Duration // arrival
		kept   bool
	}{
		"an hour on its way":   {time.Hour, true},
		"a minute on its way":  {time.Minute, true},
		"before it was sent":   {3 * time.Hour, false},
		"tomorrow":             {-24 * time.Hour, false},
		"a wrong century":      {100 * 365 * 24 * time.Hour, false},
		"on a clock a bit off": {-time.Minute, false}, // not in the future, but now
	} {
		for _, close := range []bool{false, true} {
			s := w.Sending(t, 0, envelope.Order{Total: 100, Count: 2})
			s.Envelope.CreatedAt = s.Envelope.CreatedAt.Add(-2 * time.Hour)
			if _, err := w.Router.Create(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			if close {
				if _, err := set.CloseUnpaid(t.Context(), s.Envelope.ID); err != nil {
					t.Fatal(err)
				}
			}
			p := payment(s.Envelope, fmt.Sprint("tx-", s.Envelope.ID[12:]))
			arrived := time.Now().UTC().Truncate(time.Millisecond)
			p.PaidAt = arrived.Add(-c.before).Truncate(time.Second)
			paid, err := w.Router.Pay(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			want, off := p.PaidAt, time.Duration(0)
			if !c.kept {
				want, off = arrived, 5*time.Second
			}
			if d := paid.PaidAt.Sub(want); d < 0 || d > off {
				t.Errorf("%s, closed %t: paid at %v, want %v", name, close, paid.PaidAt, want)
			}
			if life := paid.ExpiresAt.Sub(arrived); !close && (life < 26*time.Hour-time.Second || life > 26*time.Hour+5*time.Second) {
				t.Errorf("%s: its openers have %v, want what was promised from when it became active", name, life)
			}
			if again, err := w.Router.Pay(t.Context(), p); err != nil || again != paid {
				t.Errorf("%s: a repeat: %+v, %v, want %+v", name, again, err, paid)
			}
		}
	}
}

// FF5: a payment of another sum, or by a second transaction, activates nothing.
func TestMismatchedPaymentActivatesNothing(t *testing.T) {
	w := servers.World(t, 1)
	e := w.Unpaid(t, 0, envelope.Order{Total: 100, Count: 2})
	pay := func(transaction string, amount envelope.Fen) error {
		p := payment(e, transaction)
		p.Amount = amount
		_, err := w.Router.Pay(t.Context(), p)
		return err
	}
	for _, amount := range []envelope.Fen{99, 101, 0, -100, 10000, 1 << 62} {
		if err := pay("tx-1", amount); !errors.Is(err, envelope.ErrPaymentMismatch) {
			t.Errorf("%d fen: got %v, want ErrPaymentMismatch", amount, err)
		}
		wantState(t, w, e.ID, envelope.Unpaid, 1)
	}
	if err := pay("tx-1", 100); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		transaction string
		amount      envelope.Fen
	}{{"tx-2", 100}, {"TX-1", 100}, {"tx-1", 99}, {"tx-1", 101}} {
		if err := pay(c.transaction, c.amount); !errors.Is(err, envelope.ErrPaymentMismatch) {
			t.Errorf("%s of %d fen after tx-1 of 100: got %v, want ErrPaymentMismatch", c.transaction, c.amount, err)
		}
	}
	wantState(t, w, e.ID, envelope.Active, 2)
	if tx := find(t, w, e.ID).Envelope.TransactionID; tx != "tx-1" {
		t.Errorf("the envelope was paid by %q, want tx-1", tx)
	}
}

func TestPaymentNeedsNoDrawKey(t *testing.T) {
	w := servers.World(t, 1)
	cfg := configOf(w, "wrong key")
	cfg.DrawKey, cfg.Memory = drawKey(t), 1024
	e := w.Unpaid(t, 0, envelope.Order{Total: 100, Count: 2})
	if paid, err := newRouter(t, cfg).Pay(t.Context(), payment(e, "tx-1")); err != nil || paid.State != envelope.Active {
		t.Errorf("got %s, %v, want active", paid.State, err)
	}
	wantState(t, w, e.ID, envelope.Active, 2)
}

func TestPaymentOfAnAbsentEnvelope(t *testing.T) {
	w := servers.World(t, 1)
	s := w.Sending(t, 0, envelope.Order{Total: 100, Count: 2})
	if _, err := w.Router.Pay(t.Context(), payment(s.Envelope, "tx-1")); !errors.Is(err, envelope.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

// FF11: a payment for a closed envelope makes its refund in the same transaction.
func TestPaymentAfterCloseMakesItsRefund(t *testing.T) {
	w := servers.World(t, 1)
	s := w.Router.Sets()[0]
	e := w.Unpaid(t, 0, envelope.Order{Total: 100, Count: 2})
	if closed, err := s.CloseUnpaid(t.Context(), e.ID); err != nil || closed.State != envelope.Closed || closed.Ver != 2 {
		t.Fatalf("closed as %+v, %v", closed, err)
	}
	for range 3 {
		late, err := w.Router.Pay(t.Context(), payment(e, "tx-1"))
		if err != nil || late.State != envelope.Closed || late.Refunded != 100 || late.TransactionID != "tx-1" {
			t.Errorf("got %+v, %v, want it closed and refunded", late, err)
		}
	}
	wantState(t, w, e.ID, envelope.Closed, 3)
	if refund := transfer(t, w, e.ID, 0); refund.Amount != 100 || refund.Payee != e.Sender || refund.Charged != 100 {
		t.Errorf("owed is %+v, want 100 fen to %s", refund, e.Sender)
	}
	if _, err := w.Router.Pay(t.Context(), payment(e, "tx-2")); !errors.Is(err, envelope.ErrPaymentMismatch) {
		t.Errorf("a second payment: got %v, want ErrPaymentMismatch", err)
	}
	if o := open(t, s, requests(e.ID, "ann"))[0]; !errors.Is(o.Err, envelope.ErrNotActive) {
		t.Errorf("it was opened: %+v", o)
	}
	carryOut(t, s)
	wantState(t, w, e.ID, envelope.Closed, 3)
	if facts := tell(t, s, envelope.TopicBook); len(facts) != 1 || facts[0].Kind != envelope.FactRefunded {
		t.Errorf("told %v, want the refund alone", kinds(facts))
	}
}

// FF11: any statement of a late payment may be lost; after the repeat there is one refund.
func TestLatePaymentWithALossIsRefundedOnce(t *testing.T) {
	w := servers.World(t, 1)
	s := w.Router.Sets()[0]
	for half, fault := range bothFaults {
		for i, statement := range []string{"UPDATE envelope", "SELECT order_id", "INSERT INTO transfer", "INSERT INTO payment", "INSERT INTO outbox", "COMMIT"} {
			e := w.Unpaid(t, 0, envelope.Order{Total: 100, Count: 2})
			if _, err := s.CloseUnpaid(t.Context(), e.ID); err != nil {
				t.Fatal(err)
			}
			p := payment(e, fmt.Sprint("tx-", i, fault))
			w.Proxies[0].Lose(fault, statement)
			if _, err := w.Router.Pay(t.Context(), p); err != nil && !isBusy(err) && !errors.Is(err, envelope.ErrUnknownOutcome) {
				t.Errorf("%s, %s: %v", statement, half, err)
			}
			if late, err := w.Router.Pay(t.Context(), p); err != nil || late.Refunded != 100 || late.Ver != 3 {
				t.Errorf("the repeat after %s, %s: %+v, %v", statement, half, late, err)
			}
		}
	}
	if w.Proxies[0].Hits() != 12 {
		t.Errorf("%d faults happened, want 12", w.Proxies[0].Hits())
	}
	wantHealthyPool(t, w, 0)
}

// FF5: a payment of another sum is kept once as a dispute.
func TestMismatchedPaymentIsKeptOnce(t *testing.T) {
	w := servers.World(t, 1)
	s := w.Router.Sets()[0]
	e := w.Unpaid(t, 0, envelope.Order{Total: 100, Count: 2})
	wrong := payment(e, "tx-1")
	wrong.Amount = 99
	for range 3 { // the provider repeats itself
		if _, err := s.Pay(t.Context(), wrong); !errors.Is(err, envelope.ErrPaymentMismatch) {
			t.Errorf("got %v, want ErrPaymentMismatch", err)
		}
	}
	if _, err := s.Pay(t.Context(), payment(e, "tx-2")); err != nil {
		t.Fatal(err)
	}
	disputes, err := s.Desk().Disputes(t.Context(), 10)
	if err != nil || len(disputes) != 1 {
		t.Fatalf("%d disputes, %v, want 1", len(disputes), err)
	}
	if d := disputes[0]; d.Kind != "payment" || d.Number != "tx-1" || d.ID != e.ID || d.Amount != 99 || d.What == "" || d.At.IsZero() {
		t.Errorf("kept as %+v", d)
	}
}

// FS13: envelopes lie in a table each digit and day, the provider's numbers do not.
func TestTransactionPaysOneEnvelopeOfASET(t *testing.T) {
	w := servers.World(t, 1)
	s := w.Router.Sets()[0]
	order := envelope.Order{Total: 100, Count: 2}
	first := w.Unpaid(t, 0, order)
	if _, err := w.Router.Pay(t.Context(), payment(first, "tx-1")); err != nil {
		t.Fatal(err)
	}
	other := func(same bool) envelope.Envelope {
		for {
			if e := w.Unpaid(t, 0, order); same == (e.ID.TableDigit() == first.ID.TableDigit()) {
				return e
			}
		}
	}
	yesterday := w.Sending(t, 0, order)
	yesterday.Envelope.ID = idOnDay(yesterday.Envelope.ID, -1)
	yesterday.Envelope.Commitment = w.DrawKey.Seed(yesterday.Envelope.ID).Commitment()
	if _, err := w.Router.Create(t.Context(), yesterday); err != nil {
		t.Fatal(err)
	}
	closed := other(false)
	if _, err := s.CloseUnpaid(t.Context(), closed.ID); err != nil {
		t.Fatal(err)
	}
	for name, e := range map[string]envelope.Envelope{
		"of its table": other(true), "of another digit": other(false), "of another day": yesterday.Envelope, "that is closed": closed,
	} {
		t.Run(name, func(t *testing.T) {
			before := find(t, w, e.ID).Envelope
			for range 3 { // the provider repeats itself
				if _, err := w.Router.Pay(t.Context(), payment(e, "tx-1")); !errors.Is(err, envelope.ErrPaymentMismatch) {
					t.Errorf("got %v, want ErrPaymentMismatch", err)
				}
			}
			if after := find(t, w, e.ID).Envelope; after != before {
				t.Errorf("it was %+v and is %+v", before, after)
			}
			if again, err := w.Router.Pay(t.Context(), payment(first, "tx-1")); err != nil || again.State != envelope.Active {
				t.Errorf("a repeat for the first: %s, %v", again.State, err)
			}
			told := 0
			for _, d := range disputes(t, s) {
				if d.ID == e.ID {
					told++
					if d.Kind != "payment" || d.Number != "tx-1" || d.Amount != 100 || !strings.Contains(d.What, string(first.ID)) {
						t.Errorf("kept as %+v", d)
					}
				}
			}
			if told != 1 {
				t.Errorf("%d disputes, want 1", told)
			}
			if _, err := w.Router.Pay(t.Context(), payment(e, "tx-"+string(e.ID[:20]))); err != nil {
				t.Errorf("its own payment: %v", err)
			}
		})
	}
}

// FS13: and when all are said at once.
func TestTransactionForSixteenPaysOne(t *testing.T) {
	w := servers.World(t, 1)
	var all sync.WaitGroup
	var winners atomic.Int32
	for range 16 {
		e := w.Unpaid(t, 0, envelope.Order{Total: 100, Count: 2})
		for range 2 {
			all.Go(func() {
				paid, err := w.Router.Pay(t.Context(), payment(e, "tx-1"))
				switch {
				case err == nil && paid.State == envelope.Active:
					winners.Add(1)
				case !errors.Is(err, envelope.ErrPaymentMismatch):
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	if books := w.CheckBooks(t)[0]; winners.Load() != 2 || books.Paid != 100 {
		t.Errorf("%d deliveries won, 1.00 was paid and %v taken", winners.Load(), books.Paid)
	}
}

// FF2: a payment before its order is not found; it is recorded when it is sent again.
func TestPaymentBeforeItsOrderIsRetried(t *testing.T) {
	w := servers.World(t, 1)
	s := w.Sending(t, 0, envelope.Order{Total: 100, Count: 2})
	if _, err := w.Router.Pay(t.Context(), payment(s.Envelope, "tx-1")); !errors.Is(err, envelope.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	if _, err := w.Router.Create(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if paid, err := w.Router.Pay(t.Context(), payment(s.Envelope, "tx-1")); err != nil || paid.State != envelope.Active {
		t.Errorf("got %s, %v, want active", paid.State, err)
	}
	if ds := disputes(t, w.Router.Sets()[0]); len(ds) > 0 {
		t.Errorf("disputes: %v", ds)
	}
}

// FF1: sixteen deliveries of one payment at once count once.
func TestSixteenDeliveriesOfAPaymentAreOnce(t *testing.T) {
	w := servers.World(t, 1)
	e := w.Unpaid(t, 0, envelope.Order{Total: 100, Count: 2})
	var wg sync.WaitGroup
	answers := make([]envelope.Envelope, 16)
	for i := range answers {
		wg.Go(func() {
			var err error
			if answers[i], err = w.Router.Pay(t.Context(), payment(e, "tx-1")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i, a := range answers {
		if a != answers[0] {
			t.Errorf("delivery %d was answered %+v, the first %+v", i, a, answers[0])
		}
	}
	wantState(t, w, e.ID, envelope.Active, 2)
}

func TestSixteenTransactionsHaveOneWinner(t *testing.T) {
	w := servers.World(t, 1)
	e := w.Unpaid(t, 0, envelope.Order{Total: 100, Count: 2})
	var wg sync.WaitGroup
	var winners atomic.Int32
	for i := range 16 {
		wg.Go(func() {
			switch _, err := w.Router.Pay(t.Context(), payment(e, fmt.Sprint("tx-", i))); {
			case err == nil:
				winners.Add(1)
			case !errors.Is(err, envelope.ErrPaymentMismatch):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if winners.Load() != 1 {
		t.Errorf("%d transactions paid the envelope", winners.Load())
	}
	wantState(t, w, e.ID, envelope.Active, 2)
}

// FA1: any statement of a payment may be lost; after the repeat it counts once.
func TestPaymentWithALostStatementIsOnce(t *testing.T) {
	w := servers.World(t, 1)
	for i, c := range []struct {
		statement string
		fault     settest.Fault
		want      string
	}{
		{"START", settest.LostBefore, "busy"}, {"START", settest.LostAfter, "busy"},
		{"UPDATE envelope", settest.LostBefore, "busy"}, {"UPDATE envelope", settest.LostAfter, "busy"},
		{"INSERT INTO payment", settest.LostBefore, "busy"}, {"INSERT INTO payment", settest.LostAfter, "busy"},
		{"COMMIT", settest.LostBefore, "unknown"}, {"COMMIT", settest.LostAfter, "paid"},
	} {
		e := w.Unpaid(t, 0, envelope.Order{Total: 100, Count: 2})
		p := payment(e, fmt.Sprint("tx-", i))
		w.Proxies[0].Lose(c.fault, c.statement)
		_, err := w.Router.Pay(t.Context(), p)
		switch c.want {
		case "busy":
			wantBusy(t, err, "set_unavailable")
			wantState(t, w, e.ID, envelope.Unpaid, 1)
		case "unknown":
			if !errors.Is(err, envelope.ErrUnknownOutcome) {
				t.Errorf("%s lost: got %v, want ErrUnknownOutcome", c.statement, err)
			}
		case "paid":
			if err != nil {
				t.Errorf("the answer to %s lost: %v", c.statement, err)
			}
			wantState(t, w, e.ID, envelope.Active, 2)
		}
		if _, err := w.Router.Pay(t.Context(), p); err != nil {
			t.Errorf("the repeat after %s: %v", c.statement, err)
		}
		wantState(t, w, e.ID, envelope.Active, 2)
	}
	if w.Proxies[0].Hits() != 8 {
		t.Errorf("%d faults happened, want 8", w.Proxies[0].Hits())
	}
	wantHealthyPool(t, w, 0)
}

// FF6: the life of an envelope starts at its activation, on the database's clock.
func TestLifeCountsFromActivation(t *testing.T) {
	w := servers.World(t, 1)
	admin := w.Admin(t, 0)
	for _, c := range []struct{ ago, life time.Duration }{
		{0, 24 * time.Hour}, {23 * time.Hour, 24 * time.Hour}, {-10 * time.Minute, time.Minute}, {time.Hour, 168 * time.Hour}, {48 * time.Hour, 90*time.Second + 7*time.Millisecond},
	} {
		s := w.Sending(t, 0, envelope.Order{Total: 100, Count: 2})
		s.Envelope.CreatedAt = s.Envelope.CreatedAt.Add(-c.ago)
		s.Envelope.ExpiresAt = s.Envelope.CreatedAt.Add(c.life)
		if _, err := w.Router.Create(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		var before, after time.Time
		clock := func(now *time.Time) {
			if err := admin.QueryRowContext(t.Context(), "SELECT UTC_TIMESTAMP(3)").Scan(now); err != nil {
				t.Fatal(err)
			}
		}
		clock(&before)
		p := payment(s.Envelope, "tx-"+string(s.Envelope.ID))
		p.PaidAt = time.Now().Add(-time.Hour) // its notification was an hour on its way
		paid, err := w.Router.Pay(t.Context(), p)
		clock(&after)
		if err != nil {
			t.Fatal(err)
		}
		if active := paid.ExpiresAt.Add(-c.life); active.Before(before) || active.After(after) {
			t.Errorf("sent %v ago: it lives until %v, want %v after it was active, between %v and %v", c.ago, paid.ExpiresAt, c.life, before, after)
		}
	}
}
