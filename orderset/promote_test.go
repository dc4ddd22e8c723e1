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
	"hongbao/orderset"
	"hongbao/orderset/setdb"
)

// another is one more address of the server that the world's SET is on.
func another(t testing.TB, w *settest.World, set int) *settest.Proxy {
	t.Helper()
	return settest.NewProxy(t, fmt.Sprintf("127.0.0.1:%d", count(t, w.Admin(t, set), "SELECT @@port")))
}

// promote makes the server at an address the primary of the next reign.
func promote(t testing.TB, s *orderset.Set, addr string, reign setdb.Reign) {
	t.Helper()
	if err := s.Promote(t.Context(), setdb.Primary{Addr: addr, Reign: reign}); err != nil {
		t.Fatal(err)
	}
}

// retryable reports whether a caller may come back with the same request.
func retryable(err error) bool { return isBusy(err) || errors.Is(err, envelope.ErrUnknownOutcome) }

// openUntilAnswered opens, and comes back as long as it is told to.
func openUntilAnswered(t testing.TB, s *orderset.Set, id envelope.ID, user envelope.UserID) (again int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); again++ {
		openings, err := s.Open(t.Context(), requests(id, user))
		if err == nil && openings[0].Err == nil {
			if o := openings[0].Outcome; o != envelope.Opened && o != envelope.AlreadyOpened {
				t.Errorf("%s: %s, want a share", user, o)
			}
			return again
		}
		if err == nil {
			err = openings[0].Err
		}
		if !retryable(err) {
			t.Errorf("%s: %v, want an answer or to come back", user, err)
			return again
		}
	}
	t.Errorf("%s had no answer for twenty seconds", user)
	return again
}

func TestAPromotionUnderLoadLosesNothing(t *testing.T) {
	w := servers.World(t, 1)
	r := w.NewRouter(t)
	s := r.Sets()[0]
	const crowds, openers, promotions = 24, 500, 6
	var ids []envelope.ID
	for range crowds {
		ids = append(ids, w.Active(t, 0, envelope.Order{Total: 100 * openers, Count: openers}).ID)
	}
	var again, opened atomic.Int64
	var stop atomic.Bool
	var wg sync.WaitGroup
	for i, id := range ids {
		wg.Go(func() {
			for n := 0; n < openers && !stop.Load(); n++ {
				again.Add(int64(openUntilAnswered(t, s, id, envelope.UserID(fmt.Sprintf("user-%d-%d", i, n)))))
				opened.Add(1)
			}
		})
	}
	wg.Go(func() { // writes that are one statement each
		for !stop.Load() {
			if _, err := s.ClaimKey(t.Context(), envelope.KeyRecord{Sender: "ann", Key: "k", ID: ids[0]}); err != nil && !retryable(err) {
				t.Errorf("claim a key: %v", err)
			}
		}
	})
	old := w.Proxies[0]
	for reign := range setdb.Reign(promotions) {
		before := opened.Load()
		eventually(t, 10*time.Second, "opens go on", func() bool { return opened.Load() > before+50 })
		next := another(t, w, 0)
		promote(t, s, next.Addr(), reign+1)
		for _, write := range []string{"COMMIT", "UPDATE", "INSERT"} {
			old.Lose(settest.LostBefore, write) // if there is one
		}
		after := opened.Load()
		eventually(t, 10*time.Second, "opens go on", func() bool { return opened.Load() > after+50 })
		if hits := old.Hits(); hits > 0 {
			t.Errorf("reign %d: %d writes went to the old primary", reign+1, hits)
		}
		old = next
	}
	stop.Store(true)
	wg.Wait()
	if opened.Load() < promotions*100 {
		t.Errorf("%d opens: the promotions met no load", opened.Load())
	}
	t.Logf("%d opens, %d of them asked again", opened.Load(), again.Load())
	stored := int64(0)
	for _, id := range ids {
		stored += int64(len(find(t, w, id).Shares))
	}
	if stored != opened.Load() {
		t.Errorf("%d shares are stored, %d were acknowledged", stored, opened.Load())
	}
}

func TestAReignThatDoesNotGoUpIsRefused(t *testing.T) {
	w := servers.World(t, 1)
	s := w.NewRouter(t).Sets()[0]
	next := another(t, w, 0)
	promote(t, s, next.Addr(), 7)
	for _, reign := range []setdb.Reign{7, 3} {
		err := s.Promote(t.Context(), setdb.Primary{Addr: w.Proxies[0].Addr(), Reign: reign})
		if want := fmt.Sprintf("want a reign > 7, have %d", reign); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestSilentServerIsNoPrimary(t *testing.T) {
	w := servers.World(t, 1)
	s := w.NewRouter(t).Sets()[0]
	if err := s.Promote(t.Context(), setdb.Primary{Addr: nobodyThere(t), Reign: 1}); err == nil || !strings.Contains(err.Error(), "not fit to be the primary") {
		t.Errorf("got %v, want a refusal", err)
	}
	e := w.Active(t, 0, envelope.Order{Total: 100, Count: 1})
	wantShares(t, w, e.ID, open(t, s, requests(e.ID, "u")))
}

func TestWhatIsRememberedEndsWithItsReign(t *testing.T) {
	w := servers.World(t, 1)
	s := w.NewRouter(t).Sets()[0]
	e := w.Active(t, 0, envelope.Order{Total: 1000, Count: 10})
	open(t, s, requests(e.ID, "u"))
	if _, known := s.Known(e.ID, "u"); !known {
		t.Fatal("a share is not remembered, so the test shows nothing")
	}
	promote(t, s, another(t, w, 0).Addr(), 1)
	if _, known := s.Known(e.ID, "u"); known {
		t.Error("a share of the old reign is still remembered")
	}
	for _, o := range open(t, s, requests(e.ID, "u", "v")) {
		if o.Err != nil || o.Share.Seq == 0 {
			t.Errorf("got %+v, want a share", o)
		}
	}
	if reports, err := s.Reports(t.Context()); err != nil || !reports {
		t.Errorf("the lock of the new reign: %v, %v", reports, err)
	}
}

// TestLostCommitIsResolvedOnANewPrimary loses the answer of a COMMIT, and replaces
// the primary while the batch is run again to find out what became of it.
func TestLostCommitIsResolvedOnANewPrimary(t *testing.T) {
	for _, fault := range []settest.Fault{settest.LostAfter, settest.LostBefore} {
		t.Run(fmt.Sprint(fault), func(t *testing.T) {
			w := servers.World(t, 1)
			s := w.NewRouter(t).Sets()[0]
			e := w.Active(t, 0, envelope.Order{Total: 1000, Count: 10})
			old, next := w.Proxies[0], another(t, w, 0)
			open(t, s, requests(e.ID, "first")) // it is warm from here on
			old.Lose(fault, "COMMIT")
			resolving := old.Stall(t, "START TRANSACTION")
			answer := inBackground(s, requests(e.ID, "u"))
			<-resolving.Reached()
			promote(t, s, next.Addr(), 1)
			old.Lose(settest.LostBefore, "COMMIT")
			resolving.Release()
			if a := <-answer; a.err != nil || a.openings[0].Outcome != envelope.Opened {
				t.Errorf("got %+v, want the share", a)
			}
			if old.Hits() != 1 {
				t.Errorf("%d COMMITs were lost, want the first alone: another went to the old primary", old.Hits())
			}
			if n := len(find(t, w, e.ID).Shares); n != 2 {
				t.Errorf("%d shares are stored, want 2", n)
			}
		})
	}
}
