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
)

func outboxRows(t testing.TB, w *settest.World) int64 {
	t.Helper()
	return count(t, w.Admin(t, 0), "SELECT COUNT(*) FROM outbox")
}

// FG9: every transaction that changes envelopes has one outbox row that names them.
func TestEveryChangeHasOneOutboxRow(t *testing.T) {
	w := servers.World(t, 1)
	bothWays(t, w, func(t *testing.T, s *orderset.Set) {
		var reqs []envelope.OpenRequest
		names := map[string]bool{}
		for range 25 {
			e := w.Active(t, 0, envelope.Order{Total: 1000, Count: 5})
			names[string(e.ID)] = true
			reqs = append(reqs, requests(e.ID, "ann", "bob")...)
		}
		before := outboxRows(t, w)
		open(t, s, reqs)
		open(t, s, reqs) // moves nothing
		if n := outboxRows(t, w) - before; n != 1 {
			t.Errorf("a batch made %d rows, want 1", n)
		}
		var touched string
		if err := w.Admin(t, 0).QueryRowContext(t.Context(), "SELECT touched FROM outbox ORDER BY id DESC LIMIT 1").Scan(&touched); err != nil {
			t.Fatal(err)
		}
		for ; len(touched) >= 23; touched = touched[23:] {
			if !names[touched[:23]] {
				t.Errorf("%s is named, and was not opened or was named before", touched[:23])
			}
			delete(names, touched[:23])
		}
		if len(names) > 0 || touched != "" {
			t.Errorf("not named: %v, left over: %q", names, touched)
		}
	})
}

// FG9: an open that is undone leaves no outbox row, and one that is committed leaves its own.
func TestLostOpenLeavesNoOutboxRow(t *testing.T) {
	w := servers.World(t, 1)
	bothWays(t, w, func(t *testing.T, s *orderset.Set) {
		for half, fault := range bothFaults {
			e, _ := warmed(t, w, s, 11)
			rows := outboxRows(t, w)
			w.Proxies[0].Lose(fault, "COMMIT")
			w.Proxies[0].Lose(settest.LostBefore, "START") // of the reading
			if _, err := s.Open(t.Context(), requests(e.ID, crowd(10)...)); !errors.Is(err, envelope.ErrUnknownOutcome) {
				t.Fatalf("%s: got %v, want ErrUnknownOutcome", half, err)
			}
			var opened, owed int64
			eventually(t, 5*time.Second, "the lost transaction has ended", func() bool { return transactions(t, w.Admin(t, 0), "ACTIVE") == 0 })
			opened = int64(find(t, w, e.ID).Envelope.OpenedCount - 1)
			if owed = outboxRows(t, w) - rows; owed != opened/10 {
				t.Errorf("%s: %d shares and %d outbox rows", half, opened, owed)
			}
		}
	})
}

func TestSpreadMakesOneTransferAShare(t *testing.T) {
	w := servers.World(t, 1)
	s := w.Router.Sets()[0]
	e := w.Active(t, 0, envelope.Order{Total: 30000, Count: 3})
	select {
	case <-s.Owed().Touched():
	default:
		t.Error("a payment woke nobody")
	}
	openings := open(t, s, requests(e.ID, "ann", "bob"))
	select {
	case <-s.Owed().Touched():
	default:
		t.Error("an open woke nobody")
	}
	if n := spread(t, s); n != 1 {
		t.Errorf("%d envelopes were spread, want 1", n)
	}
	for _, o := range openings {
		tr := transfer(t, w, e.ID, o.Share.Seq)
		if tr.Payee != o.Share.User || tr.Amount != o.Share.Amount || tr.Charged != 30000 || tr.Round != 1 || tr.State != envelope.Pending || tr.Placed || tr.Attempts != 0 {
			t.Errorf("share %+v is owed as %+v", o.Share, tr)
		}
	}
	if _, err := s.Owed().Transfer(t.Context(), e.ID, 0); !errors.Is(err, envelope.ErrNotFound) {
		t.Errorf("a refund while it lives: %v", err)
	}
	open(t, s, requests(e.ID, "carl"))
	spread(t, s)
	if n := count(t, w.Admin(t, 0), "SELECT COUNT(*) FROM transfer WHERE order_id = ?", e.ID); n != 3 {
		t.Errorf("%d transfers, want 3", n)
	}
	if n := spread(t, s); n != 0 {
		t.Errorf("%d envelopes were spread again", n)
	}
}

// FG7: four spreaders and four relays at once lose and double nothing.
func TestFourSpreadersLoseAndDoubleNothing(t *testing.T) {
	w := servers.World(t, 1)
	var es []envelope.Envelope
	for range 12 {
		es = append(es, w.Active(t, 0, envelope.Order{Total: 40000, Count: 40}))
	}
	var relays, openers sync.WaitGroup
	var over atomic.Bool
	var posted atomic.Int64
	for range 4 {
		s := serverOf(t, w, 64).Sets()[0]
		openers.Go(func() {
			for _, u := range crowd(40) {
				for _, e := range es {
					if _, err := s.Open(t.Context(), requests(e.ID, u)); err != nil && !isBusy(err) {
						t.Error(err)
					}
				}
			}
		})
		relays.Go(func() {
			for idle := 0; idle < 3; {
				n, err := s.Owed().Spread(t.Context(), 16)
				if err != nil && !isBusy(err) {
					t.Errorf("spread: %v", err)
				}
				ts, err := s.Owed().ClaimTransfers(t.Context(), 50, lease)
				if err != nil && !isBusy(err) {
					t.Errorf("claim: %v", err)
				}
				words := say(envelope.ProgressDone, ts...)
				errs, err := s.Owed().RecordTransfers(t.Context(), words)
				for isBusy(err) {
					errs, err = s.Owed().RecordTransfers(t.Context(), words)
				}
				if err = errors.Join(append(errs, err)...); err != nil {
					t.Errorf("hear: %v", err)
				}
				if posted.Add(int64(len(ts))); n == 0 && len(ts) == 0 && over.Load() {
					idle++
				}
			}
		})
	}
	openers.Wait()
	over.Store(true)
	relays.Wait()
	n := int64(0)
	for _, e := range es {
		if snap := find(t, w, e.ID); snap.Envelope.State != envelope.Settled {
			t.Errorf("envelope %s is %s with %d shares, want settled", e.ID, snap.Envelope.State, len(snap.Shares))
		} else {
			n += int64(len(snap.Shares))
		}
	}
	if posted.Load() != n {
		t.Errorf("%d transfers were claimed for %d shares", posted.Load(), n)
	}
	if books := w.CheckBooks(t)[0]; books.Posted != books.Opened || books.PostedCount != int(n) {
		t.Errorf("the books say %v", books)
	}
}

// FG10: an outbox row that commits late is spread though later ones were.
func TestLateRowIsSpread(t *testing.T) {
	w := servers.World(t, 1)
	s := w.Router.Sets()[0]
	first := w.Active(t, 0, envelope.Order{Total: 1000, Count: 5})
	second := w.Active(t, 0, envelope.Order{Total: 1000, Count: 5})
	open(t, s, requests(first.ID, "ann"))
	admin := w.Admin(t, 0)
	exec(t, admin, "UPDATE outbox SET state = 'spread'")
	late, err := admin.BeginTx(t.Context(), nil) // its row takes its number now
	if err != nil {
		t.Fatal(err)
	}
	defer late.Rollback()
	if _, err := late.Exec("INSERT INTO outbox (touched, state, created_at) VALUES (?, 'pending', UTC_TIMESTAMP(3))", first.ID); err != nil {
		t.Fatal(err)
	}
	open(t, s, requests(second.ID, "ann"))
	if n := spread(t, s); n != 1 {
		t.Fatalf("%d envelopes were spread, want 1", n)
	}
	transfer(t, w, second.ID, 1)
	if err := late.Commit(); err != nil {
		t.Fatal(err)
	}
	if n := count(t, admin, "SELECT COUNT(*) FROM outbox low JOIN outbox high ON low.id < high.id WHERE low.touched = ? AND low.state = 'pending' AND high.touched = ? AND high.state = 'spread'", first.ID, second.ID); n == 0 {
		t.Fatal("the late row is not the lower one")
	}
	spread(t, s)
	transfer(t, w, first.ID, 1)
}

// FG11: what a transaction that never commits has opened is not paid.
func TestNothingIsPaidBeforeItsCommit(t *testing.T) {
	w := servers.World(t, 1)
	s := w.Router.Sets()[0]
	e := w.Active(t, 0, envelope.Order{Total: 1000, Count: 5})
	spread(t, s)
	zombie, err := w.Admin(t, 0).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer zombie.Rollback()
	for _, statement := range []string{
		"UPDATE " + envelopes(e.ID) + " SET ver = ver + 1, opened_fen = 10, opened_count = 1 WHERE order_id = ?",
		"INSERT INTO " + shares(e.ID) + " (order_id, seq, user_id, amount_fen, opened_at) VALUES (?, 1, 'ghost', 10, UTC_TIMESTAMP(3))",
		"INSERT INTO outbox (touched, state, created_at) VALUES (?, 'pending', UTC_TIMESTAMP(3))",
	} {
		if _, err := zombie.Exec(statement, e.ID); err != nil {
			t.Fatal(err)
		}
	}
	if n := spread(t, s); n != 0 {
		t.Errorf("%d envelopes were spread before their commit", n)
	}
	if err := zombie.Rollback(); err != nil {
		t.Fatal(err)
	}
	if n := spread(t, s); n != 0 {
		t.Errorf("%d envelopes were spread after their rollback", n)
	}
	if _, err := s.Owed().Transfer(t.Context(), e.ID, 1); !errors.Is(err, envelope.ErrNotFound) {
		t.Errorf("a payout of what was never committed: %v", err)
	}
}

func TestSpreadWithALostCommitIsDoneOnce(t *testing.T) {
	w := servers.World(t, 1)
	s := w.Router.Sets()[0]
	for half, fault := range bothFaults {
		for _, statement := range []string{"COMMIT", "INSERT INTO transfer", "INSERT INTO delivery", "UPDATE outbox", "SELECT id, touched", "START"} {
			t.Run(statement+" "+half, func(t *testing.T) {
				e := w.Active(t, 0, envelope.Order{Total: 1000, Count: 5})
				open(t, s, requests(e.ID, "ann", "bob"))
				hits := w.Proxies[0].Hits()
				w.Proxies[0].Lose(fault, statement)
				if _, err := s.Owed().Spread(t.Context(), 256); err != nil {
					wantBusy(t, err, "set_unavailable")
				}
				if w.Proxies[0].Hits() != hits+1 {
					t.Fatal("nothing was lost")
				}
				eventually(t, 5*time.Second, "what was lost has let go of its rows", func() bool {
					spread(t, s)
					return count(t, w.Admin(t, 0), "SELECT COUNT(*) FROM outbox WHERE state = 'pending'") == 0
				})
				if n := count(t, w.Admin(t, 0), "SELECT COUNT(*) FROM transfer WHERE order_id = ?", e.ID); n != 2 {
					t.Errorf("%d transfers, want 2", n)
				}
				tell(t, s, envelope.TopicBook)
			})
		}
	}
	wantHealthyPool(t, w, 0)
}

func TestLargeSpreadTakesManyTransactions(t *testing.T) {
	w := servers.World(t, 1)
	s := w.Router.Sets()[0]
	const each, many = 500, 45 // 22,500 shares in one row
	var ids []string
	for range many {
		e := w.Active(t, 0, envelope.Order{Total: 100000, Count: each})
		open(t, s, requests(e.ID, crowd(each)...))
		ids = append(ids, string(e.ID))
	}
	admin := w.Admin(t, 0)
	exec(t, admin, "UPDATE outbox SET state = 'spread'",
		fmt.Sprintf("INSERT INTO outbox (touched, state, created_at) VALUES ('%s', 'pending', UTC_TIMESTAMP(3))", strings.Join(ids, "")))
	if n, err := s.Owed().Spread(t.Context(), 256); err != nil || n != many {
		t.Fatalf("%d, %v", n, err)
	}
	if n := count(t, admin, "SELECT COUNT(*) FROM transfer"); n != 20000 {
		t.Errorf("%d transfers after one spread, want 20000", n)
	}
	w.CheckBooks(t) // half done is right, too
	spread(t, s)
	if n := count(t, admin, "SELECT COUNT(*) FROM transfer"); n != each*many {
		t.Errorf("%d transfers, want %d", n, each*many)
	}
}

func TestMalformedOutboxRowIsReported(t *testing.T) {
	w := servers.World(t, 1)
	admin := w.Admin(t, 0)
	exec(t, admin, "INSERT INTO outbox (touched, state, created_at) VALUES ('00000000000000000000033', 'pending', UTC_TIMESTAMP(3))")
	if _, err := w.Router.Sets()[0].Owed().Spread(t.Context(), 256); err == nil || !strings.Contains(err.Error(), "outbox") {
		t.Errorf("got %v, want an error about the outbox", err)
	}
	exec(t, admin, "DELETE FROM outbox")
}
