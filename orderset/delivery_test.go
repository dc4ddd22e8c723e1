package orderset_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/settest"
	"hongbao/orderset"
)

// owedBook has one envelope whose payment has not been delivered.
func owedBook(t testing.TB, w *settest.World) (*orderset.Set, envelope.Envelope) {
	t.Helper()
	s := w.Router.Sets()[0]
	e := w.Active(t, 0, envelope.Order{Total: 1000, Count: 10})
	spread(t, s)
	return s, e
}

// letRest leaves the leases of claims, which are longer, alone.
const letRest = "UPDATE delivery SET due_at = due_at - INTERVAL 3 SECOND WHERE due_at <= UTC_TIMESTAMP(3) + INTERVAL 3 SECOND"

// rested lets the seconds pass after which receivers are told again.
func rested(t testing.TB, w *settest.World) {
	t.Helper()
	exec(t, w.Admin(t, 0), letRest)
}

func TestChangeDuringDeliveryKeepsItDue(t *testing.T) {
	w := servers.World(t, 1)
	s, e := owedBook(t, w)
	first := deliveries(t, s, envelope.TopicBook)
	if len(first) != 1 || first[0].ID != e.ID || first[0].Attempts != 1 || first[0].At != (envelope.Cursor{}) {
		t.Fatalf("claimed %+v", first)
	}
	open(t, s, requests(e.ID, "ann"))
	spread(t, s)
	if more := deliveries(t, s, envelope.TopicBook); len(more) != 0 {
		t.Errorf("claimed twice at a time: %+v", more)
	}
	first[0].At = envelope.Cursor{Stage: envelope.StageActive}
	if err := s.Owed().FinishDeliveries(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if hasty := deliveries(t, s, envelope.TopicBook); len(hasty) != 0 {
		t.Errorf("told again at once: %+v", hasty)
	}
	rested(t, w)
	second := deliveries(t, s, envelope.TopicBook)
	if len(second) != 1 || second[0].At != first[0].At || second[0].Attempts != 1 || second[0].Wanted <= first[0].Wanted {
		t.Fatalf("claimed %+v after %+v", second, first)
	}
	second[0].At.Seq = 1
	if err := s.Owed().FinishDeliveries(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	rested(t, w)
	if more := deliveries(t, s, envelope.TopicBook); len(more) != 0 {
		t.Errorf("still owed: %+v", more)
	}
}

func TestBusyEnvelopeIsDeliveredAtIntervals(t *testing.T) {
	w := servers.World(t, 1)
	s, e := owedBook(t, w)
	for _, user := range []envelope.UserID{"ann", "ben"} {
		told := deliveries(t, s, envelope.TopicBook)
		if len(told) != 1 {
			t.Fatalf("claimed %+v, want the envelope that has been quiet", told)
		}
		if err := s.Owed().FinishDeliveries(t.Context(), told); err != nil {
			t.Fatal(err)
		}
		open(t, s, requests(e.ID, user))
		spread(t, s)
		if hasty := deliveries(t, s, envelope.TopicBook); len(hasty) != 0 {
			t.Fatalf("told again at once: %+v", hasty)
		}
		rested(t, w)
	}
	if told := deliveries(t, s, envelope.TopicBook); len(told) != 1 || told[0].Wanted != 3 {
		t.Errorf("claimed %+v, want all that happened at once", told)
	}
}

// FG7: a delivery whose lease has been taken over changes nothing.
func TestOvertakenClaimChangesNothing(t *testing.T) {
	w := servers.World(t, 1)
	s, e := owedBook(t, w)
	admin := w.Admin(t, 0)
	stored := func() (row string) {
		t.Helper()
		if err := admin.QueryRowContext(t.Context(), "SELECT CONCAT_WS(',', stage, seq, wanted, state, attempts, due_at, since, reason) FROM delivery WHERE order_id = ? AND topic = 'book'", e.ID).Scan(&row); err != nil {
			t.Fatal(err)
		}
		return row
	}
	stale := func(d envelope.Delivery, when string) {
		t.Helper()
		before := stored()
		d.At = envelope.Cursor{Stage: envelope.StageRefunded, Seq: 9}
		if err := errors.Join(s.Owed().FinishDeliveries(t.Context(), []envelope.Delivery{d}), s.Owed().PutOffDelivery(t.Context(), d, time.Minute, "stale"), s.Owed().ParkDelivery(t.Context(), d, 0, "stale")); err != nil {
			t.Fatal(err)
		}
		if now := stored(); now != before {
			t.Errorf("%s: a stale claim has made %s of %s", when, now, before)
		}
	}
	first := deliveries(t, s, envelope.TopicBook)[0]
	exec(t, admin, "UPDATE delivery SET due_at = since") // its lease has ended
	second := deliveries(t, s, envelope.TopicBook)[0]
	stale(first, "while another has it")
	second.At.Stage = envelope.StageActive
	if err := s.Owed().FinishDeliveries(t.Context(), []envelope.Delivery{second}); err != nil {
		t.Fatal(err)
	}
	stale(first, "when another has finished it")
	open(t, s, requests(e.ID, "ann"))
	spread(t, s)
	rested(t, w)
	third := deliveries(t, s, envelope.TopicBook)[0]
	stale(first, "when it is owed again, with the same number of attempts")
	third.At = envelope.Cursor{Stage: envelope.StageActive, Seq: 1} // FS30: as far as it was acknowledged
	if s.Owed().ParkDelivery(t.Context(), third, 0, "poison") != nil {
		t.Fatal("not parked")
	}
	stale(third, "when it is parked")
	if err := s.Owed().UnparkDelivery(t.Context(), e.ID, envelope.TopicBook); err != nil {
		t.Fatal(err)
	}
	deliveries(t, s, envelope.TopicBook)
	stale(third, "when it has been unparked and claimed again")
}

func TestPutOffComesBackParkedWaits(t *testing.T) {
	w := servers.World(t, 1)
	s, e := owedBook(t, w)
	d := deliveries(t, s, envelope.TopicEvent)[0]
	if err := s.Owed().PutOffDelivery(t.Context(), d, 30*time.Millisecond, strings.Repeat("紅", 300)); err != nil {
		t.Fatal(err)
	}
	var again []envelope.Delivery
	eventually(t, 5*time.Second, "it comes back", func() bool { again = deliveries(t, s, envelope.TopicEvent); return len(again) > 0 })
	if again[0].Attempts != 2 || !again[0].Since.Equal(d.Since) {
		t.Errorf("came back as %+v after %+v", again[0], d)
	}
	if err := s.Owed().ParkDelivery(t.Context(), again[0], 0, "410 gone"); err != nil {
		t.Fatal(err)
	}
	open(t, s, requests(e.ID, "ann", "bob"))
	spread(t, s)
	if ds := deliveries(t, s, envelope.TopicEvent); len(ds) > 0 {
		t.Errorf("parked, and claimed: %+v", ds)
	}
	parked, err := s.Owed().ParkedDeliveries(t.Context(), 10)
	if err != nil || len(parked) != 1 || parked[0].ID != e.ID || parked[0].Topic != envelope.TopicEvent || parked[0].Reason != "410 gone" {
		t.Errorf("parked are %+v, %v", parked, err)
	}
	if err := s.Owed().UnparkDelivery(t.Context(), e.ID, envelope.TopicEvent); err != nil {
		t.Fatal(err)
	}
	wantNotParked(t, s.Owed().UnparkDelivery(t.Context(), e.ID, envelope.TopicEvent))
	if facts := tell(t, s, envelope.TopicEvent); len(facts) != 2 || len(facts[1].Shares) != 2 {
		t.Errorf("told %v, want what happened meanwhile", kinds(facts))
	}
}

func wantNotParked(t *testing.T, err error) {
	t.Helper()
	if invalid, is := errors.AsType[*envelope.InvalidError](err); !is || invalid.Field != "delivery" || invalid.Why != "is not parked" {
		t.Errorf("got %v, want it refused as not parked", err)
	}
}

// FS34
func TestUnparkNeedsAParkedDelivery(t *testing.T) {
	w := servers.World(t, 1)
	s, e := owedBook(t, w)
	wantNotParked(t, s.Owed().UnparkDelivery(t.Context(), e.ID, envelope.TopicBook))
	other := w.Sending(t, 0, envelope.Order{Total: 1000, Count: 5}).Envelope
	for _, topic := range []envelope.Topic{envelope.TopicBook, "nonsense", ""} {
		if err := s.Owed().UnparkDelivery(t.Context(), other.ID, topic); !errors.Is(err, envelope.ErrNotFound) {
			t.Errorf("%q of an envelope nobody has paid: %v, want ErrNotFound", topic, err)
		}
	}
}

// FG7: four relays deliver the facts of an envelope one after the other.
func TestFourRelaysDeliverSerially(t *testing.T) {
	w := servers.World(t, 1)
	s := w.Router.Sets()[0]
	var es []envelope.Envelope
	for range 30 {
		es = append(es, w.Active(t, 0, envelope.Order{Total: 2000, Count: 20}))
	}
	var mu sync.Mutex // guards the fields below
	told, busy := map[envelope.ID]int{}, map[envelope.ID]bool{}
	relay := func(s *orderset.Set) error {
		ds, err := s.Owed().ClaimDeliveries(t.Context(), envelope.TopicBook, 7, lease)
		if err != nil || len(ds) == 0 {
			return err
		}
		statements, err := s.Owed().Statements(t.Context(), ds)
		if err != nil {
			return err
		}
		for i := range ds {
			mu.Lock()
			if busy[ds[i].ID] {
				t.Errorf("%s is told by two at a time", ds[i].ID)
			}
			busy[ds[i].ID] = true
			var facts []envelope.Fact
			facts, ds[i].At = envelope.Owed(&statements[i], ds[i].At)
			for _, f := range facts {
				if f.Kind != envelope.FactOpened {
					continue
				}
				for _, share := range f.Shares {
					if told[ds[i].ID]++; told[ds[i].ID] != share.Seq {
						t.Errorf("%s: share %d was told as number %d", ds[i].ID, share.Seq, told[ds[i].ID])
					}
				}
			}
			mu.Unlock()
		}
		mu.Lock()
		for _, d := range ds {
			delete(busy, d.ID)
		}
		mu.Unlock()
		return s.Owed().FinishDeliveries(t.Context(), ds)
	}
	var openers, relays sync.WaitGroup
	stop := make(chan struct{})
	admin := w.Admin(t, 0)
	relays.Go(func() { // no pauses: they are to meet often
		for tick := time.NewTicker(10 * time.Millisecond); ; {
			_, _ = admin.ExecContext(t.Context(), letRest) // may be the victim of a deadlock
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	})
	for range 4 {
		own := serverOf(t, w, 0).Sets()[0]
		relays.Go(func() {
			for over := false; ; {
				spread, err := own.Owed().Spread(t.Context(), 8)
				waiting, backlogErr := own.Owed().Backlog(t.Context())
				if err = errors.Join(err, relay(own), backlogErr); err != nil && !isBusy(err) {
					t.Error(err)
				}
				if over && spread == 0 && err == nil && waiting[string(envelope.TopicBook)].Pending == 0 {
					return
				}
				select {
				case <-stop:
					over = true
				default:
				}
			}
		})
	}
	for _, u := range crowd(20) {
		openers.Go(func() {
			for _, e := range es {
				if _, err := s.Open(t.Context(), requests(e.ID, u)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	openers.Wait()
	close(stop)
	relays.Wait()
	for _, e := range es {
		if told[e.ID] != 20 {
			t.Errorf("%s: %d shares were told, want 20", e.ID, told[e.ID])
		}
	}
}

func TestDeliveryWithALostStatementIsOnce(t *testing.T) {
	w := servers.World(t, 1)
	for half, fault := range bothFaults {
		for _, statement := range []string{"SELECT order_id, topic", "UPDATE delivery", "UPDATE JSON_TABLE", "COMMIT"} {
			t.Run(statement+" "+half, func(t *testing.T) {
				s, e := owedBook(t, w)
				w.Proxies[0].Lose(fault, statement)
				ds, err := s.Owed().ClaimDeliveries(t.Context(), envelope.TopicBook, 10, lease)
				if err != nil { // a claim that was lost comes back when its lease ends
					exec(t, w.Admin(t, 0), "UPDATE delivery SET due_at = since WHERE state = 'pending'")
					eventually(t, 5*time.Second, "the lost claim lets go", func() bool { ds = deliveries(t, s, envelope.TopicBook); return len(ds) > 0 })
				}
				ds[0].At.Stage = envelope.StageActive
				if err = s.Owed().FinishDeliveries(t.Context(), ds); err != nil {
					wantBusy(t, err, "set_unavailable")
					if err = s.Owed().FinishDeliveries(t.Context(), ds); err != nil {
						t.Fatal(err)
					}
				}
				if n := count(t, w.Admin(t, 0), "SELECT COUNT(*) FROM delivery WHERE order_id = ? AND topic = 'book' AND state = 'idle' AND stage = 1", e.ID); n != 1 {
					t.Error("it is not finished")
				}
			})
		}
	}
	if w.Proxies[0].Hits() != 8 {
		t.Errorf("%d faults happened, want 8", w.Proxies[0].Hits())
	}
	wantHealthyPool(t, w, 0)
}

// FS30: what was acknowledged before a failure is not due any more.
func TestPutOffDeliveryKeepsItsCursor(t *testing.T) {
	w := servers.World(t, 1)
	s, e := owedBook(t, w)
	claim := func() envelope.Delivery {
		t.Helper()
		rested(t, w)
		ds := deliveries(t, s, envelope.TopicBook)
		if len(ds) != 1 || ds[0].ID != e.ID {
			t.Fatalf("claimed %+v", ds)
		}
		return ds[0]
	}
	d := claim()
	d.At = envelope.Cursor{Stage: envelope.StageActive}
	if err := s.Owed().PutOffDelivery(t.Context(), d, 0, "500"); err != nil {
		t.Fatal(err)
	}
	if again := claim(); again.At != d.At {
		t.Errorf("put off at %+v, claimed again at %+v", d.At, again.At)
	} else {
		again.At.Seq = 3
		if err := errors.Join(s.Owed().ParkDelivery(t.Context(), again, 0, "422"), s.Owed().UnparkDelivery(t.Context(), e.ID, envelope.TopicBook)); err != nil {
			t.Fatal(err)
		}
		if third := claim(); third.At != again.At {
			t.Errorf("parked at %+v, claimed again at %+v", again.At, third.At)
		}
	}
}
