package orderset_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hongbao/envelope"
	"hongbao/internal/settest"
	"hongbao/orderset"
)

// ways are the two ways in which a batch is opened: decided from memory and
// guarded by ver, or decided under row locks. They must not differ in anything
// but speed.
var ways = []struct {
	name   string
	memory int
}{{"from memory", 1024}, {"under locks", 0}}

// bothWays runs a test with an order server of each kind in one world.
func bothWays(t *testing.T, w *settest.World, test func(t *testing.T, s *orderset.Set)) {
	t.Helper()
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) { test(t, serverOf(t, w, way.memory).Sets()[0]) })
	}
}

// serverOf is an order server of the world that remembers so many envelopes.
func serverOf(t testing.TB, w *settest.World, memory int) *settest.Router {
	t.Helper()
	cfg := configOf(w, "server")
	cfg.Memory = memory
	return newRouter(t, cfg)
}

func TestOpenTwiceReturnsTheSameShare(t *testing.T) {
	w := servers.World(t, 1)
	bothWays(t, w, func(t *testing.T, s *orderset.Set) {
		e := w.Active(t, 0, envelope.Order{Total: 1000, Count: 10})
		first := open(t, s, requests(e.ID, "ann"))[0]
		if first.Outcome != envelope.Opened || first.Share.Seq != 1 || first.Share.User != "ann" {
			t.Fatalf("got %+v, want share 1 of ann", first)
		}
		for range 3 {
			again := open(t, s, requests(e.ID, "ann", "ann"))
			for _, o := range again {
				if o.Outcome != envelope.AlreadyOpened || !sameShare(o.Share, first.Share) {
					t.Errorf("again: %+v, want %+v already opened", o, first.Share)
				}
			}
		}
		wantShares(t, w, e.ID, []envelope.Opening{first})
	})
}

func TestOpenPaysWhatTheDomainDecides(t *testing.T) {
	w := servers.World(t, 1)
	bothWays(t, w, func(t *testing.T, s *orderset.Set) {
		for _, o := range []envelope.Order{
			{Total: 1000, Count: 10}, {Total: 1, Count: 1}, {Total: 500, Count: 500}, {Total: 2000000, Count: 100}, {Total: 7777777, Count: 499},
			{Kind: envelope.Equal, Share: 1, Count: 5}, {Kind: envelope.Equal, Share: 20000, Count: 3},
			{Kind: envelope.Exclusive, Total: 20000, Recipient: "user-003"}, {Kind: envelope.Exclusive, Total: 1, Recipient: "user-000"},
		} {
			e := w.Active(t, 0, o)
			users := crowd(e.Count + 5)
			nobody := func(envelope.UserID) (envelope.Share, bool) { return envelope.Share{}, false }
			after, want := envelope.Decide(e, w.DrawKey.Seed(e.ID), users, nobody, e.PaidAt)
			got := open(t, s, requests(e.ID, users...))
			for i := range want {
				if got[i].Outcome != want[i].Outcome || !sameShare(got[i].Share, want[i].Share) || !errors.Is(got[i].Err, want[i].Err) {
					t.Fatalf("%+v: opener %d got %+v, want %+v", o, i, got[i], want[i])
				}
			}
			stored := find(t, w, e.ID).Envelope
			if stored.State != after.State || stored.Opened != after.Opened || stored.OpenedCount != after.OpenedCount || stored.Ver != after.Ver {
				t.Errorf("%+v: stored %+v, want %+v", o, stored, after)
			}
			if stored.State == envelope.Empty && stored.FinishedAt.IsZero() {
				t.Errorf("%+v: empty, but not finished at any time", o)
			}
		}
	})
}

func TestOpenRefusesAbsentAndUnpaid(t *testing.T) {
	w := servers.World(t, 1)
	bothWays(t, w, func(t *testing.T, s *orderset.Set) {
		unpaid := w.Unpaid(t, 0, envelope.Order{Total: 1000, Count: 10}).ID
		absent := w.Sending(t, 0, envelope.Order{Total: 1000, Count: 10}).Envelope.ID
		active := w.Active(t, 0, envelope.Order{Total: 1000, Count: 10}).ID
		one := w.Active(t, 0, envelope.Order{Kind: envelope.Exclusive, Total: 5, Recipient: "bob"}).ID
		closed := w.Unpaid(t, 0, envelope.Order{Total: 1000, Count: 10}).ID
		exec(t, w.Admin(t, 0), "UPDATE "+envelopes(closed)+" SET state = 'closed', ver = ver + 1 WHERE order_id = '"+string(closed)+"'")
		for range 2 { // the second time from memory
			got := open(t, s, []envelope.OpenRequest{{ID: unpaid, User: "ann"}, {ID: absent, User: "ann"}, {ID: active, User: "ann"}, {ID: one, User: "ann"}, {ID: closed, User: "ann"}})
			for i, want := range []error{envelope.ErrNotActive, envelope.ErrNotFound, nil, envelope.ErrNotFound, envelope.ErrNotActive} {
				if !errors.Is(got[i].Err, want) {
					t.Errorf("request %d: got %v, want %v", i, got[i].Err, want)
				}
			}
		}
		wantState(t, w, unpaid, envelope.Unpaid, 1)
		// What has been refused before is opened once it is paid, and once it is there.
		if _, err := w.Router.Pay(t.Context(), payment(find(t, w, unpaid).Envelope, "tx-"+string(unpaid[:19]))); err != nil {
			t.Fatal(err)
		}
		if got := open(t, s, requests(unpaid, "ann"))[0]; got.Outcome != envelope.Opened {
			t.Errorf("paid: got %+v, want opened", got)
		}
		if got := open(t, s, requests(one, "ann", "bob")); got[1].Outcome != envelope.Opened || got[1].Share.Amount != 5 {
			t.Errorf("the named opener: got %+v, want 5 fen", got)
		}
	})
}

// FD5: an order server's clock ahead or behind changes nothing.
func TestDatabaseClockDecidesExpiry(t *testing.T) {
	w := servers.World(t, 1)
	admin := w.Admin(t, 0)
	for _, way := range ways {
		for _, ahead := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
			t.Run(fmt.Sprintf("%s, the order server's clock off by %v", way.name, ahead), func(t *testing.T) {
				var c clock
				c.move(ahead)
				cfg := configOf(w, "clock")
				cfg.Memory, cfg.Now = way.memory, c.Now
				r := newRouter(t, cfg)
				e := w.Active(t, 0, envelope.Order{Total: 1000, Count: 10})
				lives := func(by string) {
					exec(t, admin, "UPDATE "+envelopes(e.ID)+" SET expires_at = UTC_TIMESTAMP(3) + INTERVAL "+by+" SECOND WHERE order_id = '"+string(e.ID)+"'")
				}
				lives("300")
				wantPeek(t, r, e.ID, "ann", envelope.Openable)
				if got := open(t, r.Sets()[0], requests(e.ID, "ann"))[0]; got.Outcome != envelope.Opened {
					t.Fatalf("alive for five minutes: got %+v, want opened", got)
				}
				lives("-0.001")
				got := open(t, r.Sets()[0], requests(e.ID, "ann", "bob"))
				if got[0].Outcome != envelope.AlreadyOpened || got[1].Outcome != envelope.TooLate {
					t.Errorf("expired a millisecond ago: got %+v, want already opened, then expired", got)
				}
				wantState(t, w, e.ID, envelope.Active, 3) // the sweep writes it down, with the refund
				lives("300")                              // so that the books are in order
			})
		}
	}
}

// wantPeek asks whether an envelope is worth opening.
func wantPeek(t testing.TB, r *settest.Router, id envelope.ID, user envelope.UserID, want envelope.Outcome) {
	t.Helper()
	snap, err := r.Peek(t.Context(), id, user)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := envelope.Peek(&snap.Envelope, len(snap.Shares) > 0, user, snap.Now); err != nil || got != want {
		t.Errorf("peek: got %s, %v, want %s", got, err, want)
	}
}

// shortLived is an active envelope that expires a while after its payment.
func shortLived(t testing.TB, w *settest.World, life time.Duration) envelope.Envelope {
	t.Helper()
	s := w.Sending(t, 0, envelope.Order{Total: 1000, Count: 10})
	s.Envelope.ExpiresAt = s.Envelope.CreatedAt.Add(life)
	if _, err := w.Router.Create(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	e, err := w.Router.Pay(t.Context(), payment(s.Envelope, "tx-"+string(s.Envelope.ID)))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// I6: a batch that waits for a lock past the expiry pays no share.
func TestBatchPastTheExpiryPaysNothing(t *testing.T) {
	w := servers.World(t, 1)
	admin := w.Admin(t, 0)
	bothWays(t, w, func(t *testing.T, s *orderset.Set) {
		e := shortLived(t, w, 400*time.Millisecond)
		open(t, s, requests(e.ID, "ann"))
		tx, err := admin.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		late := func() bool {
			var late bool
			const locked = "SELECT expires_at < UTC_TIMESTAMP(3) FROM %s WHERE order_id = ? FOR UPDATE"
			if err := tx.QueryRowContext(t.Context(), fmt.Sprintf(locked, envelopes(e.ID)), e.ID).Scan(&late); err != nil {
				t.Fatal(err)
			}
			return late
		}
		if late() {
			t.Fatal("expired before anybody waited")
		}
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			if _, err := s.Open(t.Context(), requests(e.ID, "bob")); err != nil {
				t.Error(err)
			}
		}()
		awaitLockWait(t, admin)
		eventually(t, 5*time.Second, "the envelope expires", late)
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		<-answered // bob was in time or too late: the audit says whether the rows agree
		w.CheckBooks(t)
	})
}

func TestBatchOpensAcrossTablesAndDays(t *testing.T) {
	w := servers.World(t, 1)
	bothWays(t, w, func(t *testing.T, s *orderset.Set) {
		var ids []envelope.ID
		tables := map[string]bool{}
		for i := range 40 {
			sending := movedTo(w, w.Sending(t, 0, envelope.Order{Total: 100, Count: 3}), i%3-1)
			if _, err := w.Router.Create(t.Context(), sending); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Router.Pay(t.Context(), payment(sending.Envelope, "tx-"+string(sending.Envelope.ID))); err != nil {
				t.Fatal(err)
			}
			ids = append(ids, sending.Envelope.ID)
			tables[envelopes(sending.Envelope.ID)] = true
		}
		if len(tables) < 15 {
			t.Fatalf("only %d tables", len(tables))
		}
		for range 2 {
			var reqs []envelope.OpenRequest
			for _, user := range []envelope.UserID{"ann", "bob", "ann", "carl", "dora"} {
				for _, id := range ids {
					reqs = append(reqs, envelope.OpenRequest{ID: id, User: user})
				}
			}
			open(t, s, reqs)
		}
		for _, id := range ids {
			snap := find(t, w, id)
			if len(snap.Shares) != 3 || snap.Shares[0].User != "ann" || snap.Shares[1].User != "bob" || snap.Shares[2].User != "carl" {
				t.Errorf("%s: %+v, want ann, bob, carl", id, snap.Shares)
			}
		}
	})
}

// model is what the database must hold.
type model struct {
	key       envelope.DrawKey
	envelopes map[envelope.ID]envelope.Envelope
	shares    map[envelope.ID]map[envelope.UserID]envelope.Share
}

// open is what a batch must be answered: by the domain alone, one envelope
// after the other.
func (m *model) open(reqs []envelope.OpenRequest) []envelope.Opening {
	users, at := map[envelope.ID][]envelope.UserID{}, map[envelope.ID][]int{}
	for i, r := range reqs {
		users[r.ID], at[r.ID] = append(users[r.ID], r.User), append(at[r.ID], i)
	}
	answers := make([]envelope.Opening, len(reqs))
	for id := range users {
		had := func(u envelope.UserID) (envelope.Share, bool) { s, ok := m.shares[id][u]; return s, ok }
		e, openings := envelope.Decide(m.envelopes[id], m.key.Seed(id), users[id], had, m.envelopes[id].PaidAt)
		m.envelopes[id] = e
		for i, o := range openings {
			answers[at[id][i]] = o
			if o.Outcome == envelope.Opened {
				m.shares[id][o.Share.User] = o.Share
			}
		}
	}
	return answers
}

func TestBatchesAreAnsweredAsByTheDomain(t *testing.T) {
	w := servers.World(t, 1)
	plain := cmp.Transformer("plain", func(o envelope.Opening) string {
		return fmt.Sprint(o.Outcome, o.Share.Seq, o.Share.User, o.Share.Amount, o.Err)
	})
	sets := []*orderset.Set{serverOf(t, w, 1024).Sets()[0], serverOf(t, w, 1024).Sets()[0], serverOf(t, w, 0).Sets()[0]}
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{key: w.DrawKey, envelopes: map[envelope.ID]envelope.Envelope{}, shares: map[envelope.ID]map[envelope.UserID]envelope.Share{}}
		var ids []envelope.ID
		for range rapid.IntRange(1, 4).Draw(rt, "envelopes") {
			n := rapid.IntRange(1, 12).Draw(rt, "count")
			o := envelope.Order{Total: envelope.Fen(rapid.IntRange(n, n*40).Draw(rt, "total")), Count: n}
			if rapid.IntRange(0, 9).Draw(rt, "exclusive") == 0 {
				o = envelope.Order{Kind: envelope.Exclusive, Total: 9, Recipient: "user-001"}
			}
			e := w.Active(t, 0, o)
			ids = append(ids, e.ID)
			m.envelopes[e.ID], m.shares[e.ID] = e, map[envelope.UserID]envelope.Share{}
		}
		users := crowd(15)
		for range rapid.IntRange(1, 5).Draw(rt, "batches") {
			reqs := make([]envelope.OpenRequest, rapid.IntRange(1, 20).Draw(rt, "batch"))
			for i := range reqs {
				reqs[i] = envelope.OpenRequest{ID: rapid.SampledFrom(ids).Draw(rt, "id"), User: rapid.SampledFrom(users).Draw(rt, "user")}
			}
			got, err := rapid.SampledFrom(sets).Draw(rt, "server").Open(t.Context(), reqs)
			if err != nil {
				rt.Fatal(err)
			}
			if d := cmp.Diff(m.open(reqs), got, plain); d != "" {
				rt.Fatalf("the domain (-), the database (+):\n%s", d)
			}
		}
		for id, e := range m.envelopes {
			if stored := find(t, w, id).Envelope; stored.Opened != e.Opened || stored.Ver != e.Ver || stored.State != e.State {
				rt.Fatalf("stored %+v, want %+v", stored, e)
			}
		}
	})
}

func TestWithAWrongDrawKeyNothingIsPaid(t *testing.T) {
	w := servers.World(t, 1)
	for _, way := range ways {
		cfg := configOf(w, "wrong key")
		cfg.DrawKey, cfg.Memory = drawKey(t), way.memory
		wrong := newRouter(t, cfg)
		e := w.Active(t, 0, envelope.Order{Total: 1000, Count: 10})
		for range 5 {
			_, err := wrong.Sets()[0].Open(t.Context(), requests(e.ID, "ann"))
			if err == nil || isBusy(err) || errors.Is(err, envelope.ErrUnknownOutcome) {
				t.Errorf("%s: got %v, want a fault", way.name, err)
			}
		}
		wantState(t, w, e.ID, envelope.Active, 2)
		wantShares(t, w, e.ID, open(t, w.Router.Sets()[0], requests(e.ID, "ann")))
	}
}

// FS11: shares that the provider would not pay out are not drawn.
func TestNoShareIsLessThanWasPromised(t *testing.T) {
	w := servers.World(t, 1)
	set := w.Router.Sets()[0]
	for _, total := range []envelope.Fen{200, 201, 260, 2000, 400_000} { // ten fen each, and more
		s := w.Sending(t, 0, envelope.Order{Total: total, Count: 20})
		s.Envelope.ShareMin = 10
		if _, err := w.Router.Create(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Router.Pay(t.Context(), payment(s.Envelope, "tx-"+string(s.Envelope.ID))); err != nil {
			t.Fatal(err)
		}
		for first := 0; first < 20; first += 7 { // in several transactions
			open(t, set, requests(s.Envelope.ID, crowd(20)[first:min(first+7, 20)]...))
		}
		have := find(t, w, s.Envelope.ID)
		if have.Envelope.State != envelope.Empty || have.Envelope.ShareMin != 10 {
			t.Fatalf("%d fen: it is %s with at least %d fen a share", total, have.Envelope.State, have.Envelope.ShareMin)
		}
		for _, share := range have.Shares {
			if share.Amount < 10 {
				t.Errorf("%d fen: share %d is %d fen", total, share.Seq, share.Amount)
			}
		}
	}
}
