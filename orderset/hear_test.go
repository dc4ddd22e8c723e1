package orderset_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/settest"
	"hongbao/orderset"
	"hongbao/orderset/decision"
)

// owing has one envelope with some transfers that have been claimed.
func owing(t testing.TB, w *settest.World, n int) (*orderset.Set, []envelope.Transfer) {
	t.Helper()
	s := w.Router.Sets()[0]
	e := w.Active(t, 0, envelope.Order{Total: envelope.Fen(100 * n), Count: n})
	open(t, s, requests(e.ID, crowd(n)...))
	spread(t, s)
	ts := claim(t, s, n)
	if len(ts) != n {
		t.Fatalf("%d transfers were claimed, want %d", len(ts), n)
	}
	slices.SortFunc(ts, func(a, b envelope.Transfer) int { return a.Seq - b.Seq })
	return s, ts
}

func disputes(t testing.TB, s *orderset.Set) []decision.Dispute {
	t.Helper()
	ds, err := s.Desk().Disputes(t.Context(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

// FG2: a success that is reported twice is posted once.
func TestSuccessReportedTwiceCountsOnce(t *testing.T) {
	w := servers.World(t, 1)
	s, ts := owing(t, w, 3)
	done := say(envelope.ProgressDone, ts...)
	hear(t, s, append(done[:2:2], done[0], done[1])) // twice in one batch
	posted := count(t, w.Admin(t, 0), "SELECT SUM(CRC32(CONCAT_WS(',', seq, state, posted_at, due_at, provider_no))) FROM transfer WHERE state = 'posted'")
	hear(t, s, done[:2])                                          // and again
	hear(t, s, say(envelope.ProgressUnderWay, ts[0]))             // and late news
	hear(t, s, say(envelope.ProgressAbsent, ts[0], ts[0], ts[1])) // even that
	if now := count(t, w.Admin(t, 0), "SELECT SUM(CRC32(CONCAT_WS(',', seq, state, posted_at, due_at, provider_no))) FROM transfer WHERE state = 'posted'"); now != posted {
		t.Error("a repeat has changed what is posted")
	}
	wantState(t, w, ts[0].OrderNo, envelope.Empty, 3)
	hear(t, s, done)
	wantState(t, w, ts[0].OrderNo, envelope.Settled, 4)
	hear(t, s, done)
	wantState(t, w, ts[0].OrderNo, envelope.Settled, 4)
	if tr := transfer(t, w, ts[0].OrderNo, 1); tr.State != envelope.Posted || !strings.HasPrefix(tr.ProviderNo, "wx") {
		t.Errorf("posted as %+v", tr)
	}
	if ds := disputes(t, s); len(ds) > 0 {
		t.Errorf("disputes: %v", ds)
	}
}

// FG3: a failure after success changes nothing and is kept as a dispute.
func TestFailureAfterSuccessIsADispute(t *testing.T) {
	w := servers.World(t, 1)
	s, ts := owing(t, w, 4)
	hear(t, s, say(envelope.ProgressDone, ts[0]))
	hear(t, s, say(envelope.ProgressRefused, ts[1]))
	words := append(say(envelope.ProgressRefused, ts[0]), say(envelope.ProgressDone, ts[1], ts[2])...)
	tooMuch := say(envelope.ProgressDone, ts[3])
	tooMuch[0].Amount++
	words = append(words, tooMuch...)
	for range 2 { // callbacks are repeated
		errs, err := s.Owed().RecordTransfers(t.Context(), words)
		if err != nil {
			t.Fatal(err)
		}
		for i, conflict := range []bool{true, true, false, true} {
			if errors.Is(errs[i], envelope.ErrTransferConflict) != conflict || (errs[i] != nil) != conflict {
				t.Errorf("word %d: got %v, conflict wanted: %v", i, errs[i], conflict)
			}
		}
	}
	for i, state := range []envelope.TransferState{envelope.Posted, envelope.Held, envelope.Posted, envelope.Pending} {
		if tr := transfer(t, w, ts[i].OrderNo, ts[i].Seq); tr.State != state {
			t.Errorf("transfer %d is %s, want %s", i, tr.State, state)
		}
	}
	ds := disputes(t, s)
	if len(ds) != 3 {
		t.Errorf("%d disputes, want 3: %v", len(ds), ds)
	}
	for _, d := range ds {
		if d.Kind != "transfer" || d.ID != ts[0].OrderNo || d.What == "" {
			t.Errorf("kept as %+v", d)
		}
	}
}

func TestStatusOfAnUnknownTransferIsKept(t *testing.T) {
	w := servers.World(t, 1)
	s, ts := owing(t, w, 2)
	stranger := w.Sending(t, 0, envelope.Order{Total: 100, Count: 1}).Envelope.ID
	elsewhere := stranger[:19] + "999" + stranger[22:]
	var words []envelope.TransferUpdate
	for _, no := range []string{
		envelope.TransferNo(stranger, 1, 1), envelope.TransferNo(ts[0].OrderNo, 3, 1), envelope.TransferNo(ts[0].OrderNo, 0, 1),
		envelope.TransferNo(ts[0].OrderNo, 1, 2), envelope.TransferNo(elsewhere, 1, 1), "", "nonsense", strings.Repeat("9", 200), "\x00' OR 1 --\xff紅包",
	} {
		words = append(words, envelope.TransferUpdate{TransferStatus: envelope.TransferStatus{No: no, Progress: envelope.ProgressDone, Amount: 1}})
	}
	unknown := len(words)
	words = append(words, say(envelope.ProgressDone, ts...)...) // what is sound is recorded beside it
	errs, err := s.Owed().RecordTransfers(t.Context(), words)
	if err != nil {
		t.Fatal(err)
	}
	for i, err := range errs {
		if (i < unknown) != errors.Is(err, envelope.ErrNotFound) || i >= unknown && err != nil {
			t.Errorf("%q: got %v", words[i].No, err)
		}
	}
	if ds := disputes(t, s); len(ds) != unknown {
		t.Errorf("%d disputes, want %d: %v", len(ds), unknown, ds)
	}
	wantState(t, w, ts[0].OrderNo, envelope.Settled, 4)
	if _, err := s.Owed().RecordTransfers(t.Context(), make([]envelope.TransferUpdate, 1025)); err == nil {
		t.Error("1025 words were heard at once")
	}
}

func TestHostileStatusesDoNotSpoilOthers(t *testing.T) {
	w := servers.World(t, 1)
	s, ts := owing(t, w, 4)
	words := say(envelope.ProgressUnderWay, ts...)
	words[0].ProviderNo, words[0].Hint = strings.Repeat("x", 65), "pack'age\\\""
	words[1].ProviderNo, words[1].Hint = "紅包", strings.Repeat("h", 1025)
	words[2].Progress, words[2].Code = envelope.ProgressRefused, strings.Repeat("\xff紅", 300)
	words[3].Progress, words[3].Code = envelope.ProgressRefused, ""
	hear(t, s, words)
	if tr := transfer(t, w, ts[0].OrderNo, 1); tr.ProviderNo != "" || tr.Hint != "pack'age\\\"" {
		t.Errorf("stored as %+v", tr)
	}
	if tr := transfer(t, w, ts[0].OrderNo, 2); tr.ProviderNo != "" || tr.Hint != "" || tr.State != envelope.Pending {
		t.Errorf("stored as %+v", tr)
	}
	for seq := 3; seq <= 4; seq++ {
		if tr := transfer(t, w, ts[0].OrderNo, seq); tr.State != envelope.Held || tr.Reason == "" {
			t.Errorf("stored as %+v", tr)
		}
	}
}

func TestPendingIsPolledAgainAfterItsWait(t *testing.T) {
	w := servers.World(t, 1)
	s, ts := owing(t, w, 3)
	words := append(say(envelope.ProgressAwaiting, ts[0]), append(say(envelope.ProgressUnknown, ts[1]), say(envelope.ProgressAbsent, ts[2])...)...)
	words[0].Wait, words[0].Hint, words[1].Wait = time.Hour, "confirm me", -time.Second
	hear(t, s, words)
	again := claim(t, s, 10)
	if len(again) != 2 {
		t.Fatalf("due are %v, want two", again)
	}
	for _, tr := range again {
		if tr.Attempts != 2 || tr.Placed != (tr.Seq == ts[1].Seq) {
			t.Errorf("claimed again as %+v: what the provider does not know has not been placed", tr)
		}
	}
	if tr := transfer(t, w, ts[0].OrderNo, ts[0].Seq); tr.Hint != "confirm me" || time.Until(tr.DueAt) < 50*time.Minute {
		t.Errorf("stored as %+v", tr)
	}
}

// FG6: when the lease of a dead relay ends, the next claim counts the transfer as placed, so that it is queried first.
func TestSecondClaimCountsAsPlaced(t *testing.T) {
	w := servers.World(t, 1)
	s := w.Router.Sets()[0]
	e := w.Active(t, 0, envelope.Order{Total: 100, Count: 1})
	open(t, s, requests(e.ID, "ann"))
	spread(t, s)
	first, err := s.Owed().ClaimTransfers(t.Context(), 10, 50*time.Millisecond)
	if err != nil || len(first) != 1 || first[0].Placed {
		t.Fatalf("claimed %+v, %v, want one that was never placed", first, err)
	}
	if ts := claim(t, s, 10); len(ts) != 0 {
		t.Fatalf("claimed twice within the lease: %+v", ts)
	}
	var second []envelope.Transfer
	eventually(t, 5*time.Second, "the lease ends", func() bool { second = claim(t, s, 10); return len(second) > 0 })
	if !second[0].Placed || second[0].No() != first[0].No() || second[0].Attempts != 2 {
		t.Errorf("claimed as %+v, want it placed under the number %s", second[0], first[0].No())
	}
}

func TestLargerGoFirstAndNothingStarves(t *testing.T) {
	w := servers.World(t, 1)
	s := w.Router.Sets()[0]
	for _, share := range []envelope.Fen{999, 1000, 10000} { // small first
		e := w.Active(t, 0, envelope.Order{Kind: envelope.Equal, Share: share, Count: 40})
		open(t, s, requests(e.ID, crowd(40)...))
		spread(t, s)
	}
	exec(t, w.Admin(t, 0), "UPDATE transfer SET due_at = due_at - INTERVAL 3 HOUR WHERE amount_fen = 999", "UPDATE transfer SET due_at = due_at - INTERVAL 1 HOUR WHERE amount_fen = 1000")
	tally := func(ts []envelope.Transfer) string {
		n := map[int64]int{}
		for _, tr := range ts {
			n[int64(tr.Amount)]++
		}
		return fmt.Sprint(n)
	}
	for _, want := range []struct {
		max   int
		tally string
	}{{1, "map[999:1]"}, {40, "map[999:10 10000:30]"}, {40, "map[999:10 1000:20 10000:10]"}, {0, "map[]"}, {100, "map[999:19 1000:20]"}, {100, "map[]"}} {
		if got := tally(claim(t, s, want.max)); got != want.tally {
			t.Errorf("claimed %d: %s, want %s", want.max, got, want.tally)
		}
	}
}

func TestStatusWithALostCommitIsOnce(t *testing.T) {
	w := servers.World(t, 1)
	s := w.Router.Sets()[0]
	for half, fault := range bothFaults {
		for _, statement := range []string{"COMMIT", "UPDATE (", "UPDATE envelope", "SELECT order_id, seq", "SELECT order_id, COUNT", "INSERT INTO outbox", "START"} {
			t.Run(statement+" "+half, func(t *testing.T) {
				e := expired(t, w, envelope.Order{Total: 300, Count: 3}, "ann")
				spread(t, s)
				words := say(envelope.ProgressDone, claim(t, s, 10)...)
				if len(words) != 2 {
					t.Fatalf("%d transfers, want a payout and a refund", len(words))
				}
				hits := w.Proxies[0].Hits()
				w.Proxies[0].Lose(fault, statement)
				errs, err := s.Owed().RecordTransfers(t.Context(), words)
				if w.Proxies[0].Hits() != hits+1 {
					t.Fatal("nothing was lost")
				}
				if err != nil {
					wantBusy(t, err, "set_unavailable")
					hear(t, s, words)
				} else if err := errors.Join(errs...); err != nil {
					t.Error(err)
				}
				wantState(t, w, e.ID, envelope.Settled, 5)
				if n := count(t, w.Admin(t, 0), "SELECT COUNT(*) FROM outbox WHERE touched = ?", e.ID); n != 4 { // paid, opened, expired, refunded
					t.Errorf("%d outbox rows, want 4", n)
				}
			})
		}
	}
	wantHealthyPool(t, w, 0)
}

func TestLastTwoPostingsSettleInAnyOrder(t *testing.T) {
	w := servers.World(t, 1)
	for range 20 {
		_, ts := owing(t, w, 8)
		var both sync.WaitGroup
		for i := range ts {
			s := serverOf(t, w, 0).Sets()[0]
			both.Go(func() {
				errs, err := s.Owed().RecordTransfers(t.Context(), say(envelope.ProgressDone, ts[i]))
				for isBusy(err) {
					errs, err = s.Owed().RecordTransfers(t.Context(), say(envelope.ProgressDone, ts[i]))
				}
				if err := errors.Join(append(errs, err)...); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		wantState(t, w, ts[0].OrderNo, envelope.Settled, 4)
	}
}

func TestUnrecordedStatusesAreRecordedAgain(t *testing.T) {
	w := servers.World(t, 2)
	for set, lost := range []bool{false, true} {
		e := w.Active(t, set, envelope.Order{Total: 200, Count: 2})
		s := w.Router.Sets()[set]
		open(t, s, requests(e.ID, "ann", "bob"))
		spread(t, s)
		words := say(envelope.ProgressDone, claim(t, s, 10)...)
		words = append(words, envelope.TransferUpdate{TransferStatus: envelope.TransferStatus{No: "nobody's"}})
		if lost {
			w.Proxies[set].Lose(settest.LostBefore, "START")
		}
		errs, err := s.Owed().RecordTransfers(t.Context(), words)
		if isBusy(err) != lost || !lost && (err != nil || errors.Join(errs[:2]...) != nil) {
			t.Errorf("SET %d: %v, %v", set, errs, err)
		}
		if errs, err = s.Owed().RecordTransfers(t.Context(), words); err != nil || errors.Join(errs[:2]...) != nil || !errors.Is(errs[2], envelope.ErrNotFound) {
			t.Errorf("the repeat: %v, %v", errs, err)
		}
	}
}
