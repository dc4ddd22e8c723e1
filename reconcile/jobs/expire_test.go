package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/settest"
	"hongbao/orderset"
	"hongbao/reconcile/jobs"
)

// overdue makes envelopes in a SET whose life has been over for hours.
func overdue(t *testing.T, w *settest.World, set, n int) (ids []envelope.ID) {
	t.Helper()
	admin := w.Admin(t, set)
	for i := range n {
		e := w.Active(t, set, envelope.Order{Total: 1000, Count: 10})
		statement := fmt.Sprintf("UPDATE envelope_%d_%02d SET expires_at = UTC_TIMESTAMP(3) - INTERVAL %d HOUR WHERE order_id = '%s'",
			e.ID.TableDigit(), e.ID.Body().Day().OfMonth(), i+1, e.ID)
		if _, err := admin.Exec(statement); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, e.ID)
	}
	return ids
}

func expiryOf(t *testing.T, sets ...jobs.Expirer) jobs.Job {
	t.Helper()
	s, err := jobs.Expiry(sets)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// FG14, FG15: what fell due while no process ran is found by its state, and
// refunded once.
func TestConcurrentSweepsRefundOnce(t *testing.T) {
	w := servers.World(t, 2)
	var ids []envelope.ID
	for set := range 2 {
		ids = append(ids, overdue(t, w, set, 12)...)
	}
	var sweeps sync.WaitGroup
	for range 3 { // three machines, each with its own router
		var sets []jobs.Expirer
		for _, set := range w.NewRouter(t).Sets() {
			sets = append(sets, set)
		}
		expiry := expiryOf(t, sets...)
		sweeps.Go(func() {
			if _, err := expiry.RunOnce(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	sweeps.Wait()
	for _, id := range ids {
		snap, err := w.Router.Find(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		e := snap.Envelope
		set, err := w.Router.Set(id)
		if err != nil {
			t.Fatal(err)
		}
		refund, err := set.Owed().Transfer(t.Context(), id, 0)
		if err != nil || e.State != envelope.Expired || e.Refunded != 1000 || refund.Amount != 1000 || e.Ver != 3 {
			t.Errorf("%+v, refund %+v, %v", e, refund, err)
		}
	}
	if n, err := expiryOf(t, w.Router.Sets()[0], w.Router.Sets()[1]).RunOnce(t.Context()); n.Count != 0 || err != nil {
		t.Errorf("a sweep with nothing due expired %d, %v", n.Count, err)
	}
}

// deaf is a SET whose expiries fail.
type deaf struct{ *orderset.Set }

var errDeaf = errors.New("no answer")

func (deaf) Expire(context.Context, envelope.ID) (envelope.Envelope, error) {
	return envelope.Envelope{}, errDeaf
}

func TestASetThatFailsHoldsUpNoOther(t *testing.T) {
	w := servers.World(t, 2)
	overdue(t, w, 0, 3)
	well := overdue(t, w, 1, 3)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	n, err := expiryOf(t, deaf{w.Router.Sets()[0]}, w.Router.Sets()[1]).RunOnce(ctx)
	if n.Count != len(well) || !errors.Is(err, errDeaf) {
		t.Errorf("expired %d, %v; want %d and the error of the other SET", n.Count, err, len(well))
	}
	if n, err := expiryOf(t, w.Router.Sets()[0]).RunOnce(ctx); n.Count != 3 || err != nil {
		t.Errorf("well again, it expired %d, %v; want 3", n.Count, err)
	}
}

func TestJobsRefuseToWorkOnNothing(t *testing.T) {
	for what, err := range map[string]error{
		"expiry":                second(jobs.Expiry[jobs.Expirer](nil)),
		"purge":                 second(jobs.Purge[jobs.Purger](nil)),
		"returns":               second(jobs.Returns[jobs.Returner](nil, week)),
		"returns without delay": second(jobs.Returns([]jobs.Returner{down{}}, 0)),
	} {
		if err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
}

// purger counts what it is asked to keep.
type purger struct {
	kept time.Duration
	err  error
}

func (p *purger) Purge(_ context.Context, keep time.Duration) (int, error) {
	p.kept = keep
	return 5, p.err
}

func TestPurgeCleansEverySetAndKeepsAnHour(t *testing.T) {
	ill, well := &purger{err: errDeaf}, &purger{}
	j, err := jobs.Purge([]*purger{ill, well})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := j.RunOnce(t.Context()); n.Count != 10 || !errors.Is(err, errDeaf) || well.kept != time.Hour {
		t.Errorf("deleted %d, kept %v, %v", n.Count, well.kept, err)
	}
}
