package orderset_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/settest"
)

func TestExpireRefundsExactlyTheRest(t *testing.T) {
	w := servers.World(t, 1)
	s := w.Router.Sets()[0]
	for _, openers := range []int{0, 1, 9} {
		e := expired(t, w, envelope.Order{Total: 12345, Count: 10}, crowd(openers)...)
		snap := find(t, w, e.ID)
		if snap.Envelope != e || e.Refunded != 12345-e.Opened || e.Remaining() != 0 || e.FinishedAt.Before(e.ExpiresAt) || e.OpenedCount != openers {
			t.Errorf("answered %+v, stored %+v", e, snap.Envelope)
		}
		refund := transfer(t, w, e.ID, 0)
		if refund.Amount != e.Refunded || refund.Payee != e.Sender || refund.Charged != e.Total || refund.No() != string(e.ID)+"R" {
			t.Errorf("owed is %+v", refund)
		}
		for range 3 { // a repeat is a result
			if again, err := s.Expire(t.Context(), e.ID); err != nil || again != e {
				t.Errorf("again: %+v, %v", again, err)
			}
		}
		if o := open(t, s, requests(e.ID, "late"))[0]; o.Outcome != envelope.TooLate {
			t.Errorf("opened after the end: %+v", o)
		}
		carryOut(t, s)
		wantState(t, w, e.ID, envelope.Settled, e.Ver+1)
	}
}

func TestOnlyOverdueActiveEnvelopesExpire(t *testing.T) {
	w := servers.World(t, 1)
	s := w.Router.Sets()[0]
	active := w.Active(t, 0, envelope.Order{Total: 100, Count: 2})
	empty := livingOpened(t, w, s, 50*time.Millisecond, envelope.Order{Total: 1, Count: 1}, "ann")
	unpaid := w.Unpaid(t, 0, envelope.Order{Total: 100, Count: 2})
	for id, want := range map[envelope.ID]envelope.State{active.ID: envelope.Active, empty.ID: envelope.Empty, unpaid.ID: envelope.Unpaid} {
		rows := outboxRows(t, w)
		e, err := s.Expire(t.Context(), id)
		if err != nil || e.State != want || e.Refunded != 0 {
			t.Errorf("got %+v, %v, want it %s as before", e, err, want)
		}
		if outboxRows(t, w) != rows {
			t.Errorf("%s: an outbox row for nothing", want)
		}
	}
	nobody := w.Sending(t, 0, envelope.Order{Total: 100, Count: 2}).Envelope.ID
	for _, id := range []envelope.ID{nobody, idOnDay(nobody, -10)} {
		if _, err := w.Router.Expire(t.Context(), id); !errors.Is(err, envelope.ErrNotFound) {
			t.Errorf("got %v, want ErrNotFound", err)
		}
		if _, err := w.Router.CloseUnpaid(t.Context(), id); !errors.Is(err, envelope.ErrNotFound) {
			t.Errorf("got %v, want ErrNotFound", err)
		}
	}
}

// FF7: an unpaid envelope is closed once, and a paid one is not.
func TestOnlyUnpaidEnvelopesAreClosedOnce(t *testing.T) {
	w := servers.World(t, 1)
	e := w.Unpaid(t, 0, envelope.Order{Total: 100, Count: 2})
	for range 3 {
		closed, err := w.Router.CloseUnpaid(t.Context(), e.ID)
		if err != nil || closed.State != envelope.Closed || closed.Ver != 2 {
			t.Errorf("got %+v, %v, want it closed", closed, err)
		}
	}
	wantState(t, w, e.ID, envelope.Closed, 2)
	paid := w.Active(t, 0, envelope.Order{Total: 100, Count: 2})
	if kept, err := w.Router.CloseUnpaid(t.Context(), paid.ID); err != nil || kept.State != envelope.Active {
		t.Errorf("got %+v, %v, want it active as before", kept, err)
	}
	for range 20 { // one of the two is first, and the money is accounted for
		e := w.Unpaid(t, 0, envelope.Order{Total: 100, Count: 2})
		var both sync.WaitGroup
		both.Go(func() {
			if _, err := w.Router.CloseUnpaid(t.Context(), e.ID); err != nil {
				t.Error(err)
			}
		})
		both.Go(func() {
			if _, err := w.Router.Pay(t.Context(), payment(e, "tx-"+string(e.ID)[4:])); err != nil {
				t.Error(err)
			}
		})
		both.Wait()
		if now := find(t, w, e.ID).Envelope; !(now.State == envelope.Active && now.Refunded == 0 || now.State == envelope.Closed && now.Refunded == 100) {
			t.Errorf("paid and closed: %+v", now)
		}
	}
}

// FG13: sweeps that run at once refund each envelope once.
func TestManySweepsAtOnceRefundOnce(t *testing.T) {
	w := servers.World(t, 1)
	e := living(t, w, 50*time.Millisecond, envelope.Order{Total: 1000, Count: 10})
	eventually(t, 5*time.Second, "its life is over", func() bool {
		due, err := w.Router.Sets()[0].DueExpiries(t.Context(), 10)
		return err == nil && len(due) == 1
	})
	var sweeps sync.WaitGroup
	for range 3 {
		s := serverOf(t, w, 16).Sets()[0]
		for range 4 {
			sweeps.Go(func() {
				if now, err := s.Expire(t.Context(), e.ID); err != nil || now.State != envelope.Expired || now.Refunded != 1000 || now.Ver != 3 {
					t.Errorf("got %+v, %v", now, err)
				}
			})
		}
	}
	sweeps.Wait()
	if n := count(t, w.Admin(t, 0), "SELECT COUNT(*) FROM transfer"); n != 1 {
		t.Errorf("%d transfers, want the one refund", n)
	}
}

// FG15: a sweep after hours finds everything overdue, the oldest first.
func TestLateSweepFindsTheOldestFirst(t *testing.T) {
	w := servers.World(t, 1)
	s := w.Router.Sets()[0]
	admin := w.Admin(t, 0)
	var want []envelope.ID
	for i := range 25 { // of all tables, hours and days back
		e := w.Active(t, 0, envelope.Order{Total: 1000, Count: 10})
		exec(t, admin, fmt.Sprintf("UPDATE %s SET expires_at = UTC_TIMESTAMP(3) - INTERVAL %d HOUR WHERE order_id = '%s'", envelopes(e.ID), 100-3*i, e.ID))
		want = append(want, e.ID)
	}
	w.Active(t, 0, envelope.Order{Total: 1000, Count: 10}) // lives on
	if due, err := s.DueExpiries(t.Context(), 7); err != nil || !slices.Equal(due, want[:7]) {
		t.Errorf("due are %v, %v, want %v", due, err, want[:7])
	}
	due, err := s.DueExpiries(t.Context(), 1000)
	if err != nil || !slices.Equal(due, want) {
		t.Errorf("due are %v, %v, want %v", due, err, want)
	}
	for _, id := range due {
		if e, err := s.Expire(t.Context(), id); err != nil || e.State != envelope.Expired {
			t.Errorf("%+v, %v", e, err)
		}
	}
	if due, err := s.DueExpiries(t.Context(), 10); err != nil || len(due) > 0 {
		t.Errorf("still due: %v, %v", due, err)
	}
}

// FG12: envelopes that expire while they are opened are refunded to the fen.
func TestExpiryUnderLoadIsExact(t *testing.T) {
	w := servers.World(t, 1)
	const many, openers = 120, 6
	var es []envelope.Envelope
	for i := range many { // their ends lie within a few milliseconds of each other
		es = append(es, living(t, w, 4*time.Second-time.Duration(i)*8*time.Millisecond, envelope.Order{Total: 40000, Count: 400}))
	}
	last := es[0].ExpiresAt
	for _, e := range es {
		if e.ExpiresAt.After(last) {
			last = e.ExpiresAt
		}
	}
	var fire sync.WaitGroup
	for o := range openers {
		s := serverOf(t, w, []int{0, 1024}[o%2]).Sets()[0]
		fire.Go(func() {
			for round := 0; time.Now().Before(last.Add(20 * time.Millisecond)); round++ {
				var reqs []envelope.OpenRequest
				for i := range es {
					reqs = append(reqs, envelope.OpenRequest{ID: es[i].ID, User: envelope.UserID(fmt.Sprintf("u%d-%d", o, round))})
				}
				if _, err := s.Open(t.Context(), reqs[:many/2]); err != nil && !isBusy(err) {
					t.Error(err)
				}
				if _, err := s.Open(t.Context(), reqs[many/2:]); err != nil && !isBusy(err) {
					t.Error(err)
				}
			}
		})
	}
	for range 2 {
		s := serverOf(t, w, 1024).Sets()[0]
		fire.Go(func() {
			for time.Now().Before(last.Add(20 * time.Millisecond)) {
				due, err := s.DueExpiries(t.Context(), 1000)
				if err != nil && !isBusy(err) {
					t.Error(err)
				}
				for _, id := range due {
					if _, err := s.Expire(t.Context(), id); err != nil && !isBusy(err) {
						t.Error(err)
					}
				}
			}
		})
	}
	fire.Wait()
	opened, refunded := envelope.Fen(0), envelope.Fen(0)
	for _, e := range es {
		now, err := w.Router.Expire(t.Context(), e.ID)
		if err != nil || now.State != envelope.Expired && now.State != envelope.Empty {
			t.Errorf("%+v, %v", now, err)
		}
		opened, refunded = opened+now.Opened, refunded+now.Refunded
	}
	if opened+refunded != many*40000 || opened == 0 || refunded == 0 {
		t.Errorf("opened %v and refunded %v of %v", opened, refunded, envelope.Fen(many*40000))
	}
	carryOut(t, w.Router.Sets()[0])
	if books := w.CheckBooks(t)[0]; books.Posted != many*40000 || books.Pending != 0 {
		t.Errorf("the books say %v", books)
	}
}

func TestEndWithALostStatementComesOnce(t *testing.T) {
	w := servers.World(t, 1)
	s := w.Router.Sets()[0]
	ends := map[string]struct {
		statements []string
		ready      func(t *testing.T) envelope.Envelope
		end        func(envelope.ID) (envelope.Envelope, error)
		want       envelope.State
	}{
		"expire": {[]string{"START", "SELECT order_id", "UPDATE envelope", "INSERT INTO transfer", "INSERT INTO outbox", "COMMIT"}, func(t *testing.T) envelope.Envelope {
			e := living(t, w, 20*time.Millisecond, envelope.Order{Total: 1000, Count: 10})
			eventually(t, 5*time.Second, "its life is over", func() bool {
				due, err := s.DueExpiries(t.Context(), 10)
				return err == nil && slices.Contains(due, e.ID)
			})
			return e
		}, func(id envelope.ID) (envelope.Envelope, error) { return s.Expire(t.Context(), id) }, envelope.Expired},
		"close": {[]string{"SELECT order_id", "UPDATE envelope", "INSERT INTO outbox", "COMMIT"}, func(t *testing.T) envelope.Envelope {
			return w.Unpaid(t, 0, envelope.Order{Total: 1000, Count: 10})
		}, func(id envelope.ID) (envelope.Envelope, error) { return s.CloseUnpaid(t.Context(), id) }, envelope.Closed},
	}
	for name, c := range ends {
		for half, fault := range bothFaults {
			for _, statement := range c.statements {
				t.Run(name+", "+statement+" "+half, func(t *testing.T) {
					e := c.ready(t)
					rows, hits := outboxRows(t, w), w.Proxies[0].Hits()
					w.Proxies[0].Lose(fault, statement)
					_, err := c.end(e.ID)
					if w.Proxies[0].Hits() != hits+1 {
						t.Fatal("nothing was lost")
					}
					if err != nil {
						wantBusy(t, err, "set_unavailable")
					}
					if ended, err := c.end(e.ID); err != nil || ended.State != c.want || ended.Ver != e.Ver+1 {
						t.Errorf("the repeat: %+v, %v", ended, err)
					}
					if n := outboxRows(t, w) - rows; n != 1 {
						t.Errorf("%d outbox rows, want 1", n)
					}
				})
			}
		}
	}
	wantHealthyPool(t, w, 0)
}

func TestUnresolvableEndIsUnknown(t *testing.T) {
	w := servers.World(t, 1)
	s := w.Router.Sets()[0]
	for _, fault := range bothFaults {
		e := w.Unpaid(t, 0, envelope.Order{Total: 1000, Count: 10})
		for range 3 {
			w.Proxies[0].Lose(fault, "COMMIT")
		}
		_, err := s.CloseUnpaid(t.Context(), e.ID)
		if fault == settest.LostBefore && !errors.Is(err, envelope.ErrUnknownOutcome) {
			t.Errorf("got %v, want ErrUnknownOutcome", err)
		}
		for closed := false; !closed; { // what is planned still is used up
			now, err := s.CloseUnpaid(t.Context(), e.ID)
			closed = err == nil && now.State == envelope.Closed
		}
		wantState(t, w, e.ID, envelope.Closed, 2)
	}
}
