package jobs_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/settest"
	"hongbao/reconcile/jobs"
)

const week = 7 * 24 * time.Hour

// unconfirmed has the one payout of an envelope held, for longer than a week.
func unconfirmed(t *testing.T, w *settest.World, set int) (sender envelope.UserID, id envelope.ID) {
	t.Helper()
	s := w.Router.Sets()[set]
	e := w.Active(t, set, envelope.Order{Total: 100, Count: 1})
	o, err := w.Router.Sets()[set].Open(t.Context(), []envelope.OpenRequest{{ID: e.ID, User: "opener"}})
	if err != nil || o[0].Outcome != envelope.Opened {
		t.Fatalf("opened %+v, %v", o, err)
	}
	if _, err := s.Owed().Spread(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	ts, err := s.Owed().ClaimTransfers(t.Context(), 10, time.Minute)
	if err != nil || len(ts) != 1 {
		t.Fatalf("claimed %+v, %v", ts, err)
	}
	word := envelope.TransferUpdate{TransferStatus: envelope.TransferStatus{No: ts[0].No(), Progress: envelope.ProgressRefused, Amount: 100, Code: envelope.CodeOverdue}}
	if errs, err := s.Owed().RecordTransfers(t.Context(), []envelope.TransferUpdate{word}); err != nil || errs[0] != nil {
		t.Fatal(errs, err)
	}
	if _, err := w.Admin(t, set).ExecContext(t.Context(), "UPDATE transfer SET due_at = due_at - INTERVAL 8 DAY"); err != nil {
		t.Fatal(err)
	}
	return e.Sender, e.ID
}

// down is a SET that can not be asked.
type down struct{ jobs.Returner }

func (down) ReturnUnconfirmed(context.Context, time.Duration) (int, error) {
	return 0, errors.New("it is down")
}

// TestUnconfirmedPayoutsOfEverySetGoBack, although one SET is down (FS16).
func TestUnconfirmedPayoutsOfEverySetGoBack(t *testing.T) {
	w := servers.World(t, 2)
	sets := []jobs.Returner{down{w.Router.Sets()[0].Desk()}, w.Router.Sets()[0].Desk(), w.Router.Sets()[1].Desk()}
	senders, ids := make([]envelope.UserID, 2), make([]envelope.ID, 2)
	for set := range 2 {
		senders[set], ids[set] = unconfirmed(t, w, set)
	}
	r, err := jobs.Returns(sets, week)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := r.RunOnce(t.Context()); n.Count != 2 || err == nil {
		t.Errorf("%d went back, %v, want 2 and the SET that is down", n.Count, err)
	}
	for set, id := range ids {
		if tr, err := w.Router.Sets()[set].Owed().Transfer(t.Context(), id, 1); err != nil || tr.Payee != senders[set] || tr.State != envelope.Pending || tr.Round != 2 {
			t.Errorf("%+v, %v, want it to go to %s", tr, err, senders[set])
		}
	}
	w.CheckBooks(t)
}
