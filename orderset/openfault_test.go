package orderset_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/settest"
	"hongbao/orderset"
)

// The two halves of every fault: the client cannot tell them apart.
var bothFaults = map[string]settest.Fault{"lost on the way there": settest.LostBefore, "lost on the way back": settest.LostAfter}

// warmed has opened one share, so that an order server that remembers does.
func warmed(t testing.TB, w *settest.World, s *orderset.Set, shares int) (envelope.Envelope, []envelope.Opening) {
	t.Helper()
	e := w.Active(t, 0, envelope.Order{Total: envelope.Fen(100 * shares), Count: shares})
	return e, open(t, s, requests(e.ID, "first"))
}

// FA1: what became of a COMMIT without an answer is read under locks.
func TestLostCommitIsResolvedByReading(t *testing.T) {
	w := servers.World(t, 1)
	bothWays(t, w, func(t *testing.T, s *orderset.Set) {
		for half, fault := range bothFaults {
			for _, batch := range []int{1, 7, 100} {
				t.Run(fmt.Sprintf("%d openers, %s", batch, half), func(t *testing.T) {
					e, first := warmed(t, w, s, batch+1)
					hits := w.Proxies[0].Hits()
					w.Proxies[0].Lose(fault, "COMMIT")
					openings := open(t, s, requests(e.ID, crowd(batch)...))
					if w.Proxies[0].Hits() != hits+1 {
						t.Fatal("no commit was lost")
					}
					wantShares(t, w, e.ID, append(first, openings...))
					for i, again := range open(t, s, requests(e.ID, crowd(batch)...)) {
						if again.Outcome != envelope.AlreadyOpened || !sameShare(again.Share, openings[i].Share) {
							t.Errorf("asked again: %+v, want %+v already opened", again, openings[i].Share)
						}
					}
				})
			}
		}
	})
	wantHealthyPool(t, w, 0)
}

// FA2: a commit that cannot be resolved is unknown, and a repeat gets its share.
func TestUnresolvedCommitIsFoundByARepeat(t *testing.T) {
	w := servers.World(t, 1)
	bothWays(t, w, func(t *testing.T, s *orderset.Set) {
		for half, fault := range bothFaults {
			e, first := warmed(t, w, s, 11)
			w.Proxies[0].Lose(fault, "COMMIT")
			w.Proxies[0].Lose(settest.LostBefore, "START") // of the reading
			_, err := s.Open(t.Context(), requests(e.ID, crowd(10)...))
			if !errors.Is(err, envelope.ErrUnknownOutcome) {
				t.Fatalf("%s: got %v, want ErrUnknownOutcome", half, err)
			}
			want := envelope.Opened
			if fault == settest.LostAfter {
				want = envelope.AlreadyOpened
			}
			again := open(t, s, requests(e.ID, crowd(10)...))
			for i := range again {
				if again[i].Outcome != want {
					t.Errorf("%s: the repeat of %d was answered %s, want %s", half, i, again[i].Outcome, want)
				}
				again[i].Outcome = envelope.Opened
			}
			wantShares(t, w, e.ID, append(first, again...))
		}
	})
	wantHealthyPool(t, w, 0)
}

// wantWholeOrNothing asks for shares while a statement before the commit is
// lost. The batch may be refused or be run again; it is never half done.
func wantWholeOrNothing(t *testing.T, w *settest.World, s *orderset.Set, e envelope.Envelope, first []envelope.Opening) {
	t.Helper()
	hits := w.Proxies[0].Hits()
	openings, err := s.Open(t.Context(), requests(e.ID, crowd(7)...))
	if w.Proxies[0].Hits() != hits+1 {
		t.Fatal("no statement was lost")
	}
	if err != nil {
		wantBusy(t, err, "set_unavailable")
		wantShares(t, w, e.ID, first)
		openings = open(t, s, requests(e.ID, crowd(7)...))
	}
	wantShares(t, w, e.ID, append(first, openings...))
}

// FA3: any statement of a batch may be lost: the batch is whole or not there.
func TestLostStatementLeavesAllOrNothing(t *testing.T) {
	w := servers.World(t, 1)
	statements := map[string][]string{
		"from memory": {"UPDATE envelope"},
		"under locks": {"START", "SELECT order_id", "UPDATE envelope", "INSERT INTO share"},
	}
	for _, way := range ways {
		s := serverOf(t, w, way.memory).Sets()[0]
		for _, statement := range statements[way.name] {
			for half, fault := range bothFaults {
				t.Run(strings.Join([]string{way.name, statement, half}, ", "), func(t *testing.T) {
					e, first := warmed(t, w, s, 8)
					w.Proxies[0].Lose(fault, statement)
					wantWholeOrNothing(t, w, s, e, first)
				})
			}
		}
	}
	for half, fault := range bothFaults {
		t.Run("from memory that must be filled first, "+half, func(t *testing.T) {
			e, first := warmed(t, w, w.Router.Sets()[0], 8)
			cold := serverOf(t, w, 1024).Sets()[0]
			w.Proxies[0].Lose(fault, "SELECT order_id")
			wantWholeOrNothing(t, w, cold, e, first)
		})
	}
	wantHealthyPool(t, w, 0)
}

func TestDeadIdleConnectionsCostNothing(t *testing.T) {
	w := servers.World(t, 1)
	bothWays(t, w, func(t *testing.T, s *orderset.Set) {
		e, want := warmed(t, w, s, 30)
		for _, u := range crowd(20) {
			w.Proxies[0].Cut()
			want = append(want, open(t, s, requests(e.ID, u))...)
		}
		wantShares(t, w, e.ID, want)
	})
}

// FA1, FA2: random faults in random batches: each user has one share, and a repeat gets it.
func TestAnyFaultsLeaveEveryShareOnce(t *testing.T) {
	w := servers.World(t, 1)
	const count, again = 60, 200
	sets := []*orderset.Set{serverOf(t, w, 1024).Sets()[0], serverOf(t, w, 0).Sets()[0]}
	e := w.Active(t, 0, envelope.Order{Total: 6000, Count: count})
	statements := []string{"COMMIT", "COMMIT", "COMMIT", "UPDATE envelope", "SELECT order_id", "START", "INSERT INTO share"}
	dice := rand.New(rand.NewPCG(3, 3))
	for range 60 {
		fault := []settest.Fault{settest.LostBefore, settest.LostAfter}[dice.IntN(2)]
		w.Proxies[0].Lose(fault, statements[dice.IntN(len(statements))])
	}
	reqs := manyTimes([]envelope.ID{e.ID}, crowd(80), 3, 3)
	answers := make([]envelope.Opening, len(reqs))
	ask := func(i int) {
		for try := range again {
			got, err := sets[(i+try)%2].Open(t.Context(), reqs[i:i+1])
			switch {
			case err == nil:
				answers[i] = got[0]
				return
			case !isBusy(err) && !errors.Is(err, envelope.ErrUnknownOutcome):
				t.Error(err)
				return
			}
		}
		t.Errorf("request %d was refused %d times", i, again)
	}
	var wg sync.WaitGroup
	for lane := range 4 {
		wg.Go(func() {
			for i := lane; i < len(reqs); i += 4 {
				if i%50 == 0 {
					w.Proxies[0].Cut()
				}
				ask(i)
			}
		})
	}
	wg.Wait()
	for i := range answers { // after an unknown outcome, the repeat was the first to hear of it
		if answers[i].Outcome == envelope.AlreadyOpened {
			answers[i].Outcome = envelope.Opened
		}
	}
	wantSameAnswers(t, reqs, answers)
	if snap := find(t, w, e.ID); len(snap.Shares) != count || snap.Envelope.Opened != 6000 {
		t.Errorf("%d shares of %v, want all", len(snap.Shares), snap.Envelope.Opened)
	}
	if hits := w.Proxies[0].Hits(); hits < 20 {
		t.Errorf("only %d faults happened", hits)
	}
}

// wantSameAnswers fails unless every opener has one answer only.
func wantSameAnswers(t testing.TB, reqs []envelope.OpenRequest, answers []envelope.Opening) {
	t.Helper()
	told := map[envelope.UserID]string{}
	for i, a := range answers {
		now := fmt.Sprint(a.Outcome, a.Share.Seq, a.Share.Amount, a.Err)
		if before, ok := told[reqs[i].User]; ok && before != now {
			t.Errorf("%s was told %s, then %s", reqs[i].User, before, now)
		}
		told[reqs[i].User] = now
	}
}

// FA7: a row that violates a unique key undoes the whole batch.
func TestUniqueKeyFailsTheWholeBatch(t *testing.T) {
	w := servers.World(t, 1)
	admin := w.Admin(t, 0)
	bothWays(t, w, func(t *testing.T, s *orderset.Set) {
		e, first := warmed(t, w, s, 20)
		other, others := warmed(t, w, s, 20)
		plant := fmt.Sprintf("INSERT INTO %s (order_id, seq, user_id, amount_fen, opened_at) VALUES ('%s', 4, 'stranger', 1, UTC_TIMESTAMP(3))", shares(e.ID), e.ID)
		exec(t, admin, plant)
		reqs := append(requests(other.ID, crowd(5)...), requests(e.ID, crowd(5)...)...)
		_, err := s.Open(t.Context(), reqs)
		if err == nil || isBusy(err) || errors.Is(err, envelope.ErrUnknownOutcome) {
			t.Errorf("got %v, want a fault", err)
		}
		wantShares(t, w, other.ID, others)
		exec(t, admin, fmt.Sprintf("DELETE FROM %s WHERE order_id = '%s' AND user_id = 'stranger'", shares(e.ID), e.ID))
		wantShares(t, w, e.ID, first)
		openings := open(t, s, reqs)
		wantShares(t, w, other.ID, append(others, openings[:5]...))
		wantShares(t, w, e.ID, append(first, openings[5:]...))
	})
	wantHealthyPool(t, w, 0)
}

// FA9: a lock that is released within the retries costs only time.
func TestReleasedLockCostsOnlyTime(t *testing.T) {
	w := servers.World(t, 1)
	admin := w.Admin(t, 0)
	bothWays(t, w, func(t *testing.T, s *orderset.Set) {
		e, first := warmed(t, w, s, 8)
		tx, err := admin.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		if _, err := tx.ExecContext(t.Context(), "UPDATE "+envelopes(e.ID)+" SET greeting = 'held' WHERE order_id = ?", e.ID); err != nil {
			t.Fatal(err)
		}
		answer := make(chan []envelope.Opening, 1)
		go func() {
			openings, err := s.Open(t.Context(), requests(e.ID, crowd(7)...))
			if err != nil {
				t.Error(err)
			}
			answer <- openings
		}()
		awaitLockWait(t, admin)
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		wantShares(t, w, e.ID, append(first, <-answer...))
	})
}

// FA9: a lock that is held too long is busy, and nothing is opened.
func TestHeldLockIsBusyAndOpensNothing(t *testing.T) {
	t.Parallel()
	w := servers.World(t, 1)
	admin := w.Admin(t, 0)
	servers := map[string]*orderset.Set{}
	for _, way := range ways {
		servers[way.name] = serverOf(t, w, way.memory).Sets()[0]
	}
	var wg sync.WaitGroup
	for name, s := range servers {
		held, first := warmed(t, w, s, 8)
		free, _ := warmed(t, w, s, 8)
		tx, err := admin.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		if _, err := tx.ExecContext(t.Context(), "SELECT ver FROM "+envelopes(held.ID)+" WHERE order_id = ? FOR UPDATE", held.ID); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			start := time.Now()
			_, err := s.Open(t.Context(), append(requests(held.ID, crowd(7)...), requests(free.ID, crowd(7)...)...))
			if busy, ok := errors.AsType[*envelope.BusyError](err); !ok || busy.Reason != "envelope_contended" {
				t.Errorf("%s: got %v, want BusyError envelope_contended", name, err)
			}
			if waited := time.Since(start); waited > 15*time.Second {
				t.Errorf("%s: refused after %v", name, waited)
			}
			wantShares(t, w, held.ID, first)
			if snap := find(t, w, free.ID); len(snap.Shares) != 1 {
				t.Errorf("%s: half a batch was opened: %+v", name, snap.Shares)
			}
			if err := tx.Rollback(); err != nil {
				t.Error(err)
			}
			wantShares(t, w, held.ID, append(first, open(t, s, requests(held.ID, crowd(7)...))...))
		})
	}
	wg.Wait()
	wantHealthyPool(t, w, 0)
}

// tablemates are n active envelopes of one table, in the order of their IDs.
func tablemates(t testing.TB, w *settest.World, n int) (mates []envelope.Envelope) {
	t.Helper()
	for len(mates) < n {
		e := w.Active(t, 0, envelope.Order{Total: 1000, Count: 10})
		if len(mates) == 0 || e.ID.TableDigit() == mates[0].ID.TableDigit() && e.ID.Day() == mates[0].ID.Day() {
			mates = append(mates, e)
		}
	}
	return mates
}

// FA9: the victim of a deadlock is run again and opens once.
func TestDeadlockVictimOpensOnce(t *testing.T) {
	w := servers.World(t, 1)
	admin := w.Admin(t, 0)
	bothWays(t, w, func(t *testing.T, s *orderset.Set) {
		es := tablemates(t, w, 8)
		a, b := es[0], es[1]
		tx, err := admin.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		lock := func(id envelope.ID) {
			if _, err := tx.ExecContext(t.Context(), "UPDATE "+envelopes(id)+" SET greeting = CONCAT(greeting, '!') WHERE order_id = ?", id); err != nil {
				t.Fatal(err)
			}
		}
		for _, e := range es[1:] { // heavier than the batch, which is therefore the victim
			lock(e.ID)
		}
		answer := make(chan []envelope.Opening, 1)
		go func() {
			openings, err := s.Open(t.Context(), append(requests(a.ID, crowd(3)...), requests(b.ID, crowd(3)...)...))
			if err != nil {
				t.Error(err)
			}
			answer <- openings
		}()
		awaitLockWait(t, admin) // it holds a and wants b
		lock(a.ID)
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		openings := <-answer
		if len(openings) != 6 {
			t.Fatalf("%d answers, want 6", len(openings))
		}
		wantShares(t, w, a.ID, openings[:3])
		wantShares(t, w, b.ID, openings[3:])
	})
	wantHealthyPool(t, w, 0)
}

func TestABatchLocksNoEnvelopeButItsOwn(t *testing.T) {
	w := servers.World(t, 1)
	admin := w.Admin(t, 0)
	bothWays(t, w, func(t *testing.T, s *orderset.Set) {
		es := tablemates(t, w, 12)
		tx, err := admin.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		for i := 0; i < len(es); i += 2 { // every other one is another writer's
			if _, err := tx.ExecContext(t.Context(), "SELECT ver FROM "+envelopes(es[i].ID)+" WHERE order_id = ? FOR UPDATE", es[i].ID); err != nil {
				t.Fatal(err)
			}
		}
		var reqs []envelope.OpenRequest
		for i := 1; i < len(es); i += 2 {
			reqs = append(reqs, requests(es[i].ID, crowd(3)...)...)
		}
		start := time.Now()
		open(t, s, reqs)
		if waited := time.Since(start); waited > 1500*time.Millisecond {
			t.Errorf("the batch waited %v for locks of others", waited)
		}
	})
}
