package queue_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"hongbao/queue"
)

// remoteGate is a gate of one more process that uses m, patiently.
func remoteGate(t *testing.T, m *memcachedProcess, cfg queue.GateConfig) *queue.Gate {
	t.Helper()
	cfg.Store = m.store(queue.MemcachedConfig{OpTimeout: time.Second})
	return quietGate(t, cfg)
}

// FB1: a restart costs no fallback, and the count of holders begins again.
func TestRestartOfMemcachedStartsAgain(t *testing.T) {
	m := startMemcached(t)
	g := remoteGate(t, m, queue.GateConfig{HoldersMax: 1, LeaseFor: 30 * time.Second, AcquireMax: time.Second})
	together := func(prefix string) {
		var wg sync.WaitGroup
		for i := range 64 {
			wg.Go(func() {
				p, err := g.Enter(t.Context(), fmt.Sprint(prefix, i))
				if err != nil {
					t.Errorf("Enter %s%d: %v", prefix, i, err)
				}
				p.Leave()
			})
		}
		wg.Wait()
	}
	together("before") // fills the pool of connections
	enter(t, g, "k")
	m.kill()
	m.restart()
	together("after") // every pooled connection is broken, and no caller notices
	if st := g.Stats(); st.Unreachable != 0 || st.Fallback != 0 {
		t.Errorf("stats %+v, want a restart to cost no fallback", st)
	}
	// The cap starts at zero: one more process comes in, and no second one.
	other := remoteGate(t, m, queue.GateConfig{HoldersMax: 1})
	enter(t, other, "k")
	enter(t, g, "k")
	refused(t, remoteGate(t, m, queue.GateConfig{HoldersMax: 1}), "k", queue.ReasonOverCap)
}

// FB1: after a wipe the renewal puts the lease back.
func TestWipeLosesNothingButTheCount(t *testing.T) {
	m := startMemcached(t)
	cfg := queue.GateConfig{HoldersMax: 1, LeaseFor: time.Second, AcquireMax: 200 * time.Millisecond}
	g := remoteGate(t, m, cfg)
	enter(t, g, "k")
	m.flushAll()
	eventually(t, 5*time.Second, func() bool { // the renewal puts the lease back
		enter(t, g, "k").Leave()
		return g.Stats().Acquired >= 2
	})
	refused(t, remoteGate(t, m, queue.GateConfig{HoldersMax: 1}), "k", queue.ReasonOverCap)
}

// FB2: the holders of a dead process count until their lease ends.
func TestDeadHoldersCountForTheirLeaseOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newLocalStore(t)
		cfg := queue.GateConfig{Store: store, HoldersMax: 2, LeaseFor: time.Second}
		for range 100 { // two die with their leases: they neither leave nor renew
			enter(t, quietGate(t, cfg), "k")
			enter(t, quietGate(t, cfg), "k")
			time.Sleep(time.Second - time.Millisecond)
			refused(t, quietGate(t, cfg), "k", queue.ReasonOverCap)
			time.Sleep(time.Millisecond)
		}
	})
}

// FB2: thirty holders die one after the other, and the next gets in when their leases end.
func TestDeadHoldersHealInMemcached(t *testing.T) {
	m := startMemcached(t)
	cfg := queue.GateConfig{HoldersMax: 2, LeaseFor: 100 * time.Millisecond, AcquireMax: 20 * time.Millisecond, RefuseFor: time.Millisecond}
	for range 30 { // each dies with its lease, and the next gets in
		g := remoteGate(t, m, cfg)
		eventually(t, 5*time.Second, func() bool {
			p, err := g.Enter(t.Context(), "k")
			p.Leave()
			return err == nil && g.Stats().Acquired >= 1
		})
	}
}

// FB2: a lease that is never given back ends at its time.
func TestLeakedLeaseEndsAtItsTime(t *testing.T) {
	m := startMemcached(t)
	now := time.Now().UnixMilli()
	plant(t, m, "dead", fmt.Appendf(nil, "hbl1 a:%d b:%d", now-1, now-1_000))
	plant(t, m, "alive", fmt.Appendf(nil, "hbl1 a:%d b:%d", now+20_000, now+20_000))
	g := remoteGate(t, m, queue.GateConfig{HoldersMax: 2, Holder: "me"})
	enter(t, g, "dead")
	if v := dig(t, m, "dead"); !strings.HasPrefix(v, "hbl1 me:") {
		t.Errorf("stored %q, want the dead gone", v)
	}
	refused(t, g, "alive", queue.ReasonOverCap)
}

// FB3: any number of returns of one permit frees one place.
func TestLeavingTwiceIsLeavingOnce(t *testing.T) {
	onEveryStore(t, func(t *testing.T, s queue.Store) {
		g := quietGate(t, queue.GateConfig{Store: s, PermitsMax: 3})
		p := enter(t, g, "k")
		enter(t, g, "k")
		enter(t, g, "k")
		copied := p
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(p.Leave)
			wg.Go(copied.Leave)
		}
		wg.Wait()
		enter(t, g, "k") // the one place that came free
		refused(t, g, "k", queue.ReasonOverCap)
		p.Leave() // a late repeat does not hit the request that has the slot now
		refused(t, g, "k", queue.ReasonOverCap)
		queue.Permit{}.Leave()
		if st := g.Stats(); st.DoubleLeaves != 16 || st.Permits != 3 {
			t.Errorf("stats %+v, want 16 double leaves and 3 permits out", st)
		}
	})
}

// fallen brings g to its local caps by asking for keys that were not asked for.
func fallen(t *testing.T, g *queue.Gate) {
	t.Helper()
	for i := 0; !g.Stats().Fallen; i++ {
		if i > 100 {
			t.Fatal("100 failures did not open the breaker")
		}
		enter(t, g, fmt.Sprint("cold", i)).Leave()
	}
}

// wantPermits takes permits of key until they are refused.
func wantPermits(t *testing.T, g *queue.Gate, key string, want int) {
	t.Helper()
	for n := 0; ; n++ {
		if _, err := g.Enter(t.Context(), key); err != nil {
			wantBusy(t, err, queue.ReasonOverCap)
			if n != want {
				t.Errorf("%d permits of %s, want %d", n, key, want)
			}
			return
		}
		if n > want {
			t.Fatalf("more than %d permits of %s", want, key)
		}
	}
}

// FB4: while memcached is frozen a lower cap in the process takes its place.
func TestFrozenMemcachedLowersTheLocalCap(t *testing.T) {
	m := startMemcached(t)
	g := quietGate(t, queue.GateConfig{
		Store:      m.store(queue.MemcachedConfig{}),
		PermitsMax: 20, FallbackMax: 7, ProbeEvery: 50 * time.Millisecond,
	})
	enter(t, g, "warm").Leave()
	m.signal(syscall.SIGSTOP)
	start := time.Now()
	enter(t, g, "first").Leave()
	if took := time.Since(start); took > time.Second {
		t.Errorf("a caller waited %v for a frozen memcached", took)
	}
	fallen(t, g)
	failed := g.Stats().Unreachable
	wantPermits(t, g, "hot", 7)
	enter(t, g, "warm").Leave() // a lease got before is good
	if n := g.Stats().Unreachable - failed; n != 0 {
		t.Errorf("%d callers waited for a store known to be gone", n)
	}
	m.signal(syscall.SIGCONT)
	eventually(t, 5*time.Second, func() bool {
		enter(t, g, "warm").Leave() // traffic of any kind carries the probes
		return !g.Stats().Fallen
	})
	eventually(t, 5*time.Second, func() bool {
		_, err := g.Enter(t.Context(), "hot")
		return err == nil
	})
	wantPermits(t, g, "hot", 20-7-1) // the permits out count under the lease, too
}

// FB4: a memcached that comes back is used again.
func TestDeadMemcachedIsFoundAgain(t *testing.T) {
	m := startMemcached(t)
	g := remoteGate(t, m, queue.GateConfig{PermitsMax: 10, FallbackMax: 3, ProbeEvery: 20 * time.Millisecond})
	m.kill()
	fallen(t, g)
	wantPermits(t, g, "k", 3)
	m.restart()
	eventually(t, 5*time.Second, func() bool {
		p, _ := g.Enter(t.Context(), "other")
		p.Leave()
		return !g.Stats().Fallen
	})
	eventually(t, 5*time.Second, func() bool {
		_, err := g.Enter(t.Context(), "k")
		return err == nil
	})
	wantPermits(t, g, "k", 10-3-1)
	if st := g.Stats(); st.Granted == 0 {
		t.Errorf("stats %+v, want permits under leases again", st)
	}
}

// FB5: a foreign value counts as absent and is overwritten.
func TestForeignValueIsOverwritten(t *testing.T) {
	m := startMemcached(t)
	far := time.Now().Add(24 * time.Hour).UnixMilli()
	for i, value := range [][]byte{
		{}, []byte("42"), []byte("9 "), []byte("hbl1"), []byte("hbl1 "), []byte("hbl1 a:x"), []byte("hbl1 a"),
		[]byte("hbl1 :1"), []byte("hbl2 a:1"), {0, 0xff, '\r', '\n', 0x80}, bytes.Repeat([]byte("x"), 100_000),
		fmt.Appendf(nil, "hbl1 clock:%d", far), bytes.Repeat([]byte(" a:1"), 100),
		append([]byte("hbl1"), bytes.Repeat(fmt.Appendf(nil, " a:%d", time.Now().UnixMilli()+9_000), 65)...),
	} {
		key := fmt.Sprint("k", i)
		plant(t, m, key, value)
		enter(t, remoteGate(t, m, queue.GateConfig{HoldersMax: 1, Holder: "me"}), key)
		if v := dig(t, m, key); !strings.HasPrefix(v, "hbl1 me:") || len(v) > 40 {
			t.Errorf("%.40q became %q, want our lease alone", value, v)
		}
		refused(t, remoteGate(t, m, queue.GateConfig{HoldersMax: 1}), key, queue.ReasonOverCap)
	}
}

// FB6: leases of an old reign do not count in the next.
func TestLeasesOfAnOldReignDoNotCount(t *testing.T) {
	m := startMemcached(t)
	reign := func(n int) *queue.Gate {
		return quietGate(t, queue.GateConfig{
			Store:      m.store(queue.MemcachedConfig{Prefix: fmt.Sprintf("hb:000:%d:", n), OpTimeout: time.Second}),
			HoldersMax: 1,
		})
	}
	enter(t, reign(1), "k")
	refused(t, reign(1), "k", queue.ReasonOverCap)
	enter(t, reign(2), "k")
}
