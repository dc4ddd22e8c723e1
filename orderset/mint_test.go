package orderset_test

import (
	"context"
	"database/sql"
	"strings"
	"sync"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/settest"
)

// startMinting leases a machine number for the router until stop, or the test,
// gives it back. ready is closed once it is there.
func startMinting(t testing.TB, r *settest.Router) (ready <-chan struct{}, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	leased, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		r.KeepMinting(ctx, leased)
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return leased, stop
}

// keepMinting is startMinting, and waits until there is a machine number.
func keepMinting(t testing.TB, r *settest.Router) (stop func()) {
	t.Helper()
	ready, stop := startMinting(t, r)
	await(t, ready, 30*time.Second, "a machine number is leased")
	return stop
}

func await(t testing.TB, signal <-chan struct{}, max time.Duration, what string) {
	t.Helper()
	select {
	case <-signal:
	case <-time.After(max):
		t.Fatalf("not within %v: %s", max, what)
	}
}

// mint makes a body.
func mint(t testing.TB, r *settest.Router) envelope.Body {
	t.Helper()
	b, err := r.Mint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func machineOf(b envelope.Body) int { return int(b & (1<<envelope.BodyMachineBits - 1)) }

// leasedUntil is the high-water mark of a machine number.
func leasedUntil(t testing.TB, admin *sql.DB, machine int) int64 {
	t.Helper()
	return count(t, admin, "SELECT leased_until_ms FROM machine_lease WHERE machine_id = ?", machine)
}

// leaveOneNumber leases every free machine number but one for a year.
func leaveOneNumber(t testing.TB, admin *sql.DB, machine int) {
	t.Helper()
	const others = "UPDATE machine_lease SET owner = 'somebody', term = term + 1, leased_until_ms = ? WHERE leased_until_ms < ? AND machine_id <> ?"
	now := time.Now()
	if _, err := admin.ExecContext(t.Context(), others, now.AddDate(1, 0, 0).UnixMilli(), now.UnixMilli(), machine); err != nil {
		t.Fatal(err)
	}
}

func TestConcurrentMintsAreDistinct(t *testing.T) {
	w := servers.World(t, 2)
	routers := []*settest.Router{w.Router, w.NewRouter(t), w.NewRouter(t), w.NewRouter(t)}
	const each = 50_000
	bodies := make([][]envelope.Body, len(routers))
	var wg sync.WaitGroup
	for i, r := range routers {
		wg.Go(func() {
			for range each {
				b, err := r.Mint(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				bodies[i] = append(bodies[i], b)
			}
		})
	}
	wg.Wait()
	admin := w.Admin(t, 0)
	seen := make(map[envelope.Body]bool, each*len(routers))
	for i, minted := range bodies {
		for j, b := range minted {
			if seen[b] {
				t.Fatalf("body %d was minted twice", b)
			}
			seen[b] = true
			if j > 0 && b <= minted[j-1] {
				t.Fatalf("router %d minted %d after %d", i, b, minted[j-1])
			}
		}
		last := minted[len(minted)-1]
		if until := leasedUntil(t, admin, machineOf(last)); last.Time().UnixMilli() > until {
			t.Errorf("router %d minted in ms %d, beyond its lease to %d", i, last.Time().UnixMilli(), until)
		}
	}
	if len(seen) != each*len(routers) {
		t.Errorf("%d bodies, want %d", len(seen), each*len(routers))
	}
}

// FD7: nothing is minted until the clock has caught up.
func TestClockStepStopsMinting(t *testing.T) {
	w := servers.World(t, 1)
	var c clock
	cfg := configOf(w, "clock")
	cfg.Now = c.Now
	r := newRouter(t, cfg)
	keepMinting(t, r)
	before := mint(t, r)
	for _, step := range []time.Duration{100 * time.Millisecond, time.Second, time.Hour, 24 * time.Hour} {
		c.move(-step)
		_, err := r.Mint(t.Context())
		wantBusy(t, err, "clock_stepped_back")
		if err := r.Minting(); err == nil || !strings.Contains(err.Error(), "the clock stepped back") {
			t.Errorf("stepped back by %v: minting says %v", step, err)
		}
		c.move(0)
		if after := mint(t, r); after <= before {
			t.Errorf("minted %d after %d", after, before)
		} else {
			before = after
		}
		if err := r.Minting(); err != nil {
			t.Errorf("caught up: %v", err)
		}
	}
	c.move(-20 * time.Millisecond) // as the time daemon does every day
	if after := mint(t, r); after <= before {
		t.Errorf("minted %d after %d", after, before)
	}
}

// FD7: a clock that steps back does not lower the high-water mark in the lease.
func TestClockStepKeepsTheHighWaterMark(t *testing.T) {
	t.Parallel()
	w := servers.World(t, 1)
	admin := w.Admin(t, 0)
	var c clock
	cfg := configOf(w, "clock")
	cfg.Now = c.Now
	r := newRouter(t, cfg)
	stop := keepMinting(t, r)
	last := mint(t, r)
	c.move(-time.Hour)
	reads := c.reads.Load()
	eventually(t, 10*time.Second, "the lease comes up for renewal twice", func() bool { return c.reads.Load() >= reads+2 })
	if until := leasedUntil(t, admin, machineOf(last)); until < last.Time().UnixMilli() {
		t.Errorf("ms %d was minted, but the number is free after ms %d", last.Time().UnixMilli(), until)
	}
	stop()
	if until := leasedUntil(t, admin, machineOf(last)); until < last.Time().UnixMilli() {
		t.Errorf("ms %d was minted, but the number was given back at ms %d", last.Time().UnixMilli(), until)
	}
}

// FD7: the next owner of a number mints in no millisecond that its last owner may have used.
func TestNewOwnerMintsNoEarlierMillisecond(t *testing.T) {
	t.Parallel()
	w := servers.World(t, 1)
	admin := w.Admin(t, 0)
	const machine = 41
	leaveOneNumber(t, admin, machine)
	before := time.Now().Add(time.Second).UnixMilli() // its clock was ahead
	if _, err := admin.ExecContext(t.Context(), "UPDATE machine_lease SET leased_until_ms = ? WHERE machine_id = ?", before, machine); err != nil {
		t.Fatal(err)
	}
	var c clock
	c.move(5 * time.Second)
	cfg := configOf(w, "clock")
	cfg.Now = c.Now
	r := newRouter(t, cfg)
	keepMinting(t, r)
	c.move(0) // corrected before the first body
	eventually(t, 5*time.Second, "minting starts when the clock has caught up", func() bool {
		b, err := r.Mint(t.Context())
		if err != nil {
			wantBusy(t, err, "clock_stepped_back")
			return false
		}
		if b.Time().UnixMilli() <= before {
			t.Fatalf("minted in ms %d, which belongs to the owner before, up to ms %d", b.Time().UnixMilli(), before)
		}
		return true
	})
}
