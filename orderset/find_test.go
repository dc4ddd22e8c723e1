package orderset_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"hongbao/envelope"
	"hongbao/internal/settest"
)

func TestFindShowsOneMomentUnderLoad(t *testing.T) {
	w := servers.World(t, 1)
	const count = 150
	e := w.Active(t, 0, envelope.Order{Total: 20000, Count: count})
	set := w.Router.Sets()[0]
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			last := 0
			for {
				snap, err := w.Router.Find(context.Background(), e.ID)
				if err != nil {
					t.Error(err)
					return
				}
				wantConsistent(t, snap)
				if len(snap.Shares) < last {
					t.Errorf("%d shares after %d", len(snap.Shares), last)
				}
				last = len(snap.Shares)
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	var openers sync.WaitGroup
	for lane := range 4 {
		openers.Go(func() {
			for i, u := range crowd(count) {
				if i%4 != lane {
					continue
				}
				if _, err := set.Open(context.Background(), requests(e.ID, u)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	openers.Wait()
	close(done)
	readers.Wait()
	if snap := find(t, w, e.ID); len(snap.Shares) != count || snap.Envelope.State != envelope.Empty {
		t.Errorf("in the end there are %d shares, want %d", len(snap.Shares), count)
	}
}

// wantConsistent holds one reading to I1, I4 and I5.
func wantConsistent(t testing.TB, snap envelope.Snapshot) {
	t.Helper()
	e := snap.Envelope
	var sum envelope.Fen
	for i, s := range snap.Shares {
		if s.Seq != i+1 || s.Amount < 1 || s.Amount > e.ShareMax {
			t.Errorf("share %d is %+v", i+1, s)
		}
		sum += s.Amount
	}
	if sum != e.Opened || len(snap.Shares) != e.OpenedCount {
		t.Errorf("the header says %d shares of %d fen, there are %d of %d", e.OpenedCount, e.Opened, len(snap.Shares), sum)
	}
	if left := envelope.Fen(e.SharesLeft()); e.Remaining() < left || left == 0 && e.Remaining() != 0 {
		t.Errorf("%d fen are left for %d shares", e.Remaining(), left)
	}
	if snap.Now.Before(e.CreatedAt) {
		t.Errorf("read at %v, created at %v", snap.Now, e.CreatedAt)
	}
}

func TestFindAndPeekSeeWhatWasOpened(t *testing.T) {
	w := servers.World(t, 1)
	e := w.Active(t, 0, envelope.Order{Total: 300, Count: 3})
	openings := open(t, w.Router.Sets()[0], requests(e.ID, "ann", "bob"))
	for _, way := range ways {
		r := serverOf(t, w, way.memory)
		snap, err := r.Find(t.Context(), e.ID)
		if err != nil || len(snap.Shares) != 2 || !sameShare(snap.Shares[0], openings[0].Share) || !sameShare(snap.Shares[1], openings[1].Share) {
			t.Errorf("%s: find got %+v, %v", way.name, snap, err)
		}
		for user, want := range map[envelope.UserID]envelope.Outcome{"ann": envelope.AlreadyOpened, "bob": envelope.AlreadyOpened, "carl": envelope.Openable} {
			wantPeek(t, r, e.ID, user, want)
		}
		unpaid := w.Unpaid(t, 0, envelope.Order{Total: 300, Count: 3})
		wantPeek(t, r, unpaid.ID, "ann", envelope.NotPaid)
		absent := w.Sending(t, 0, envelope.Order{Total: 300, Count: 3}).Envelope.ID
		if _, err := r.Peek(t.Context(), absent, "ann"); !errors.Is(err, envelope.ErrNotFound) {
			t.Errorf("%s: peek at nothing: got %v, want ErrNotFound", way.name, err)
		}
		if _, err := r.Find(t.Context(), absent); !errors.Is(err, envelope.ErrNotFound) {
			t.Errorf("%s: find nothing: got %v, want ErrNotFound", way.name, err)
		}
	}
}

func TestFindLeavesOutUncountedShares(t *testing.T) {
	w := servers.World(t, 1)
	admin := w.Admin(t, 0)
	e := w.Active(t, 0, envelope.Order{Total: 300, Count: 3})
	first := open(t, w.Router.Sets()[0], requests(e.ID, "ann"))
	// As if the header had been read before bob's commit and the shares after it.
	exec(t, admin, "INSERT INTO "+shares(e.ID)+" VALUES ('"+string(e.ID)+"', 2, 'bob', 100, UTC_TIMESTAMP(3))")
	for _, r := range []*settest.Router{serverOf(t, w, 0), serverOf(t, w, 1024)} {
		wantPeek(t, r, e.ID, "bob", envelope.Openable)
		wantPeek(t, r, e.ID, "ann", envelope.AlreadyOpened)
	}
	wantShares(t, w, e.ID, first)
	exec(t, admin, "DELETE FROM "+shares(e.ID)+" WHERE order_id = '"+string(e.ID)+"' AND seq = 2")
}
