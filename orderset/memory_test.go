package orderset_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	"github.com/prometheus/client_golang/prometheus"

	"hongbao/envelope"
	"hongbao/internal/cluster"
	"hongbao/internal/settest"
	"hongbao/orderset"
)

// memoryAnswer is what memory says for certain to one user.
func memoryAnswer(t *testing.T, s *orderset.Set, id envelope.ID, user envelope.UserID) envelope.Opening {
	t.Helper()
	o, certain := s.Known(id, user)
	if !certain {
		t.Fatalf("memory has no certain answer for %s about %s", user, id)
	}
	return o
}

// FA12: a finished envelope is answered while the database is frozen.
func TestFinishedIsAnsweredFromMemory(t *testing.T) {
	w := servers.World(t, 1)
	s := w.Router.Sets()[0]
	e := w.Active(t, 0, envelope.Order{Total: 100, Count: 3})
	users := crowd(3)
	opened := open(t, s, requests(e.ID, users...))
	w.Proxies[0].Freeze(true)
	defer w.Proxies[0].Freeze(false)
	for i, u := range users {
		o := memoryAnswer(t, s, e.ID, u)
		if o.Outcome != envelope.AlreadyOpened || o.Share.Amount != opened[i].Share.Amount || o.Share.Seq != i+1 {
			t.Errorf("%s: memory says %+v, opened was %+v", u, o, opened[i])
		}
	}
	if o := memoryAnswer(t, s, e.ID, "late"); o.Outcome != envelope.Drained {
		t.Errorf("late: memory says %+v, want empty", o)
	}
}

func TestMemoryIsCertainOfTheFinalOnly(t *testing.T) {
	w := servers.World(t, 1)
	s := w.Router.Sets()[0]
	e := w.Active(t, 0, envelope.Order{Total: 100, Count: 3})
	if o, certain := s.Known(e.ID, "early"); certain {
		t.Errorf("an envelope nobody has opened here: memory is certain of %+v", o)
	}
	first := open(t, s, requests(e.ID, "early"))[0]
	if o := memoryAnswer(t, s, e.ID, "early"); o.Share.Amount != first.Share.Amount || o.Outcome != envelope.AlreadyOpened {
		t.Errorf("a holder: memory says %+v, opened was %+v", o, first)
	}
	if o, certain := s.Known(e.ID, "other"); certain {
		t.Errorf("two shares are left and memory is certain of %+v", o)
	}
}

// FA16, FA17: "empty" is answered only once the last share is committed.
func TestSoldOutFollowsTheLastCommit(t *testing.T) {
	w := servers.World(t, 1)
	s := w.Router.Sets()[0]
	e := w.Active(t, 0, envelope.Order{Total: 100, Count: 2})
	open(t, s, requests(e.ID, "one"))
	admin := w.Admin(t, 0)
	const slow = 30 * time.Millisecond
	for _, fault := range []settest.Fault{0, settest.LostBefore} {
		if fault != 0 {
			w.Proxies[0].Lose(fault, "COMMIT")
		}
		w.Proxies[0].Delay(slow)
		done := make(chan struct{})
		go func() {
			defer close(done)
			open(t, s, requests(e.ID, "two"))
		}()
		for asking := true; asking; {
			select {
			case <-done:
				asking = false
			default:
			}
			if o, certain := s.Known(e.ID, "late"); certain && o.Outcome == envelope.Drained {
				if n := count(t, admin, fmt.Sprintf("SELECT COUNT(*) FROM share_%d_%02d WHERE order_id = '%s'", e.ID.TableDigit(), e.ID.Day().OfMonth(), e.ID)); n != 2 {
					t.Fatalf("memory says empty while %d of 2 shares are committed", n)
				}
			}
		}
		w.Proxies[0].Delay(0)
		e = w.Active(t, 0, envelope.Order{Total: 100, Count: 2})
		open(t, s, requests(e.ID, "one"))
	}
	if w.Proxies[0].Hits() != 1 {
		t.Errorf("%d faults happened, want 1", w.Proxies[0].Hits())
	}
}

// FA6: a header in memory that is older than its row loses the optimistic lock and is read again.
func TestStaleMemoryLosesAgainstTheRow(t *testing.T) {
	w := servers.World(t, 1)
	here, there := w.Router.Sets()[0], w.NewRouter(t).Sets()[0]
	e := w.Active(t, 0, envelope.Order{Total: 1000, Count: 9})
	for i := range 4 { // each finds the other's commit between its own
		for j, s := range []*orderset.Set{here, there} {
			o := open(t, s, requests(e.ID, envelope.UserID(fmt.Sprintf("user-%d-%d", i, j))))[0]
			if want := 2*i + j + 1; o.Outcome != envelope.Opened || o.Share.Seq != want {
				t.Errorf("share %d: %+v", want, o)
			}
		}
	}
	if n := metric(t, here, "hongbao_set_open_conflicts_total"); n == 0 {
		t.Error("two servers opened in turns and no memory was stale: the guard was not tried")
	}
}

// metric reads one of a SET's metrics.
func metric(t *testing.T, s *orderset.Set, name string) float64 {
	t.Helper()
	reg := prometheus.NewRegistry()
	if err := s.Register(reg); err != nil {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue() + f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

func TestGrabIsAnsweredFromFreshMemory(t *testing.T) {
	w := servers.World(t, 1)
	s := w.Router.Sets()[0]
	e := w.Active(t, 0, envelope.Order{Total: 1000, Count: 2})
	open(t, s, requests(e.ID, "holder"))
	w.Proxies[0].Freeze(true)
	defer w.Proxies[0].Freeze(false)
	snap, err := s.Peek(t.Context(), e.ID, "holder")
	if err != nil || len(snap.Shares) != 1 || snap.Envelope.OpenedCount != 1 {
		t.Errorf("grab with the database frozen: %+v, %v", snap, err)
	}
}

// memcachedFor starts one for the test.
func memcachedFor(t *testing.T) (*cluster.Memcached, *memcache.Client) {
	t.Helper()
	ports, err := cluster.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	m, err := cluster.StartMemcached(t.Context(), cluster.MemcachedConfig{Name: "memcached", Dir: filepath.Join(t.TempDir(), "m"), Port: ports[0]})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Kill() })
	return m, memcache.New(m.Addr())
}

// withMemcached is another order server that has memcached beside it.
func withMemcached(t *testing.T, w *settest.World, addr string) *orderset.Set {
	t.Helper()
	cfg := configOf(w, t.Name()+addr)
	cfg.Memory = 64
	cfg.Topology = topologyOf(t, w, func(specs []orderset.SetSpec) { specs[0].Memcached = []string{addr} })
	return newRouter(t, cfg).Sets()[0]
}

func TestFinishedIsFoundInMemcached(t *testing.T) {
	w := servers.World(t, 1)
	m, client := memcachedFor(t)
	e := w.Active(t, 0, envelope.Order{Total: 100, Count: 2})
	opened := open(t, withMemcached(t, w, m.Addr()), requests(e.ID, "one", "two"))
	eventually(t, time.Second, "the finished envelope is in memcached", func() bool {
		_, err := client.Get("hongbao/finished/1/" + string(e.ID))
		return err == nil
	})
	next := withMemcached(t, w, m.Addr())
	w.Proxies[0].Freeze(true)
	defer w.Proxies[0].Freeze(false)
	snap, err := next.Peek(t.Context(), e.ID, "two")
	if err != nil || snap.Envelope.State != envelope.Empty || len(snap.Shares) != 1 || snap.Shares[0].Amount != opened[1].Share.Amount {
		t.Errorf("grab with the database frozen: %+v, %v; opened was %+v", snap, err, opened[1])
	}
	if o := memoryAnswer(t, next, e.ID, "late"); o.Outcome != envelope.Drained {
		t.Errorf("late: %+v", o)
	}
}

// FB5: foreign, forged and cut values count as absent.
func TestGarbageInMemcachedIsNoAnswer(t *testing.T) {
	w := servers.World(t, 1)
	m, client := memcachedFor(t)
	e := w.Active(t, 0, envelope.Order{Total: 100, Count: 1})
	other := w.Active(t, 0, envelope.Order{Total: 100, Count: 1})
	open(t, withMemcached(t, w, m.Addr()), requests(e.ID, "one"))
	key := "hongbao/finished/1/" + string(e.ID)
	var right *memcache.Item
	eventually(t, time.Second, "the finished envelope is in memcached", func() bool {
		item, err := client.Get(key)
		right = item
		return err == nil
	})
	flipped := append([]byte(nil), right.Value...)
	flipped[len(flipped)/2] ^= 1
	for name, row := range map[string]struct {
		key   string
		value []byte
	}{
		"nothing":                {key, nil},
		"too short":              {key, []byte("x")},
		"a flipped bit":          {key, flipped},
		"another's, well sealed": {"hongbao/finished/1/" + string(other.ID), right.Value},
	} {
		if err := client.Set(&memcache.Item{Key: row.key, Value: row.value}); err != nil {
			t.Fatal(err)
		}
		s := withMemcached(t, w, m.Addr())
		if snap, err := s.Peek(t.Context(), e.ID, "one"); err != nil || len(snap.Shares) != 1 || snap.Shares[0].Amount != 100 {
			t.Errorf("%s: %+v, %v", name, snap, err)
		}
		if snap, err := s.Peek(t.Context(), other.ID, "one"); err != nil || snap.Envelope.State != envelope.Active || len(snap.Shares) != 0 {
			t.Errorf("%s: the other envelope: %+v, %v", name, snap, err)
		}
	}
}

// FB4: a frozen memcached costs only the cache.
func TestFrozenMemcachedCostsOnlyTheCache(t *testing.T) {
	w := servers.World(t, 1)
	m, _ := memcachedFor(t)
	s := withMemcached(t, w, m.Addr())
	if err := m.Freeze(); err != nil {
		t.Fatal(err)
	}
	const each = 10
	start := time.Now()
	for range each {
		e := w.Active(t, 0, envelope.Order{Total: 100, Count: 1})
		if o := open(t, s, requests(e.ID, "one"))[0]; o.Outcome != envelope.Opened {
			t.Errorf("with memcached frozen: %+v", o)
		}
	}
	const bound = 3 * time.Second // unguarded, each would wait for the client's default of 500 ms, twice
	if took := time.Since(start); took > bound {
		t.Errorf("%d envelopes took %v with memcached frozen", each, took)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	w := servers.World(t, 1)
	cfg := configOf(w, t.Name())
	cfg.Memory = 32 // one a shard
	s := newRouter(t, cfg).Sets()[0]
	for range 100 {
		e := w.Active(t, 0, envelope.Order{Total: 100, Count: 1})
		open(t, s, requests(e.ID, "one"))
	}
	if n := metric(t, s, "hongbao_set_memory_envelopes"); n < 1 || n > 32 {
		t.Errorf("%v envelopes are remembered, want 1 to 32", n)
	}
}
