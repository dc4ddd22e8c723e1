package orderset_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"hongbao/envelope"
	"hongbao/internal/settest"
	"hongbao/orderset"
)

// stampede sends every request through a random one of the SETs, in batches of
// random sizes, from many goroutines at once. Refused batches come again. It
// returns every answer.
func stampede(t *testing.T, sets []*orderset.Set, reqs []envelope.OpenRequest, seed uint64) []envelope.Opening {
	t.Helper()
	const goroutines, again = 200, 50
	dice := rand.New(rand.NewPCG(seed, 1))
	answers := make([]envelope.Opening, len(reqs))
	serve := func(s *orderset.Set, from, to int) {
		for range again {
			got, err := s.Open(context.Background(), reqs[from:to])
			if isBusy(err) {
				continue
			}
			if err != nil {
				t.Error(err)
				return
			}
			copy(answers[from:to], got)
			return
		}
		t.Errorf("batch %d to %d was refused %d times", from, to, again)
	}
	permits := make(chan struct{}, goroutines)
	var wg sync.WaitGroup
	for from := 0; from < len(reqs); {
		to := min(len(reqs), from+1+dice.IntN(12))
		s, start := sets[dice.IntN(len(sets))], from
		permits <- struct{}{}
		wg.Go(func() {
			defer func() { <-permits }()
			serve(s, start, to)
		})
		from = to
	}
	wg.Wait()
	return answers
}

// wantOneShareEach holds the answers of a stampede to what is stored: each
// user's answers agree, one of them opened, and nothing else is stored.
func wantOneShareEach(t *testing.T, w *settest.World, reqs []envelope.OpenRequest, answers []envelope.Opening) {
	t.Helper()
	opened := map[envelope.OpenRequest]int{}
	held := map[envelope.OpenRequest]envelope.Share{}
	lost := map[envelope.OpenRequest]bool{}
	for i, a := range answers {
		r := reqs[i]
		switch {
		case a.Err != nil:
			t.Fatalf("%+v: %v", r, a.Err)
		case a.Outcome == envelope.Drained:
			lost[r] = true
			continue
		case a.Outcome == envelope.Opened:
			opened[r]++
		}
		if before, had := held[r]; had && !sameShare(before, a.Share) {
			t.Errorf("%+v was answered %+v and %+v", r, before, a.Share)
		}
		held[r] = a.Share
	}
	stored := map[envelope.OpenRequest]envelope.Share{}
	for _, r := range reqs {
		if _, done := stored[r]; done {
			continue
		}
		snap := find(t, w, r.ID)
		for _, s := range snap.Shares {
			stored[envelope.OpenRequest{ID: r.ID, User: s.User}] = s
		}
	}
	for r, s := range held {
		if !sameShare(stored[r], s) || opened[r] != 1 || lost[r] {
			t.Errorf("%+v was answered %+v, opened %d times, empty %v; stored is %+v", r, s, opened[r], lost[r], stored[r])
		}
	}
	if len(stored) != len(held) {
		t.Errorf("%d shares are stored, %d were answered", len(stored), len(held))
	}
}

// manyTimes is every user asking a few times for every envelope, in no order.
func manyTimes(ids []envelope.ID, users []envelope.UserID, times int, seed uint64) []envelope.OpenRequest {
	var reqs []envelope.OpenRequest
	for _, id := range ids {
		for _, u := range users {
			for range times {
				reqs = append(reqs, envelope.OpenRequest{ID: id, User: u})
			}
		}
	}
	dice := rand.New(rand.NewPCG(seed, 2))
	dice.Shuffle(len(reqs), func(i, j int) { reqs[i], reqs[j] = reqs[j], reqs[i] })
	return reqs
}

// FA4, FA5: one hot envelope opened over two order servers at once gives each user one share, to the fen.
func TestHotEnvelopeOnTwoServersIsExact(t *testing.T) {
	w := servers.World(t, 1)
	for _, servers := range [][]int{{1024, 1024}, {0, 0}, {1024, 0}} {
		t.Run(fmt.Sprintf("servers that remember %v", servers), func(t *testing.T) {
			var sets []*orderset.Set
			for _, memory := range servers {
				sets = append(sets, serverOf(t, w, memory).Sets()[0])
			}
			const count = 100
			e := w.Active(t, 0, envelope.Order{Total: 10000, Count: count})
			reqs := manyTimes([]envelope.ID{e.ID}, crowd(2*count), 4, 7)
			answers := stampede(t, sets, reqs, 7)
			wantOneShareEach(t, w, reqs, answers)
			if snap := find(t, w, e.ID); snap.Envelope.State != envelope.Empty || len(snap.Shares) != count || snap.Envelope.Opened != 10000 {
				t.Errorf("%s with %d shares of %v, want it empty", snap.Envelope.State, len(snap.Shares), snap.Envelope.Opened)
			}
		})
	}
}

// FA5: many envelopes opened over two order servers at once are paid to the fen.
func TestManyEnvelopesOnTwoServersAreExact(t *testing.T) {
	w := servers.World(t, 1)
	for _, servers := range [][]int{{1024, 1024}, {1024, 0}} {
		t.Run(fmt.Sprintf("servers that remember %v", servers), func(t *testing.T) {
			var sets []*orderset.Set
			for _, memory := range servers {
				sets = append(sets, serverOf(t, w, memory).Sets()[0])
			}
			var ids []envelope.ID
			for i := range 30 {
				ids = append(ids, w.Active(t, 0, envelope.Order{Total: envelope.Fen(100 + i), Count: 5 + i%10}).ID)
			}
			reqs := manyTimes(ids, crowd(20), 2, 11)
			wantOneShareEach(t, w, reqs, stampede(t, sets, reqs, 11))
		})
	}
}

func TestTooSmallMemoryCostsOnlySpeed(t *testing.T) {
	w := servers.World(t, 1)
	set := serverOf(t, w, 1).Sets()[0]
	var ids []envelope.ID
	for range 80 { // more than memory has shards
		ids = append(ids, w.Active(t, 0, envelope.Order{Total: 300, Count: 3}).ID)
	}
	reqs := manyTimes(ids, crowd(5), 2, 13)
	wantOneShareEach(t, w, reqs, stampede(t, []*orderset.Set{set}, reqs, 13))
}
