package orderset_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/settest"
	"hongbao/orderset"
	"hongbao/orderset/owed"
)

// lease is longer than any test.
const lease = time.Hour

// living is an active envelope with a life of its own.
func living(t testing.TB, w *settest.World, life time.Duration, o envelope.Order) envelope.Envelope {
	t.Helper()
	s := w.Sending(t, 0, o)
	s.Envelope.ExpiresAt = s.Envelope.CreatedAt.Add(life)
	if _, err := w.Router.Create(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	e, err := w.Router.Pay(t.Context(), payment(s.Envelope, "tx-"+string(s.Envelope.ID)[8:]))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// livingOpened is a living envelope that users have opened through s. On a machine too
// busy to open it in that life it is another one that lives twice as long.
func livingOpened(t testing.TB, w *settest.World, s *orderset.Set, life time.Duration, o envelope.Order, users ...envelope.UserID) envelope.Envelope {
	t.Helper()
	e := living(t, w, life, o)
	if len(users) == 0 {
		return e
	}
	for _, opening := range open(t, s, requests(e.ID, users...)) {
		if opening.Outcome == envelope.TooLate {
			t.Logf("too late to open within %v", life)
			return livingOpened(t, w, s, 2*life, o, users...)
		}
	}
	return e
}

// expired is an envelope that has been opened by some users and then expired.
func expired(t testing.TB, w *settest.World, o envelope.Order, users ...envelope.UserID) envelope.Envelope {
	t.Helper()
	s := w.Router.Sets()[0]
	e := livingOpened(t, w, s, 200*time.Millisecond, o, users...)
	eventually(t, 5*time.Second, "it expires", func() bool {
		var err error
		if e, err = s.Expire(t.Context(), e.ID); err != nil {
			t.Fatal(err)
		}
		return e.State == envelope.Expired
	})
	return e
}

// spread spreads all there is.
func spread(t testing.TB, s *orderset.Set) (envelopes int) {
	t.Helper()
	for {
		n, err := s.Owed().Spread(t.Context(), 256)
		if err != nil {
			t.Fatalf("spread: %v", err)
		}
		if n == 0 {
			return envelopes
		}
		envelopes += n
	}
}

// claim takes what transfers are due.
func claim(t testing.TB, s *orderset.Set, max int) []envelope.Transfer {
	t.Helper()
	ts, err := s.Owed().ClaimTransfers(t.Context(), max, lease)
	if err != nil {
		t.Fatalf("claim transfers: %v", err)
	}
	return ts
}

// say is the same word about some transfers.
func say(p envelope.Progress, ts ...envelope.Transfer) []envelope.TransferUpdate {
	words := make([]envelope.TransferUpdate, len(ts))
	for i, t := range ts {
		words[i] = envelope.TransferUpdate{TransferStatus: envelope.TransferStatus{
			No: t.No(), Progress: p, Amount: t.Amount, ProviderNo: "wx" + t.No()[10:], Code: "ACCOUNT_CLOSED",
		}}
	}
	return words
}

// hear records words that contradict nothing.
func hear(t testing.TB, s *orderset.Set, words []envelope.TransferUpdate) {
	t.Helper()
	errs, err := s.Owed().RecordTransfers(t.Context(), words)
	if err != nil {
		t.Fatalf("hear: %v", err)
	}
	for i, err := range errs {
		if err != nil {
			t.Errorf("hear %s: %v", words[i].No, err)
		}
	}
}

// carryOut posts every transfer that is owed.
func carryOut(t testing.TB, s *orderset.Set) (posted int) {
	t.Helper()
	for {
		n := spread(t, s)
		ts := claim(t, s, 100)
		if len(ts) == 0 && n == 0 {
			return posted
		}
		posted += len(ts)
		hear(t, s, say(envelope.ProgressDone, ts...))
	}
}

// transfer reads one.
func transfer(t testing.TB, w *settest.World, id envelope.ID, seq int) envelope.Transfer {
	t.Helper()
	s, err := w.Router.Set(id)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := s.Owed().Transfer(t.Context(), id, seq)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// deliveries takes what is due under a topic.
func deliveries(t testing.TB, s *orderset.Set, topic envelope.Topic) []envelope.Delivery {
	t.Helper()
	ds, err := s.Owed().ClaimDeliveries(t.Context(), topic, 1024, lease)
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

// tell claims what a topic is due, and finishes it with the facts told.
func tell(t testing.TB, s *orderset.Set, topic envelope.Topic) (facts []envelope.Fact) {
	t.Helper()
	ds := deliveries(t, s, topic)
	statements, err := s.Owed().Statements(t.Context(), ds)
	if err != nil {
		t.Fatal(err)
	}
	for i := range ds {
		if statements[i].Envelope.ID != ds[i].ID {
			t.Fatalf("statement %d is about %s, asked was %s", i, statements[i].Envelope.ID, ds[i].ID)
		}
		var news []envelope.Fact
		news, ds[i].At = envelope.Owed(&statements[i], ds[i].At)
		facts = append(facts, news...)
	}
	if err := s.Owed().FinishDeliveries(t.Context(), ds); err != nil {
		t.Fatal(err)
	}
	return facts
}

func kinds(facts []envelope.Fact) (kinds []envelope.FactKind) {
	for _, f := range facts {
		kinds = append(kinds, f.Kind)
	}
	return kinds
}

func TestFactsOfALifeComeOnceInOrder(t *testing.T) {
	w := servers.World(t, 1)
	s := w.Router.Sets()[0]
	e := living(t, w, time.Second, envelope.Order{Total: 1000, Count: 10})
	if facts := tell(t, s, envelope.TopicBook); facts != nil {
		t.Errorf("told %v before anything was spread", kinds(facts))
	}
	spread(t, s)
	if got, want := kinds(tell(t, s, envelope.TopicBook)), []envelope.FactKind{envelope.FactActive}; !slices.Equal(got, want) {
		t.Errorf("told %v, want %v", got, want)
	}
	opened := open(t, s, requests(e.ID, "ann", "bob"))
	opened = append(opened, open(t, s, requests(e.ID, "carl"))...)
	spread(t, s)
	rested(t, w)
	facts := tell(t, s, envelope.TopicBook)
	if len(facts) != 1 || facts[0].Kind != envelope.FactOpened || len(facts[0].Shares) != 3 {
		t.Fatalf("told %+v, want three shares", facts)
	}
	for i, o := range opened {
		if !sameShare(facts[0].Shares[i], o.Share) {
			t.Errorf("told of %+v, opened was %+v", facts[0].Shares[i], o.Share)
		}
	}
	eventually(t, 5*time.Second, "it expires", func() bool {
		now, err := s.Expire(t.Context(), e.ID)
		return err == nil && now.State == envelope.Expired
	})
	spread(t, s)
	rested(t, w)
	facts = tell(t, s, envelope.TopicBook)
	if len(facts) != 1 || facts[0].Kind != envelope.FactFinished || len(facts[0].Shares) != 3 || facts[0].BestLuck == 0 {
		t.Errorf("told %+v, want the end with all three shares", facts)
	}
	carryOut(t, s)
	rested(t, w)
	facts = tell(t, s, envelope.TopicBook)
	if refund := transfer(t, w, e.ID, 0); len(facts) != 1 || facts[0].Kind != envelope.FactRefunded || facts[0].Refund.Amount != refund.Amount || facts[0].Refund.PostedAt.IsZero() {
		t.Errorf("told %+v, want the refund", facts)
	}
	rested(t, w)
	if facts := tell(t, s, envelope.TopicBook); facts != nil {
		t.Errorf("told %v after the end", kinds(facts))
	}
	want := []envelope.FactKind{envelope.FactActive, envelope.FactOpened, envelope.FactFinished, envelope.FactRefunded}
	if got := kinds(tell(t, s, envelope.TopicEvent)); !slices.Equal(got, want) {
		t.Errorf("who was away is told %v, want %v", got, want)
	}
}

func TestStatementsKeepTheOrderAsked(t *testing.T) {
	w := servers.World(t, 1)
	s := w.Router.Sets()[0]
	var ds []envelope.Delivery
	for i := range 40 { // of all tables
		e := w.Active(t, 0, envelope.Order{Total: 1000, Count: 5})
		for _, u := range crowd(i % 6) {
			open(t, s, requests(e.ID, u))
		}
		ds = append(ds, envelope.Delivery{ID: e.ID, Topic: envelope.TopicBook, At: envelope.Cursor{Seq: i % 3}})
	}
	ds = append(ds, ds[7]) // two receivers of one envelope
	ds[len(ds)-1].At.Seq = 0
	statements, err := s.Owed().Statements(t.Context(), ds)
	if err != nil {
		t.Fatal(err)
	}
	for i, st := range statements {
		snap := find(t, w, ds[i].ID)
		want := snap.Shares[min(ds[i].At.Seq, len(snap.Shares)):]
		if snap.Envelope.State.Finished() {
			want = snap.Shares
		}
		if st.Envelope != snap.Envelope || !slices.Equal(st.Shares, want) || st.Now.IsZero() {
			t.Errorf("statement %d: got %+v, want %+v with shares %+v", i, st, snap.Envelope, want)
		}
	}
	ds[3].ID = w.Sending(t, 0, envelope.Order{Total: 1000, Count: 5}).Envelope.ID
	if _, err := s.Owed().Statements(t.Context(), ds); !errors.Is(err, envelope.ErrNotFound) {
		t.Errorf("a delivery without an envelope: got %v, want ErrNotFound", err)
	}
	if none, err := s.Owed().Statements(t.Context(), nil); err != nil || len(none) != 0 {
		t.Errorf("nothing asked: %v, %v", none, err)
	}
}

func TestASendIsAskedAboutFiveSecondsLater(t *testing.T) {
	w := servers.World(t, 1)
	e := w.Unpaid(t, 0, envelope.Order{Total: 1000, Count: 5})
	admin := w.Admin(t, 0)
	if n := count(t, admin, "SELECT TIMESTAMPDIFF(MICROSECOND, since, due_at) FROM delivery WHERE order_id = ? AND topic = 'charge' AND state = 'pending'", e.ID); n != 5e6 {
		t.Errorf("due %d µs after the send, want 5 s", n)
	}
	if ds := deliveries(t, w.Router.Sets()[0], envelope.TopicCharge); len(ds) != 0 {
		t.Errorf("due already: %v", ds)
	}
	exec(t, admin, "UPDATE delivery SET due_at = since")
	ds := deliveries(t, w.Router.Sets()[0], envelope.TopicCharge)
	if len(ds) != 1 || ds[0].ID != e.ID || ds[0].Attempts != 1 {
		t.Errorf("got %v, want the one charge", ds)
	}
	backlog, err := w.Router.Sets()[0].Owed().Backlog(t.Context())
	if err != nil || backlog[string(envelope.TopicCharge)].Pending != 1 {
		t.Errorf("backlog %v, %v, want one charge", backlog, err)
	}
}

func TestTheBacklogCountsWhatWaits(t *testing.T) {
	w := servers.World(t, 1)
	s := w.Router.Sets()[0]
	e := w.Active(t, 0, envelope.Order{Total: 1000, Count: 5})
	open(t, s, requests(e.ID, "ann", "bob"))
	want := func(pending ...int) owed.Backlog {
		t.Helper()
		b, err := s.Owed().Backlog(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for i, topic := range []string{"outbox", "charge", "book", "event", "transfer"} {
			if b[topic].Pending != pending[i] || (b[topic].Oldest > 0) != (pending[i] > 0) {
				t.Errorf("%s: %+v, want %d pending", topic, b[topic], pending[i])
			}
		}
		return b
	}
	want(2, 1, 0, 0, 0)
	spread(t, s)
	want(0, 1, 1, 1, 2)
	tell(t, s, envelope.TopicBook)
	d := deliveries(t, s, envelope.TopicEvent)[0]
	if err := s.Owed().ParkDelivery(t.Context(), d, 0, "poison"); err != nil {
		t.Fatal(err)
	}
	ts := claim(t, s, 10)
	hear(t, s, say(envelope.ProgressRefused, ts[:1]...))
	if b := want(0, 1, 0, 0, 1); b["event"].Stuck != 1 || b["transfer"].Stuck != 1 || b["book"].Stuck != 0 {
		t.Errorf("%+v, want an event and a transfer stuck", b)
	}
}

func TestATopicStaysPausedUntilItIsResumed(t *testing.T) {
	w := servers.World(t, 1)
	s, other := w.Router.Sets()[0], serverOf(t, w, 0).Sets()[0]
	paused := func() string {
		t.Helper()
		p, err := other.Owed().Paused(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(p)
	}
	for _, topic := range []string{"transfer", "event", "event"} {
		if err := s.Owed().Pause(t.Context(), topic, "the bank's holiday \U0001F9E7"); err != nil {
			t.Fatal(err)
		}
	}
	if got := paused(); got != "map[event:the bank's holiday \U0001F9E7 transfer:the bank's holiday \U0001F9E7]" {
		t.Errorf("paused: %s", got)
	}
	for _, topic := range []string{"transfer", "book"} {
		if err := other.Owed().Resume(t.Context(), topic); err != nil {
			t.Fatal(err)
		}
	}
	if got := paused(); got != "map[event:the bank's holiday \U0001F9E7]" {
		t.Errorf("paused: %s", got)
	}
	wantInvalid(t, s.Owed().Pause(t.Context(), "everything", ""), "topic")
	wantInvalid(t, s.Owed().Resume(t.Context(), ""), "topic")
}

// wantInvalid fails unless err names the field.
func wantInvalid(t testing.TB, err error, field string) {
	t.Helper()
	invalid, ok := errors.AsType[*envelope.InvalidError](err)
	if !ok || invalid.Field != field {
		t.Errorf("got %v, want an InvalidError about %s", err, field)
	}
}
