package orderset_test

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/settest"
	"hongbao/orderset"
	"hongbao/orderset/owed"
)

// batching is an order server of the world's first SET that puts payouts into
// batches.
func batching(t testing.TB, w *settest.World) *orderset.Set {
	t.Helper()
	cfg := configOf(w, "batching")
	cfg.Memory, cfg.BatchPayouts = 1024, true
	return newRouter(t, cfg).Sets()[0]
}

// claimBatches takes what batches are due.
func claimBatches(t testing.TB, s *orderset.Set, max int) []envelope.PayoutBatch {
	t.Helper()
	bs, err := s.Owed().ClaimBatches(t.Context(), max, lease)
	if err != nil {
		t.Fatalf("claim batches: %v", err)
	}
	return bs
}

// numbers are those of a batch's payouts.
func numbers(b *envelope.PayoutBatch) (nos []string) {
	for i := range b.Payouts {
		nos = append(nos, b.Payouts[i].No())
	}
	return nos
}

// opened is an envelope of equal shares, some of them opened.
func opened(t testing.TB, w *settest.World, s *orderset.Set, share envelope.Fen, count, users int) envelope.Envelope {
	t.Helper()
	e := w.Active(t, 0, envelope.Order{Kind: envelope.Equal, Share: share, Count: count})
	open(t, s, requests(e.ID, crowd(users)...))
	return e
}

func TestSpreadMakesOneBatchAcrossTables(t *testing.T) {
	w := servers.World(t, 1)
	s := batching(t, w)
	tables, want := map[string]bool{}, map[envelope.Fen]int{}
	for len(tables) < 3 {
		for _, share := range []envelope.Fen{1, 999, 1000, 9999, 10000} {
			e := opened(t, w, s, share, 3, 2)
			tables[envelopes(e.ID)] = true
			want[share] += 2
		}
	}
	gone := expired(t, w, envelope.Order{Total: 20000, Count: 2})
	spread(t, s)
	if ts := claim(t, s, 1000); len(ts) != 1 || ts[0].No() != envelope.TransferNo(gone.ID, 0, 1) {
		t.Errorf("claimed by themselves are %v, want the refund alone", ts)
	}
	bs := claimBatches(t, s, 10)
	if len(bs) != 1 {
		t.Fatalf("%d batches, want one", len(bs))
	}
	b := bs[0]
	if _, err := envelope.ParsePayoutBatchNo(b.No); err != nil || b.Placed || b.Attempts != 1 {
		t.Errorf("claimed as %s, placed %v, attempt %d: %v", b.No, b.Placed, b.Attempts, err)
	}
	if !slices.IsSorted(numbers(&b)) {
		t.Error("the batch is out of order")
	}
	oldest := b.Payouts[0].CreatedAt
	for _, p := range b.Payouts {
		if want[p.Amount]--; p.State != envelope.Pending || p.Payee == "" {
			t.Errorf("in the batch is %+v", p)
		}
		if p.CreatedAt.Before(oldest) {
			oldest = p.CreatedAt
		}
	}
	if !b.CreatedAt.Equal(oldest) {
		t.Errorf("the batch is of %v, its oldest payout of %v", b.CreatedAt, oldest)
	}
	for share, n := range want {
		if n != 0 {
			t.Errorf("%d payouts of %d fen are missing in the batches", n, share)
		}
	}
	if more := claimBatches(t, s, 10); len(more) > 0 {
		t.Errorf("claimed twice within the lease: %v", more)
	}
}

// TestBatchTakesAtMostFiveHundredPayouts: a batch takes at most 500 payouts, and the next goes on within the same envelope.
func TestBatchTakesAtMostFiveHundredPayouts(t *testing.T) {
	w := servers.World(t, 1)
	s := batching(t, w)
	for range 4 {
		opened(t, w, s, 100, 300, 300)
	}
	spread(t, s)
	var sizes []int
	payouts := map[string]bool{}
	for _, b := range claimBatches(t, s, 16) {
		sizes = append(sizes, len(b.Payouts))
		for _, no := range numbers(&b) {
			payouts[no] = true
		}
		if !slices.Contains(numbers(&b), b.No[1:]) {
			t.Errorf("batch %s is named after a payout that is not in it", b.No)
		}
	}
	slices.Sort(sizes)
	if !slices.Equal(sizes, []int{200, 500, 500}) || len(payouts) != 1200 {
		t.Errorf("batches of %v with %d payouts, want 500, 500 and 200", sizes, len(payouts))
	}
}

// FG1: a batch is the same however often it is claimed and whatever else is opened.
func TestClaimedBatchNeverChanges(t *testing.T) {
	w := servers.World(t, 1)
	s := batching(t, w)
	e := w.Active(t, 0, envelope.Order{Kind: envelope.Equal, Share: 50, Count: 9})
	open(t, s, requests(e.ID, crowd(3)...))
	spread(t, s)
	first := claimBatches(t, s, 10)[0]
	open(t, s, requests(e.ID, crowd(7)...))
	spread(t, s)
	if second := claimBatches(t, s, 10); len(second) != 1 || len(second[0].Payouts) != 4 || second[0].Placed {
		t.Errorf("claimed %+v, want a second batch with the four new ones", second)
	}
	exec(t, w.Admin(t, 0), "UPDATE payout_batch SET due_at = created_at") // the lease ends
	again := claimBatches(t, s, 1)
	if len(again) != 1 || again[0].No != first.No || !again[0].Placed || again[0].Attempts != 2 || !slices.Equal(again[0].Payouts, first.Payouts) {
		t.Errorf("claimed again as %+v, first as %+v", again, first)
	}
}

func TestLargerBatchesGoFirstAndNoneStarves(t *testing.T) {
	w := servers.World(t, 1)
	s := batching(t, w)
	for range 8 {
		for _, share := range []envelope.Fen{999, 10000} {
			opened(t, w, s, share, 1, 1)
			spread(t, s)
		}
	}
	exec(t, w.Admin(t, 0), "UPDATE payout_batch SET due_at = due_at - INTERVAL 1 HOUR WHERE tier = 2")
	tally := func(bs []envelope.PayoutBatch) string {
		n := map[int64]int{}
		for _, b := range bs {
			n[int64(b.Total())]++
		}
		return fmt.Sprint(n)
	}
	for _, want := range []string{"map[999:1 10000:3]", "map[999:1 10000:3]", "map[999:2 10000:2]", "map[999:4]", "map[]"} {
		if got := tally(claimBatches(t, s, 4)); got != want {
			t.Errorf("claimed %s, want %s", got, want)
		}
	}
}

func TestBatchRanksByItsLargestPayout(t *testing.T) {
	w := servers.World(t, 1)
	s := batching(t, w)
	for tier, shares := range [][]envelope.Fen{{1, 10000, 999}, {1, 9999, 2}, {1, 999, 2}} {
		for _, share := range shares {
			opened(t, w, s, share, 1, 1)
		}
		spread(t, s)
		if got := count(t, w.Admin(t, 0), "SELECT tier FROM payout_batch ORDER BY created_at DESC LIMIT 1"); got != int64(tier) {
			t.Errorf("a batch of %v is in tier %d, want %d", shares, got, tier)
		}
	}
}

// FG10: the first spreader has made a batch of some shares, and commits while the
// second, which has read four shares and no transfer, waits for it. With
// innodb_snapshot_isolation the server itself makes the second read anew; without
// it, as MySQL 8 does, the key of the batch has to.
func TestLaterSpreaderAddsNothingToABatch(t *testing.T) {
	ways := []string{"ON", "OFF"}
	if onMySQL(t) {
		ways = ways[1:]
	}
	for _, isolation := range ways {
		o := newOwn(t, "--loose-innodb-snapshot-isolation="+isolation)
		for _, test := range []struct {
			name  string
			head  int // the share that the first one's batch is named after
			taken int // how many shares are in it
			next  int // the share that the second one's batch is named after, 0 without one
		}{
			{"both name it alike", 1, 2, 3},
			{"both name it alike and nothing is left", 1, 4, 0},
			{"the first names it otherwise", 2, 2, 1},
			{"the first names it otherwise and nothing is left", 2, 4, 0},
		} {
			t.Run(test.name+" "+isolation, func(t *testing.T) {
				if isolation == "ON" && test.next > 0 {
					test.next = test.taken + 1
				}
				second := o.server(t, orderset.Config{BatchPayouts: true})
				e := o.active(t, 4)
				open(t, second, requests(e.ID, crowd(4)...))
				sums := o.overtake(t, second, e.ID, test.head, test.taken)
				want := map[string]int{envelope.PayoutBatchNo(envelope.TransferNo(e.ID, test.head, 1)): test.taken}
				if test.next > 0 {
					want[envelope.PayoutBatchNo(envelope.TransferNo(e.ID, test.next, 1))] = 4 - test.taken
				}
				if fmt.Sprint(sums) != fmt.Sprint(want) {
					t.Errorf("batches are %v, want %v", sums, want)
				}
			})
		}
	}
}

// overtake has a set spread an envelope of four shares while another spreader makes a
// batch of the first ones. It returns how many payouts are in which batch.
func (o *own) overtake(t *testing.T, s *orderset.Set, id envelope.ID, head, taken int) map[string]int {
	t.Helper()
	db, err := sql.Open("mysql", "app:app-test@tcp("+o.spec.Primary+")/hb_007")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	first, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Rollback()
	no := envelope.PayoutBatchNo(envelope.TransferNo(id, head, 1))
	for _, statement := range []string{
		fmt.Sprintf("INSERT INTO transfer (order_id, seq, payee_id, amount_fen, charged_fen, tier, batch, created_at, due_at) "+
			"SELECT order_id, seq, user_id, amount_fen, 400, 2, '%s', opened_at, opened_at FROM %s WHERE order_id = '%s' AND seq <= %d", no, shares(id), id, taken),
		fmt.Sprintf("INSERT INTO payout_batch (no, tier, count, total_fen, created_at, due_at) SELECT batch, 2, COUNT(*), SUM(amount_fen), UTC_TIMESTAMP(3), UTC_TIMESTAMP(3) FROM transfer WHERE batch = '%s' GROUP BY batch", no),
	} {
		if _, err := first.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	var second sync.WaitGroup
	second.Go(func() {
		if n, err := s.Owed().Spread(t.Context(), 256); n != 1 || err != nil {
			t.Errorf("the second spread %d, %v", n, err)
		}
	})
	awaitLockWait(t, o.admin)
	if err := first.Commit(); err != nil {
		t.Fatal(err)
	}
	second.Wait()
	in := map[string]int{}
	for _, b := range claimBatches(t, s, 16) {
		in[b.No] = len(b.Payouts)
	}
	return in
}

// FG10: spreaders that run at once, without innodb_snapshot_isolation, put nothing into a committed batch.
func TestCommittedBatchTakesNoPayouts(t *testing.T) {
	o := newOwn(t, "--loose-innodb-snapshot-isolation=OFF")
	opener := o.server(t, orderset.Config{Memory: 64})
	for range 20 {
		e := o.active(t, 60)
		var over atomic.Bool
		var spreaders sync.WaitGroup
		for range 2 {
			s := o.server(t, orderset.Config{BatchPayouts: true})
			spreaders.Go(func() {
				for idle := 0; idle < 2; {
					n, err := s.Owed().Spread(t.Context(), 1)
					if err != nil && !isBusy(err) {
						t.Error(err)
					}
					if n == 0 && err == nil && over.Load() {
						idle++
					}
				}
			})
		}
		for users := range slices.Chunk(crowd(60), 2) {
			open(t, opener, requests(e.ID, users...))
		}
		over.Store(true)
		spreaders.Wait()
		if n := count(t, o.admin, "SELECT COUNT(*) FROM transfer WHERE batch <> ''"); n%60 != 0 {
			t.Fatalf("%d payouts are in batches, want 60 more", n)
		}
	}
	wantBatchesWhole(t, o.admin)
}

// wantBatchesWhole fails when a batch, pending or ended, is not what is in it.
func wantBatchesWhole(t *testing.T, admin *sql.DB) {
	t.Helper()
	if wrong := count(t, admin, "SELECT COUNT(*) FROM payout_batch b LEFT JOIN (SELECT batch, COUNT(*) n, SUM(amount_fen) f FROM transfer GROUP BY batch) t ON t.batch = b.no "+
		"WHERE t.n IS NULL OR t.n <> b.count OR t.f <> b.total_fen"); wrong > 0 {
		t.Errorf("%d batches are not what is in them", wrong)
	}
	if wrong := count(t, admin, "SELECT COUNT(*) FROM transfer t LEFT JOIN payout_batch b ON b.no = t.batch WHERE t.batch <> '' AND b.no IS NULL"); wrong > 0 {
		t.Errorf("%d payouts are in batches that are not there", wrong)
	}
	if batches := count(t, admin, "SELECT COUNT(*) FROM payout_batch"); batches < 20 {
		t.Errorf("only %d batches were made", batches)
	}
}

// FG7: four spreaders and two relays of batches lose and double nothing.
func TestFourBatchSpreadersDoubleNothing(t *testing.T) {
	w := servers.World(t, 1)
	var es []envelope.Envelope
	for range 6 {
		es = append(es, w.Active(t, 0, envelope.Order{Total: 400000, Count: 60}))
	}
	var openers, relays sync.WaitGroup
	var over atomic.Bool
	var posted atomic.Int64
	for i := range 4 {
		s := batching(t, w)
		openers.Go(func() { // small steps, so that many rows of the outbox name the same envelopes
			for _, u := range crowd(60) {
				for _, e := range es {
					if _, err := s.Open(t.Context(), requests(e.ID, u+envelope.UserID(rune('a'+i)))); err != nil && !isBusy(err) {
						t.Error(err)
					}
				}
			}
		})
		relays.Go(func() {
			for idle := 0; idle < 3; {
				n, err := s.Owed().Spread(t.Context(), 2)
				if err != nil && !isBusy(err) {
					t.Errorf("spread: %v", err)
				}
				var bs []envelope.PayoutBatch
				if i%2 == 0 {
					bs, err = s.Owed().ClaimBatches(t.Context(), 4, lease)
				}
				if err != nil && !isBusy(err) {
					t.Errorf("claim: %v", err)
				}
				for _, b := range bs {
					for err = s.Owed().RecordBatch(t.Context(), allPaid(&b)); isBusy(err); {
						err = s.Owed().RecordBatch(t.Context(), allPaid(&b))
					}
					if err != nil {
						t.Errorf("hear: %v", err)
					}
					posted.Add(int64(len(b.Payouts)))
				}
				if n == 0 && len(bs) == 0 && over.Load() {
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
		snap := find(t, w, e.ID)
		if n += int64(len(snap.Shares)); snap.Envelope.State != envelope.Settled {
			t.Errorf("envelope %s is %s with %d shares, want settled", e.ID, snap.Envelope.State, len(snap.Shares))
		}
	}
	if posted.Load() != n {
		t.Errorf("%d payouts were in the batches for %d shares", posted.Load(), n)
	}
	wantBatchesWhole(t, w.Admin(t, 0))
	if n := count(t, w.Admin(t, 0), "SELECT COUNT(*) FROM payout_batch WHERE state = 'pending'"); n > 0 {
		t.Errorf("%d batches have not ended", n)
	}
}

func TestBatchSpreadWithALostCommitIsOnce(t *testing.T) {
	w := servers.World(t, 1)
	s := batching(t, w)
	for half, fault := range bothFaults {
		for _, statement := range []string{"COMMIT", "INSERT INTO transfer", "INSERT INTO payout_batch", "UPDATE outbox"} {
			t.Run(statement+" "+half, func(t *testing.T) {
				e := opened(t, w, s, 50, 5, 2)
				hits := w.Proxies[0].Hits()
				w.Proxies[0].Lose(fault, statement)
				if _, err := s.Owed().Spread(t.Context(), 256); err != nil {
					wantBusy(t, err, "set_unavailable")
				}
				if w.Proxies[0].Hits() != hits+1 {
					t.Fatal("nothing was lost")
				}
				var bs []envelope.PayoutBatch
				eventually(t, 5*time.Second, "what was lost has let go of its rows", func() bool {
					spread(t, s)
					bs = append(bs, claimBatches(t, s, 10)...)
					return len(bs) > 0
				})
				want := []string{envelope.TransferNo(e.ID, 1, 1), envelope.TransferNo(e.ID, 2, 1)}
				if len(bs) != 1 || !slices.Equal(numbers(&bs[0]), want) {
					t.Errorf("batches are %+v, want one of %v", bs, want)
				}
			})
		}
	}
	wantHealthyPool(t, w, 0)
}

func putOff(no string, p envelope.Progress, wait time.Duration) envelope.PayoutBatchUpdate {
	return envelope.PayoutBatchUpdate{PayoutBatchStatus: envelope.PayoutBatchStatus{No: no, Progress: p}, Wait: wait}
}

func TestPutOffBatchComesBackUnlessEnded(t *testing.T) {
	w := servers.World(t, 1)
	s := batching(t, w)
	opened(t, w, s, 50, 5, 2)
	spread(t, s)
	b := claimBatches(t, s, 10)[0]
	putOffFor := func(wait time.Duration) {
		t.Helper()
		if err := s.Owed().PutOffBatch(t.Context(), putOff(b.No, envelope.ProgressUnderWay, wait)); err != nil {
			t.Fatal(err)
		}
	}
	putOffFor(time.Hour)
	if bs := claimBatches(t, s, 10); len(bs) > 0 {
		t.Errorf("put off for an hour, and claimed: %+v", bs)
	}
	putOffFor(0)
	if bs := claimBatches(t, s, 10); len(bs) != 1 || bs[0].Attempts != 2 || !bs[0].Placed {
		t.Errorf("came back as %+v", bs)
	}
	hearBatch(t, s, allPaid(&b))
	putOffFor(0)
	if bs := claimBatches(t, s, 10); len(bs) > 0 {
		t.Errorf("ended, and claimed: %+v", bs)
	}
	if err := s.Owed().PutOffBatch(t.Context(), putOff("\x00紅包", envelope.ProgressUnderWay, 0)); !errors.Is(err, envelope.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

// TestBillsAndBatchesKeepTheirKind: an order server that makes bills and one
// that makes batches, at the same time.
func TestBillsAndBatchesKeepTheirKind(t *testing.T) {
	w := servers.World(t, 1)
	bills, batches := w.Router.Sets()[0], batching(t, w)
	e := opened(t, w, bills, 50, 4, 2)
	spread(t, bills)
	open(t, bills, requests(e.ID, crowd(4)...))
	spread(t, batches)
	backlog, err := bills.Owed().Backlog(t.Context())
	if err != nil || backlog[owed.TopicTransfer].Pending != 4 {
		t.Errorf("%+v, %v, want four transfers pending", backlog, err)
	}
	bs := claimBatches(t, bills, 10) // whatever an order server makes itself, it carries out both
	if len(bs) != 1 || !slices.Equal(numbers(&bs[0]), []string{envelope.TransferNo(e.ID, 3, 1), envelope.TransferNo(e.ID, 4, 1)}) {
		t.Fatalf("batches are %+v", bs)
	}
	ts := claim(t, batches, 10)
	if len(ts) != 2 || ts[0].Seq+ts[1].Seq != 3 {
		t.Fatalf("bills are %+v", ts)
	}
	hearBatch(t, bills, allPaid(&bs[0]))
	wantState(t, w, e.ID, envelope.Empty, 4)
	hear(t, batches, say(envelope.ProgressDone, ts...))
	wantState(t, w, e.ID, envelope.Settled, 5)
}
