package orderset_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongbao/envelope"
	"hongbao/internal/settest"
	"hongbao/orderset"
)

// sentBy counts the envelopes and the keys of a sender in a SET.
func sentBy(t testing.TB, w *settest.World, set int, sender envelope.UserID) (stored, keys int64) {
	t.Helper()
	admin := w.Admin(t, set)
	today := envelope.DayOf(time.Now())
	for digit := range envelope.TableDigits {
		for ahead := -1; ahead <= 1; ahead++ {
			table := fmt.Sprintf("envelope_%d_%02d", digit, today.Add(ahead).OfMonth())
			stored += count(t, admin, "SELECT COUNT(*) FROM "+table+" WHERE sender_id = ?", sender)
		}
	}
	return stored, count(t, admin, "SELECT COUNT(*) FROM send_key WHERE sender_id = ?", sender)
}

func wantSentOnce(t testing.TB, w *settest.World, set int, sender envelope.UserID) {
	t.Helper()
	if stored, keys := sentBy(t, w, set, sender); stored != 1 || keys != 1 {
		t.Errorf("%s has %d envelopes under %d keys, want one under one", sender, stored, keys)
	}
}

// idOnDay moves an ID, its body with it, to a day from now.
func idOnDay(id envelope.ID, ahead int) envelope.ID {
	day := 24 * time.Hour.Milliseconds()
	return (id.Body() + envelope.Body(int64(ahead)*day<<22)).In(id.Set())
}

// movedTo is a sending whose ID is of another day.
func movedTo(w *settest.World, s envelope.Sending, ahead int) envelope.Sending {
	s.Envelope.ID = idOnDay(s.Envelope.ID, ahead)
	s.Envelope.Commitment = w.DrawKey.Seed(s.Envelope.ID).Commitment()
	return s
}

func TestCreateReturnsWhatIsStored(t *testing.T) {
	w := servers.World(t, 1)
	for _, o := range []envelope.Order{
		{Sender: "ann", Key: "lucky", Total: 12345, Count: 7, Greeting: "恭喜发财 \\' \" % _ 🧧"},
		{Sender: "ann", Key: "equal", Kind: envelope.Equal, Share: 20000, Count: 500},
		{Sender: "ann", Key: "exclusive", Kind: envelope.Exclusive, Total: 1, Recipient: "bob"},
	} {
		s := w.Sending(t, 0, o)
		s.Envelope.CreatedAt = s.Envelope.CreatedAt.Add(987654 * time.Nanosecond).Local() // as a real clock has it
		s.Envelope.ExpiresAt = s.Envelope.CreatedAt.Add(24 * time.Hour)
		made, err := w.Router.Create(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		found, err := w.Router.Sets()[0].FindKey(t.Context(), "ann", o.Key)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(made, found); d != "" || made != s.Record() {
			t.Errorf("%s: created (-) is not what is found (+):\n%s", o.Key, d)
		}
		s.Envelope.CreatedAt = s.Envelope.CreatedAt.UTC().Truncate(time.Millisecond)
		s.Envelope.ExpiresAt = s.Envelope.CreatedAt.Add(24 * time.Hour)
		if d := cmp.Diff(s.Envelope, find(t, w, made.ID).Envelope); d != "" {
			t.Errorf("%s: created (-) is not what is read (+):\n%s", o.Key, d)
		}
		if sent, err := w.Router.Sent(t.Context(), made.ID); err != nil || sent != s.Envelope {
			t.Errorf("%s: sent is %+v, %v", o.Key, sent, err)
		}
	}
}

func TestRepeatedKeyReturnsTheFirstEnvelope(t *testing.T) {
	w := servers.World(t, 1)
	first := w.Unpaid(t, 0, envelope.Order{Sender: "ann", Key: "k", Total: 100, Count: 10})
	again := w.Sending(t, 0, envelope.Order{Sender: "ann", Key: "k", Total: 200, Count: 20})
	got, err := w.Router.Create(t.Context(), again)
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != first.ID || got.Hash == again.Hash {
		t.Errorf("got %+v, want the first one with its own hash", got)
	}
	wantSentOnce(t, w, 0, "ann")
	if other := w.Unpaid(t, 0, envelope.Order{Sender: "bob", Key: "k", Total: 100, Count: 10}); other.ID == first.ID {
		t.Error("bob's key found ann's envelope (FH9)")
	}
	for _, missing := range [][2]string{{"ann", "K"}, {"ANN", "k"}, {"carl", "k"}} {
		_, err := w.Router.Sets()[0].FindKey(t.Context(), envelope.UserID(missing[0]), missing[1])
		if !errors.Is(err, envelope.ErrNotFound) {
			t.Errorf("key %q of %q: got %v, want ErrNotFound", missing[1], missing[0], err)
		}
	}
}

func TestConcurrentSendsOfAKeyMakeOne(t *testing.T) {
	w := servers.World(t, 1)
	const senders = 32
	var wg sync.WaitGroup
	ids := make([]envelope.ID, senders)
	for i := range senders {
		s := w.Sending(t, 0, envelope.Order{Sender: "ann", Key: "k", Total: 100, Count: 10})
		wg.Go(func() {
			got, err := w.Router.Create(t.Context(), s)
			for isBusy(err) {
				got, err = w.Router.Create(t.Context(), s)
			}
			if err != nil {
				t.Error(err)
			}
			ids[i] = got.ID
		})
	}
	wg.Wait()
	for i, id := range ids {
		if id != ids[0] {
			t.Errorf("sender %d was given %s, the first one %s", i, id, ids[0])
		}
	}
	wantSentOnce(t, w, 0, "ann")
}

// FA1: any statement of a send may be lost; after the repeat there is one envelope.
func TestSendWithALostStatementExistsOnce(t *testing.T) {
	w := servers.World(t, 1)
	for _, c := range []struct {
		statement string
		fault     settest.Fault
		want      string
	}{
		{"START", settest.LostBefore, "busy"}, {"START", settest.LostAfter, "busy"},
		{"INSERT INTO send_key", settest.LostBefore, "busy"}, {"INSERT INTO send_key", settest.LostAfter, "busy"},
		{"INSERT INTO envelope", settest.LostBefore, "busy"}, {"INSERT INTO envelope", settest.LostAfter, "busy"},
		{"COMMIT", settest.LostBefore, "unknown"}, {"COMMIT", settest.LostAfter, "made"},
	} {
		name := fmt.Sprintf("%s/%d", c.statement, c.fault)
		sender := envelope.UserID(fmt.Sprintf("%.9q/%d", c.statement[len(c.statement)-4:], c.fault))
		s := w.Sending(t, 0, envelope.Order{Sender: sender, Key: "k", Total: 100, Count: 10})
		w.Proxies[0].Lose(c.fault, c.statement)
		got, err := w.Router.Create(t.Context(), s)
		switch c.want {
		case "busy":
			wantBusy(t, err, "set_unavailable")
		case "unknown":
			if !errors.Is(err, envelope.ErrUnknownOutcome) {
				t.Errorf("%s: got %v, want ErrUnknownOutcome", name, err)
			}
		case "made":
			if err != nil || got.ID != s.Envelope.ID {
				t.Errorf("%s: got %v, %v", name, got.ID, err)
			}
		}
		repeat, err := w.Router.Create(t.Context(), w.Sending(t, 0, envelope.Order{Sender: sender, Key: "k", Total: 100, Count: 10}))
		if err != nil {
			t.Fatal(err)
		}
		if (repeat.ID == s.Envelope.ID) != (c.want == "made") {
			t.Errorf("%s: the repeat found %s, the first was to be %s", name, repeat.ID, s.Envelope.ID)
		}
		wantSentOnce(t, w, 0, sender)
	}
	if w.Proxies[0].Hits() != 8 {
		t.Errorf("%d faults happened, want 8", w.Proxies[0].Hits())
	}
	wantHealthyPool(t, w, 0)
}

func TestCreateInASETThatIsDownIsBusy(t *testing.T) {
	w := servers.World(t, 1)
	cfg := configOf(w, "dead")
	dead := nobodyThere(t)
	cfg.Topology = topologyOf(t, w, func(specs []orderset.SetSpec) { specs[0].Primary = dead })
	_, err := newRouter(t, cfg).Create(t.Context(), w.Sending(t, 0, envelope.Order{Total: 100, Count: 10}))
	wantBusy(t, err, "set_unavailable")
}

func TestDayWithoutTablesTakesNoEnvelopes(t *testing.T) {
	w := servers.World(t, 1)
	s := movedTo(w, w.Sending(t, 0, envelope.Order{Sender: "ann", Total: 100, Count: 10}), -5)
	_, err := w.Router.Create(t.Context(), s)
	wantBusy(t, err, "day_not_ready")
	if _, err := w.Router.Find(t.Context(), s.Envelope.ID); !errors.Is(err, envelope.ErrNotFound) {
		t.Errorf("find: got %v, want ErrNotFound: nothing was ever sent on that day", err)
	}
	if got, err := w.Router.Sets()[0].Open(t.Context(), requests(s.Envelope.ID, "bob")); err == nil && !errors.Is(got[0].Err, envelope.ErrNotFound) {
		t.Errorf("open: got %+v, want ErrNotFound", got)
	} else if err != nil {
		wantBusy(t, err, "day_not_ready")
	}
	if _, keys := sentBy(t, w, 0, "ann"); keys != 0 {
		t.Errorf("%d keys were stored without an envelope", keys)
	}
}

// FD8: of two envelopes under one ID the first stays and the second is a fault.
func TestBodyMintedTwiceMakesOneEnvelope(t *testing.T) {
	w := servers.World(t, 1)
	first := w.Sending(t, 0, envelope.Order{Sender: "ann", Key: "1", Total: 100, Count: 10})
	if _, err := w.Router.Create(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	second := first
	second.Key, second.Envelope.Sender = "2", "bob"
	_, err := w.Router.Create(t.Context(), second)
	if err == nil || isBusy(err) || errors.Is(err, envelope.ErrNotFound) || errors.Is(err, envelope.ErrUnknownOutcome) {
		t.Errorf("got %v, want a fault for people to look at", err)
	}
	wantSentOnce(t, w, 0, "ann")
	if stored, keys := sentBy(t, w, 0, "bob"); stored != 0 || keys != 0 {
		t.Errorf("the second one left %d envelopes and %d keys", stored, keys)
	}
}

// FH1: rows that the domain would refuse are refused by the tables as well.
func TestTablesRefuseWhatTheDomainRefuses(t *testing.T) {
	w := servers.World(t, 1)
	for name, spoil := range map[string]func(*envelope.Envelope){
		"more than the cap":      func(e *envelope.Envelope) { e.Total = 200001 },
		"less than a fen each":   func(e *envelope.Envelope) { e.Total = 9 },
		"nothing":                func(e *envelope.Envelope) { e.Total = 0 },
		"less than nothing":      func(e *envelope.Envelope) { e.Total = -100 },
		"more than fits":         func(e *envelope.Envelope) { e.Total = 1 << 62 },
		"no shares":              func(e *envelope.Envelope) { e.Count = 0 },
		"too many shares":        func(e *envelope.Envelope) { e.Count, e.Total = 501, 1000 },
		"a cap beyond the limit": func(e *envelope.Envelope) { e.ShareMax = 20001 },
		"less than promised":     func(e *envelope.Envelope) { e.ShareMin = 11 },
		"an unknown kind":        func(e *envelope.Envelope) { e.Kind = "gift" },
		"unequal equal shares":   func(e *envelope.Envelope) { e.Kind, e.Total = envelope.Equal, 101 },
		"exclusive for nobody":   func(e *envelope.Envelope) { e.Kind, e.Count = envelope.Exclusive, 1 },
		"a long name":            func(e *envelope.Envelope) { e.Sender = envelope.UserID(fmt.Sprintf("%065d", 1)) },
		"a long greeting":        func(e *envelope.Envelope) { e.Greeting = fmt.Sprintf("%0129d", 1) },
	} {
		s := w.Sending(t, 0, envelope.Order{Sender: "ann", Total: 100, Count: 10})
		spoil(&s.Envelope)
		if _, err := w.Router.Create(t.Context(), s); err == nil || isBusy(err) || errors.Is(err, envelope.ErrNotFound) {
			t.Errorf("%s: got %v, want a fault", name, err)
		}
	}
	if stored, keys := sentBy(t, w, 0, "ann"); stored != 0 || keys != 0 {
		t.Errorf("%d envelopes and %d keys are stored, want none", stored, keys)
	}
}
