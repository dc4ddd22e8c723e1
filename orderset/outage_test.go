package orderset_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/settest"
	"hongbao/orderset"
	"hongbao/orderset/audit"
	"hongbao/schema"
)

// own is one SET on a server of the test's own, for what would disturb others.
type own struct {
	spec   orderset.SetSpec
	admin  *sql.DB // on the SET's database
	router *settest.Router
	minted int
}

func newOwn(t *testing.T, args ...string) *own {
	t.Helper()
	s, admin := ownServer(t, args...)
	for ahead := range 2 {
		if err := schema.MakeDayTables(t.Context(), admin, 7, envelope.DayOf(time.Now()).Add(ahead).OfMonth()); err != nil {
			t.Fatal(err)
		}
	}
	admin.SetMaxOpenConns(1)
	exec(t, admin, "USE hb_007")
	o := &own{spec: s, admin: admin, router: lone(t, 7, s.Primary, time.Now)}
	t.Cleanup(func() { o.checkBooks(t) })
	return o
}

func (o *own) checkBooks(t *testing.T) {
	t.Helper()
	a, err := audit.OpenDSN("audit:app-test@tcp("+o.spec.Primary+")/hb_007", drawKey(t))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	books, err := a.Audit(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if len(books.Violations) > 0 {
		t.Errorf("the books do not balance: %v", books)
	}
}

// sending is a lucky envelope that has not been created.
func (o *own) sending(t *testing.T, shares int) envelope.Sending {
	t.Helper()
	o.minted++
	id := idAt(time.Now().Add(time.Duration(o.minted)*time.Millisecond), 7)
	order := envelope.Order{Sender: "ann", Key: fmt.Sprint("k", o.minted), Kind: envelope.Lucky, Total: envelope.Fen(100 * shares), Count: shares, Group: "g"}
	return envelope.Sending{Envelope: envelope.DefaultLimits().New(order, id, drawKey(t).Seed(id).Commitment(), time.Now()), Key: order.Key}
}

func (o *own) active(t *testing.T, shares int) envelope.Envelope {
	t.Helper()
	s := o.sending(t, shares)
	if _, err := o.router.Create(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	e, err := o.router.Pay(t.Context(), payment(s.Envelope, "tx-"+string(s.Envelope.ID)))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// remembering is an order server of the SET.
func (o *own) remembering(t *testing.T, memory int) *orderset.Set {
	t.Helper()
	return o.server(t, orderset.Config{Memory: memory})
}

// server is an order server of the SET, after some settings.
func (o *own) server(t *testing.T, cfg orderset.Config) *orderset.Set {
	t.Helper()
	cfg.App, cfg.DrawKey, cfg.Owner = orderset.Account{User: "app", Password: "app-test"}, drawKey(t), "own"
	cfg.Now, cfg.Log = time.Now, quiet()
	var err error
	if cfg.Topology, err = orderset.NewTopology([]orderset.SetSpec{o.spec}); err != nil {
		t.Fatal(err)
	}
	return newRouter(t, cfg).Sets()[0]
}

func (o *own) find(t *testing.T, id envelope.ID) envelope.Snapshot {
	t.Helper()
	snap, err := o.router.Find(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

// answers is what a batch came back with.
type answers struct {
	openings []envelope.Opening
	err      error
}

func inBackground(s *orderset.Set, reqs []envelope.OpenRequest) <-chan answers {
	answer := make(chan answers, 1)
	go func() {
		openings, err := s.Open(context.Background(), reqs)
		answer <- answers{openings, err}
	}()
	return answer
}

// FA10: a commit that ends after our timeout is waited for and resolved.
func TestSlowCommitIsWaitedForAndResolved(t *testing.T) {
	t.Parallel()
	o := newOwn(t)
	var ids [2]envelope.ID
	var pending [2]<-chan answers
	servers := [2]*orderset.Set{o.remembering(t, ways[0].memory), o.remembering(t, ways[1].memory)}
	for i, s := range servers {
		ids[i] = o.active(t, 10).ID
		open(t, s, requests(ids[i], "first"))
	}
	// From here on commits wait for a replica that is not there.
	letGo := holdCommits(t, o.admin)
	for i, s := range servers {
		pending[i] = inBackground(s, requests(ids[i], crowd(5)...))
	}
	// They time out on our side and hang on; the readings wait for their locks.
	eventually(t, 10*time.Second, "the readings wait for the commits", func() bool { return transactions(t, o.admin, "LOCK WAIT") == 2 })
	letGo()
	for i, answer := range pending {
		a := <-answer
		if a.err != nil {
			t.Fatalf("%s: %v", ways[i].name, a.err)
		}
		snap := o.find(t, ids[i])
		if len(snap.Shares) != 6 {
			t.Fatalf("%s: %d shares are stored, want 6", ways[i].name, len(snap.Shares))
		}
		for j, got := range a.openings {
			if got.Outcome != envelope.Opened || !sameShare(got.Share, snap.Shares[j+1]) {
				t.Errorf("%s: request %d was answered %+v, stored is %+v", ways[i].name, j, got, snap.Shares[j+1])
			}
		}
	}
}

// wantShareCount fails unless so many shares are stored.
func wantShareCount(t testing.TB, w *settest.World, id envelope.ID, n int) {
	t.Helper()
	if snap := find(t, w, id); len(snap.Shares) != n || snap.Envelope.OpenedCount != n {
		t.Errorf("%d shares are stored and %d counted, want %d", len(snap.Shares), snap.Envelope.OpenedCount, n)
	}
}

// fence makes a server read-only, as a failover does, and
// returns what lifts the fence.
func fence(t *testing.T, admin *sql.DB) (lift func()) {
	t.Helper()
	exec(t, admin, "SET GLOBAL read_only = 1")
	lift = sync.OnceFunc(func() { exec(t, admin, "SET GLOBAL read_only = 0") })
	t.Cleanup(lift)
	return lift
}

// FC6: a primary that became read-only refuses, and nothing is half done.
func TestFencedPrimaryLeavesNothingHalfDone(t *testing.T) {
	w := servers.World(t, 1)
	admin := w.Admin(t, 0)
	bothWays(t, w, func(t *testing.T, s *orderset.Set) {
		e, _ := warmed(t, w, s, 10)
		sending, unpaid := w.Sending(t, 0, envelope.Order{Total: 100, Count: 10}), w.Unpaid(t, 0, envelope.Order{Total: 100, Count: 10})
		lift := fence(t, admin)
		_, err := s.Open(t.Context(), requests(e.ID, crowd(5)...))
		wantBusy(t, err, "set_unavailable")
		_, err = w.Router.Create(t.Context(), sending)
		wantBusy(t, err, "set_unavailable")
		_, err = w.Router.Pay(t.Context(), payment(unpaid, "tx-fenced"))
		wantBusy(t, err, "set_unavailable")
		wantShareCount(t, w, e.ID, 1)
		lift()
		open(t, s, requests(e.ID, crowd(5)...))
		wantShareCount(t, w, e.ID, 6)
	})
}

// FC6: a COMMIT that read_only refuses is known not to be done.
func TestFencedCommitIsNotCommitted(t *testing.T) {
	w := servers.World(t, 1)
	admin := w.Admin(t, 0)
	bothWays(t, w, func(t *testing.T, s *orderset.Set) {
		e, _ := warmed(t, w, s, 10)
		w.Proxies[0].Delay(100 * time.Millisecond) // the fence falls between the writes and the commit
		answer := inBackground(s, requests(e.ID, crowd(5)...))
		eventually(t, 10*time.Second, "the shares are written", func() bool { return transactions(t, admin, "undo log entries 7") > 0 })
		lift := fence(t, admin)
		a := <-answer
		w.Proxies[0].Delay(0)
		wantBusy(t, a.err, "set_unavailable")
		wantShareCount(t, w, e.ID, 1)
		lift()
		open(t, s, requests(e.ID, crowd(5)...))
		wantShareCount(t, w, e.ID, 6)
	})
}

// FC18: a server that is out of connections is busy.
func TestServerOutOfConnectionsIsBusy(t *testing.T) {
	w := servers.World(t, 1)
	admin := w.Admin(t, 0)
	e := w.Active(t, 0, envelope.Order{Total: 1000, Count: 10})
	exec(t, admin, "SET GLOBAL max_connections = 10") // and one for the administrator
	restore := sync.OnceFunc(func() { exec(t, admin, "SET GLOBAL max_connections = 256") })
	t.Cleanup(restore)
	app, err := sql.Open("mysql", w.App.User+":"+w.App.Password+"@tcp("+w.Proxies[0].Addr()+")/")
	if err != nil {
		t.Fatal(err)
	}
	defer app.Close()
	for i := 0; ; i++ {
		if _, err := app.Conn(t.Context()); err != nil {
			break
		}
		if i > 10 {
			t.Fatal("there are connections to spare")
		}
	}
	s := serverOf(t, w, 1024).Sets()[0]
	_, err = s.Open(t.Context(), requests(e.ID, "bob"))
	wantBusy(t, err, "set_unavailable")
	restore()
	open(t, s, requests(e.ID, "bob"))
}

func TestKilledStatementIsBusyWithoutEffect(t *testing.T) {
	w := servers.World(t, 1)
	admin := w.Admin(t, 0)
	bothWays(t, w, func(t *testing.T, s *orderset.Set) {
		for _, kill := range []string{"KILL QUERY ", "KILL CONNECTION "} {
			e, _ := warmed(t, w, s, 10)
			tx, err := admin.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer tx.Rollback()
			if _, err := tx.ExecContext(t.Context(), "UPDATE "+envelopes(e.ID)+" SET greeting = 'held' WHERE order_id = ?", e.ID); err != nil {
				t.Fatal(err)
			}
			answer := inBackground(s, requests(e.ID, crowd(5)...))
			awaitLockWait(t, admin)
			waiting := sessions(t, admin)
			at := slices.IndexFunc(waiting, func(s session) bool { return s.user == w.App.User && s.command == "Query" })
			if at < 0 {
				t.Fatalf("no statement of the service is under way: %v", waiting)
			}
			exec(t, admin, kill+waiting[at].id)
			a := <-answer
			if err := tx.Rollback(); err != nil {
				t.Fatal(err)
			}
			wantBusy(t, a.err, "set_unavailable")
			wantShareCount(t, w, e.ID, 1)
			open(t, s, requests(e.ID, crowd(5)...))
			wantShareCount(t, w, e.ID, 6)
		}
	})
}

// FC2: a frozen database is refused in bounded time, and other SETs do not notice.
func TestFrozenSETHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	w := servers.World(t, 2)
	const bound = 15 * time.Second // every wait below it has a bound of its own
	type call struct {
		what string
		run  func() error
	}
	remembering, locking := serverOf(t, w, 1024), serverOf(t, w, 0)
	warm, first := warmed(t, w, remembering.Sets()[0], 10)
	unpaid := w.Unpaid(t, 0, envelope.Order{Total: 100, Count: 10})
	sending := w.Sending(t, 0, envelope.Order{Total: 100, Count: 10})
	batch := requests(warm.ID, crowd(5)...)
	calls := []call{
		{"open from memory", func() error { _, err := remembering.Sets()[0].Open(t.Context(), batch); return err }},
		{"open under locks", func() error { _, err := locking.Sets()[0].Open(t.Context(), batch); return err }},
		{"create", func() error { _, err := w.Router.Create(t.Context(), sending); return err }},
		{"pay", func() error { _, err := w.Router.Pay(t.Context(), payment(unpaid, "tx-frozen")); return err }},
		{"find", func() error { _, err := w.Router.Find(t.Context(), warm.ID); return err }},
		{"peek", func() error { _, err := locking.Peek(t.Context(), warm.ID, "bob"); return err }},
		{"ping", func() error { return w.Router.Sets()[0].Ping(t.Context()) }},
	}
	w.Proxies[0].Freeze(true)
	defer w.Proxies[0].Freeze(false)
	var frozen sync.WaitGroup
	for _, c := range calls {
		frozen.Go(func() {
			start := time.Now()
			err := c.run()
			if !isBusy(err) && !errors.Is(err, envelope.ErrUnknownOutcome) {
				t.Errorf("%s: got %v, want busy or unknown", c.what, err)
			}
			if waited := time.Since(start); waited > bound {
				t.Errorf("%s: answered after %v, want %v at most", c.what, waited, bound)
			}
		})
	}
	stuck := make(chan struct{})
	go func() { frozen.Wait(); close(stuck) }()
	opened, slowest := 0, time.Duration(0)
	for running := true; running; {
		select {
		case <-stuck:
			running = false
		default:
			start := time.Now()
			open(t, w.Router.Sets()[1], requests(w.Active(t, 1, envelope.Order{Total: 100, Count: 10}).ID, crowd(3)...))
			opened++
			slowest = max(slowest, time.Since(start))
		}
	}
	if opened < 10 || slowest > 2*time.Second {
		t.Errorf("meanwhile the other SET opened %d envelopes, the slowest in %v", opened, slowest)
	}
	w.Proxies[0].Freeze(false)
	wantShares(t, w, warm.ID, first)
	eventually(t, 5*time.Second, "it opens again", func() bool {
		openings, err := remembering.Sets()[0].Open(t.Context(), batch)
		if err == nil {
			wantShares(t, w, warm.ID, append(first, openings...))
		}
		return err == nil
	})
	wantHealthyPool(t, w, 0)
}

// FC2: a database that freezes at COMMIT leaves nothing half done.
func TestFreezeAtCommitIsAllOrNothing(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			w := servers.World(t, 1)
			defer w.Proxies[0].Freeze(false)
			s := serverOf(t, w, way.memory).Sets()[0]
			e, first := warmed(t, w, s, 10)
			w.Proxies[0].Delay(100 * time.Millisecond)
			answer := inBackground(s, requests(e.ID, crowd(5)...))
			admin := w.Admin(t, 0)
			eventually(t, 10*time.Second, "the shares are written", func() bool { return transactions(t, admin, "undo log entries 7") > 0 })
			w.Proxies[0].Freeze(true)
			a := <-answer
			w.Proxies[0].Delay(0)
			w.Proxies[0].Freeze(false)
			if a.err != nil && !isBusy(a.err) && !errors.Is(a.err, envelope.ErrUnknownOutcome) {
				t.Errorf("got %v, want busy or unknown", a.err)
			}
			eventually(t, 10*time.Second, "the repeat is answered", func() bool {
				openings, err := s.Open(t.Context(), requests(e.ID, crowd(5)...))
				if err != nil {
					return false
				}
				for i := range openings { // opened now or before
					openings[i].Outcome = envelope.Opened
				}
				wantShares(t, w, e.ID, append(first, openings...))
				return true
			})
			wantHealthyPool(t, w, 0)
		})
	}
}
