package orderset_test

import (
	"fmt"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/settest"
	"hongbao/orderset"
)

// behind is another order server of the world whose statements go through a proxy
// of its own, so that they alone can be held up.
func behind(t *testing.T, w *settest.World, memory int) (*orderset.Set, *settest.Proxy) {
	t.Helper()
	proxy := settest.NewProxy(t, w.Specs[0].Primary)
	cfg := configOf(w, t.Name())
	cfg.Memory = memory
	cfg.Topology = topologyOf(t, w, func(specs []orderset.SetSpec) { specs[0].Primary = proxy.Addr() })
	return newRouter(t, cfg).Sets()[0], proxy
}

// slowInTime lets holder open through one server just before the envelope's end,
// its commit held up past that, and returns once the end has come. done gives the
// answer.
func slowInTime(t *testing.T, w *settest.World, memory int, e envelope.Envelope) (done chan envelope.Opening) {
	t.Helper()
	slow, proxy := behind(t, w, memory)
	open(t, slow, requests(e.ID, "early"))
	const before, held = 500 * time.Millisecond, 2500 * time.Millisecond
	time.Sleep(time.Until(e.ExpiresAt.Add(-before)))
	proxy.Hold("COMMIT", held)
	done = make(chan envelope.Opening, 1)
	go func() {
		openings, err := slow.Open(t.Context(), requests(e.ID, "holder"))
		if err != nil {
			t.Error(err)
			openings = []envelope.Opening{{}}
		}
		done <- openings[0]
	}()
	time.Sleep(time.Until(e.ExpiresAt.Add(50 * time.Millisecond)))
	if proxy.Hits() != 1 || len(done) != 0 {
		t.Fatalf("%d commits are held up and %d are through, want one under way", proxy.Hits(), len(done))
	}
	return done
}

// FS1: after its life an envelope's header, read without a lock, says nothing about
// an opener whose commit is on its way.
func TestHolderIsNeverAnsweredExpired(t *testing.T) {
	w := servers.World(t, 1)
	for _, way := range ways {
		for name, look := range map[string]func(t *testing.T, s *orderset.Set, id envelope.ID){
			"another opener": func(t *testing.T, s *orderset.Set, id envelope.ID) {
				go s.Open(t.Context(), requests(id, "late"))
				time.Sleep(20 * time.Millisecond)
			},
			"a grab": func(t *testing.T, s *orderset.Set, id envelope.ID) {
				if _, err := s.Peek(t.Context(), id, "holder"); err != nil {
					t.Error(err)
				}
			},
			"a show": func(t *testing.T, s *orderset.Set, id envelope.ID) {
				if _, err := s.Find(t.Context(), id); err != nil {
					t.Error(err)
				}
			},
		} {
			t.Run(way.name+", after "+name, func(t *testing.T) {
				t.Parallel()
				e := living(t, w, 2500*time.Millisecond, envelope.Order{Total: 1000, Count: 10})
				other := serverOf(t, w, 1024).Sets()[0]
				done := slowInTime(t, w, way.memory, e)
				look(t, other, e.ID)
				if o, certain := other.Known(e.ID, "holder"); certain && len(done) == 0 {
					t.Errorf("memory is certain of %+v while an open in time is on its way", o)
				}
				// The lock waits for it.
				if o := open(t, other, requests(e.ID, "holder"))[0]; o.Outcome != envelope.AlreadyOpened {
					t.Errorf("opened at another server while the commit is on its way: %+v", o)
				}
				opened := <-done
				if opened.Outcome != envelope.Opened {
					t.Fatalf("the opener in time: %+v", opened)
				}
				for range 3 {
					if o := open(t, other, requests(e.ID, "holder"))[0]; o.Outcome != envelope.AlreadyOpened || !sameShare(o.Share, opened.Share) {
						t.Errorf("asked again at another server: %+v, want %+v already opened", o, opened.Share)
					}
					if o := open(t, other, requests(e.ID, "late"))[0]; o.Outcome != envelope.TooLate {
						t.Errorf("an opener without a share: %+v", o)
					}
				}
				eventually(t, 3*time.Second, "a grab says that it holds a share", func() bool {
					snap, err := other.Peek(t.Context(), e.ID, "holder")
					return err == nil && len(snap.Shares) == 1
				})
			})
		}
	}
}

// FS1, the other side: what is over for good is refused without the database.
func TestCommittedExpiryIsInMemory(t *testing.T) {
	w := servers.World(t, 1)
	s, proxy := behind(t, w, 1024)
	e := livingOpened(t, w, s, 100*time.Millisecond, envelope.Order{Total: 1000, Count: 10}, "holder")
	time.Sleep(time.Until(e.ExpiresAt.Add(20 * time.Millisecond)))
	for range 3 { // over, and not yet expired: asked every time, right every time
		if o := open(t, s, requests(e.ID, "late", "holder")); o[0].Outcome != envelope.TooLate || o[1].Outcome != envelope.AlreadyOpened {
			t.Errorf("before the sweep: %+v", o)
		}
		if o, certain := s.Known(e.ID, "late"); certain {
			t.Errorf("memory is certain of %+v before the sweep", o)
		}
	}
	if _, err := w.Router.Expire(t.Context(), e.ID); err != nil { // at another server
		t.Fatal(err)
	}
	for range 2 { // the first finds memory wrong, the second reads it anew
		open(t, s, requests(e.ID, "late"))
	}
	proxy.Freeze(true)
	defer proxy.Freeze(false)
	if o := memoryAnswer(t, s, e.ID, "late"); o.Outcome != envelope.TooLate {
		t.Errorf("after the sweep: %+v", o)
	}
	if o := memoryAnswer(t, s, e.ID, "holder"); o.Outcome != envelope.AlreadyOpened {
		t.Errorf("a holder, after the sweep: %+v", o)
	}
}

// FS1: an envelope that waits for its sweep costs its own openers a lock, and
// others in the batch nothing.
func TestEndingEnvelopeDoesNotDelayItsBatch(t *testing.T) {
	w := servers.World(t, 1)
	s, proxy := behind(t, w, 1024)
	over := living(t, w, 50*time.Millisecond, envelope.Order{Total: 1000, Count: 10})
	lives := w.Active(t, 0, envelope.Order{Total: 1000, Count: 100})
	time.Sleep(time.Until(over.ExpiresAt.Add(20 * time.Millisecond)))
	both := func(i int) []envelope.OpenRequest {
		return append(requests(over.ID, "late"), requests(lives.ID, envelope.UserID(fmt.Sprint("user-", i)))...)
	}
	open(t, s, both(0))
	conflicts := metric(t, s, "hongbao_set_open_conflicts_total")
	for i := range 5 {
		if o := open(t, s, both(i+1)); o[0].Outcome != envelope.TooLate || o[1].Outcome != envelope.Opened {
			t.Errorf("got %+v", o)
		}
	}
	if n := metric(t, s, "hongbao_set_open_conflicts_total"); n != conflicts {
		t.Errorf("%v batches lost against nothing", n-conflicts)
	}
	proxy.Lose(settest.LostBefore, "START") // of what asks about the one that ends
	openings, err := s.Open(t.Context(), both(9))
	if err != nil || openings[1].Outcome != envelope.Opened {
		t.Errorf("the envelope that lives: %+v, %v", openings, err)
	}
	if proxy.Hits() != 1 {
		t.Error("no statement was lost")
	}
	wantBusy(t, openings[0].Err, envelope.ReasonSetUnavailable)
}

// FS29: a grab is as old as a second at most, and never older than what its own
// server has just shown.
func TestAGrabIsNoOlderThanItsServersShow(t *testing.T) {
	w := servers.World(t, 1)
	e := w.Active(t, 0, envelope.Order{Total: 100, Count: 2})
	here, there := serverOf(t, w, 1024).Sets()[0], w.Router.Sets()[0]
	grab := func() envelope.Snapshot {
		t.Helper()
		snap, err := here.Peek(t.Context(), e.ID, "late")
		if err != nil {
			t.Fatal(err)
		}
		return snap
	}
	grab()
	open(t, there, requests(e.ID, "one", "two"))
	if shown, err := here.Find(t.Context(), e.ID); err != nil || shown.Envelope.State != envelope.Empty {
		t.Fatalf("show: %+v, %v", shown, err)
	}
	if got := grab(); got.Envelope.State != envelope.Empty {
		t.Errorf("the server has shown it empty, and a grab says %+v", got.Envelope)
	}
}

// FS29: the second counts from when the database was asked, not from its answer.
func TestAGrabsAgeCountsFromTheQuestion(t *testing.T) {
	w := servers.World(t, 1)
	e := w.Active(t, 0, envelope.Order{Total: 100, Count: 2})
	here, proxy := behind(t, w, 1024)
	open(t, w.Router.Sets()[0], requests(e.ID, "one"))
	proxy.Hold("SELECT order_id, seq", 1200*time.Millisecond) // the shares, after the header
	if _, err := here.Peek(t.Context(), e.ID, "late"); err != nil {
		t.Fatal(err)
	}
	open(t, w.Router.Sets()[0], requests(e.ID, "two"))
	if got, err := here.Peek(t.Context(), e.ID, "late"); err != nil || got.Envelope.State != envelope.Empty {
		t.Errorf("a grab from a header that is older than a second: %+v, %v", got.Envelope, err)
	}
	if proxy.Hits() != 1 {
		t.Error("no statement was held up")
	}
}
