package orderset_test

import (
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/settest"
	"hongbao/orderset"
)

// viaProxy is a router's configuration with a proxy of its own before one SET.
func viaProxy(t testing.TB, w *settest.World, set int, owner string) (orderset.Config, *settest.Proxy) {
	t.Helper()
	p := settest.NewProxy(t, w.Proxies[set].Addr())
	t.Cleanup(func() { p.Freeze(false) })
	cfg := configOf(w, owner)
	cfg.Topology = topologyOf(t, w, func(specs []orderset.SetSpec) { specs[set].Primary = p.Addr() })
	return cfg, p
}

// loseRenewals keeps the next renewals, and the giving back, from the database.
func loseRenewals(p *settest.Proxy) {
	for range 50 {
		p.Lose(settest.LostBefore, "UPDATE machine_lease")
	}
}

// FD8: of two order servers that want one number, the second mints nothing until it is given back.
func TestTwoServersNeverHoldOneNumber(t *testing.T) {
	t.Parallel()
	w := servers.World(t, 1)
	admin := w.Admin(t, 0)
	leaveOneNumber(t, admin, 17)
	var stops []func()
	var routers []*settest.Router
	first := make(chan int, 2)
	for i, owner := range []string{"one", "two"} {
		r := newRouter(t, configOf(w, owner))
		ready, stop := startMinting(t, r)
		routers, stops = append(routers, r), append(stops, stop)
		go func() {
			<-ready
			first <- i
		}()
	}
	winner := <-first
	loser := 1 - winner
	last := mint(t, routers[winner])
	if machineOf(last) != 17 {
		t.Errorf("minted under machine number %d, want 17", machineOf(last))
	}
	_, err := routers[loser].Mint(t.Context())
	wantBusy(t, err, "no_machine_lease")
	for range 1000 {
		last = mint(t, routers[winner])
	}
	stops[winner]() // gives it back
	select {
	case <-first:
	case <-time.After(5 * time.Second): // far less than the rest of the lease
		t.Fatal("the number that was given back was not free at once")
	}
	if next := mint(t, routers[loser]); machineOf(next) != 17 || next <= last {
		t.Errorf("minted %d under %d after %d, want a later body under 17", next, machineOf(next), last)
	}
	_, err = routers[winner].Mint(t.Context())
	wantBusy(t, err, "no_machine_lease")
}

// FD8: the number of a killed order server is taken only when its lease has ended.
func TestNumberIsTakenAfterItsLeaseOnly(t *testing.T) {
	t.Parallel()
	w := servers.World(t, 1)
	admin := w.Admin(t, 0)
	leaveOneNumber(t, admin, 23)
	cfg, p := viaProxy(t, w, 0, "killed")
	killed := newRouter(t, cfg)
	stop := keepMinting(t, killed)
	last := mint(t, killed)
	loseRenewals(p)
	stop() // as far as the database can tell, it was killed
	until := leasedUntil(t, admin, 23)
	if until < last.Time().Add(5*time.Second).UnixMilli() {
		t.Fatalf("the lease to ms %d was given back after ms %d", until, last.Time().UnixMilli())
	}
	next := newRouter(t, configOf(w, "next"))
	keepMinting(t, next)
	if b := mint(t, next); machineOf(b) != 23 || b.Time().UnixMilli() <= until {
		t.Errorf("minted under %d in ms %d, want under 23 after ms %d", machineOf(b), b.Time().UnixMilli(), until)
	}
}

func TestNothingIsMintedBeyondTheLease(t *testing.T) {
	t.Parallel()
	w := servers.World(t, 1)
	cfg, p := viaProxy(t, w, 0, "cut off")
	var c clock
	cfg.Now = c.Now
	r := newRouter(t, cfg)
	stop := keepMinting(t, r)
	b := mint(t, r)
	loseRenewals(p)
	left := time.Duration(leasedUntil(t, w.Admin(t, 0), machineOf(b))-time.Now().UnixMilli()) * time.Millisecond
	c.move(left - time.Second)
	mint(t, r)
	c.move(left + time.Millisecond)
	_, err := r.Mint(t.Context())
	wantBusy(t, err, "no_machine_lease")
	stop()
	_, err = r.Mint(t.Context())
	wantBusy(t, err, "no_machine_lease")
}

// TestServerWithoutItsNumberTakesAnother: a server whose machine number was taken stops minting in time and leases another.
func TestServerWithoutItsNumberTakesAnother(t *testing.T) {
	t.Parallel()
	w := servers.World(t, 1)
	admin := w.Admin(t, 0)
	r := newRouter(t, configOf(w, "robbed"))
	stop := keepMinting(t, r)
	machine := machineOf(mint(t, r))
	until := leasedUntil(t, admin, machine)
	thief := time.Now().AddDate(1, 0, 0).UnixMilli()
	if _, err := admin.ExecContext(t.Context(), "UPDATE machine_lease SET owner = 'thief', term = term + 1, leased_until_ms = ? WHERE machine_id = ?",
		thief, machine); err != nil {
		t.Fatal(err)
	}
	var last envelope.Body
	eventually(t, 20*time.Second, "another number is leased", func() bool {
		b := mint(t, r) // without a gap
		if machineOf(b) == machine {
			last = b
			return false
		}
		return true
	})
	if last.Time().UnixMilli() > until {
		t.Errorf("minted in ms %d under the lost number, whose lease ended at ms %d", last.Time().UnixMilli(), until)
	}
	stop()
	if now := leasedUntil(t, admin, machine); now != thief {
		t.Errorf("the thief's lease was changed from ms %d to ms %d", thief, now)
	}
}

func TestMachineNumbersComeFromAnySET(t *testing.T) {
	w := servers.World(t, 2)
	dead := nobodyThere(t)
	cfg := configOf(w, "any")
	cfg.Topology = topologyOf(t, w, func(specs []orderset.SetSpec) { specs[0].Primary = dead })
	r := newRouter(t, cfg)
	keepMinting(t, r)
	if m := machineOf(mint(t, r)); m < orderset.MachineBlockSize || m >= 2*orderset.MachineBlockSize {
		t.Errorf("minted under %d, want one of the second SET's block", m)
	}
}

func TestMintingSurvivesAFrozenGranter(t *testing.T) {
	t.Parallel()
	w := servers.World(t, 2)
	cfg, p := viaProxy(t, w, 0, "orphan")
	r := newRouter(t, cfg)
	keepMinting(t, r)
	if m := machineOf(mint(t, r)); m >= orderset.MachineBlockSize {
		t.Fatalf("minted under %d, want one of the first SET's block", m)
	}
	p.Freeze(true)
	eventually(t, 30*time.Second, "the second SET grants a number", func() bool {
		return machineOf(mint(t, r)) >= orderset.MachineBlockSize // without a gap
	})
}
