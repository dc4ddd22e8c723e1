package orderset_test

import (
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/settest"
	"hongbao/orderset"
	"hongbao/orderset/upkeep"
)

func TestPurgeDeletesOnlyWhatIsOver(t *testing.T) {
	w := servers.World(t, 1)
	s, admin := w.Router.Sets()[0], w.Admin(t, 0)
	over := expired(t, w, envelope.Order{Total: 1000, Count: 10}, "ann")
	opened := w.Active(t, 0, envelope.Order{Total: 100, Count: 1})
	open(t, s, requests(opened.ID, "ann"))
	closed := w.Unpaid(t, 0, envelope.Order{Total: 100, Count: 1})
	if _, err := s.CloseUnpaid(t.Context(), closed.ID); err != nil {
		t.Fatal(err)
	}
	alive := w.Active(t, 0, envelope.Order{Total: 100, Count: 2})
	carryOut(t, s)
	for _, topic := range []envelope.Topic{envelope.TopicBook, envelope.TopicEvent} {
		tell(t, s, topic)
	}
	exec(t, admin, "UPDATE delivery SET state = 'idle' WHERE topic = 'charge'")
	untold := w.Active(t, 0, envelope.Order{Total: 100, Count: 1}) // settled, and the event is parked
	open(t, s, requests(untold.ID, "ann"))
	carryOut(t, s)
	tell(t, s, envelope.TopicBook)
	if err := s.Owed().ParkDelivery(t.Context(), deliveries(t, s, envelope.TopicEvent)[0], 0, "poison"); err != nil {
		t.Fatal(err)
	}
	exec(t, admin, "UPDATE outbox SET created_at = created_at - INTERVAL 3 HOUR", "UPDATE delivery SET due_at = due_at - INTERVAL 3 HOUR")
	behind := w.Active(t, 0, envelope.Order{Total: 100, Count: 1}) // young

	m := migrator(t, w)
	if n, err := m.Purge(t.Context(), 4*time.Hour); err != nil || n != 0 {
		t.Errorf("%d rows younger than 4 h were purged, %v", n, err)
	}
	rows := func(query string, args ...any) int64 { return count(t, admin, "SELECT COUNT(*) FROM "+query, args...) }
	before := rows("outbox") + rows("delivery")
	n, err := m.Purge(t.Context(), time.Hour)
	if err != nil || int64(n) != before-rows("outbox")-rows("delivery") {
		t.Errorf("%d rows were purged of %d, %v", n, before, err)
	}
	if left := rows("outbox WHERE state = 'spread'"); left != 0 || rows("outbox WHERE state = 'pending'") != 1 {
		t.Errorf("%d spread outbox rows are left", left)
	}
	for id, want := range map[envelope.ID]int64{over.ID: 0, opened.ID: 0, closed.ID: 0, alive.ID: 3, untold.ID: 2, behind.ID: 1} {
		if left := rows("delivery WHERE order_id = ?", id); left != want {
			t.Errorf("envelope %s is %s: %d deliveries are left, want %d", id, find(t, w, id).Envelope.State, left, want)
		}
	}
	if n, err := m.Purge(t.Context(), time.Hour); err != nil || n != 0 {
		t.Errorf("%d more were purged, %v", n, err)
	}
	spread(t, s)
	if facts := tell(t, s, envelope.TopicBook); len(facts) != 1 || facts[0].Envelope.ID != behind.ID {
		t.Errorf("told again: %v", facts)
	}
	if _, err := m.Purge(t.Context(), time.Second); err == nil {
		t.Error("what is a second old was purged")
	}
}

func TestPurgeGoesAThousandRowsAtATime(t *testing.T) {
	w := servers.World(t, 1)
	s, admin := w.Router.Sets()[0], w.Admin(t, 0)
	e := w.Active(t, 0, envelope.Order{Total: 100, Count: 1})
	open(t, s, requests(e.ID, "ann"))
	carryOut(t, s)
	id := string(e.ID)
	exec(t, admin, "INSERT INTO outbox (touched, state, created_at) SELECT '"+id+"', 'spread', UTC_TIMESTAMP(3) - INTERVAL 2 HOUR FROM "+upTo(2500),
		"INSERT INTO delivery (order_id, topic, state, due_at, since) SELECT LPAD(seq, 23, '0'), 'book', 'idle', UTC_TIMESTAMP(3) - INTERVAL 2 HOUR, UTC_TIMESTAMP(3) FROM "+upTo(2500),
		"UPDATE delivery SET state = 'idle', stage = 2, due_at = UTC_TIMESTAMP(3) - INTERVAL 90 MINUTE WHERE order_id = '"+id+"'")
	m := migrator(t, w)
	if n, err := m.Purge(t.Context(), time.Hour); err != nil || n < 2503 {
		t.Errorf("%d rows were purged, %v, want 2500 of the outbox and 3 of the one envelope at least", n, err)
	}
	if n := count(t, admin, "SELECT COUNT(*) FROM delivery"); n != 2500 { // of envelopes that do not exist
		t.Errorf("%d deliveries are left, want 2500", n)
	}
}

// migrator is the world's account that may delete.
func migrator(t testing.TB, w *settest.World) *upkeep.Maintainer {
	t.Helper()
	m, err := upkeep.Open(w.Specs[0].Number, w.Specs[0].Primary, orderset.Account{User: "migrator", Password: "migrator-test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}
