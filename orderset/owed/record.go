package owed

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/orderset/layout"
)

// RecordMax is how many statuses are recorded in one transaction at most.
const RecordMax = 1024

const (
	providerNoMax  = 64
	hintMax        = 1024
	unknownRefusal = "refused"
)

// RecordTransfers records the provider's statuses of transfers of this SET, up to
// 1024 in one transaction, and settles the envelopes whose last transfer it
// posts. A repeat changes nothing.
//
// The first result has an error or nil for each status: wrapping
// [envelope.ErrTransferConflict] when the status contradicts what is recorded,
// [envelope.ErrNotFound] when there is no such transfer. Both are kept as
// disputes. When the second result is an error nothing is recorded, or the
// outcome is unknown.
func (s *Store) RecordTransfers(ctx context.Context, updates []envelope.TransferUpdate) ([]error, error) {
	if len(updates) > RecordMax {
		return nil, fmt.Errorf("SET %v: record %d updates: want at most %d", s.db.Number(), len(updates), RecordMax)
	}
	var r *recording
	err := s.db.TxRepeat(ctx, func(ctx context.Context, c *sql.Conn) error {
		r = newRecording(s.db.Number(), updates)
		return r.run(ctx, c)
	})
	if err != nil {
		return nil, s.db.Answer(fmt.Sprintf("record %d updates", len(updates)), err)
	}
	if len(r.refunded) > 0 {
		s.Touch()
	}
	s.flows.recorded(r.changed, len(r.settled))
	s.Settled(r.settled)
	return r.errs, nil
}

// recording is one run of the transaction.
type recording struct {
	updates  []envelope.TransferUpdate
	errs     []error
	at       map[layout.TransferKey][]int // positions in updates
	keys     []layout.TransferKey         // in their order
	rounds   []int                        // as updates
	disputes []dispute
	changed  []Stored
	posted   []envelope.ID // have a transfer that was posted just now
	refunded []envelope.ID // … and it is the refund
	settled  []envelope.ID
}

// Stored is a transfer as it is to be stored.
type Stored struct {
	envelope.Transfer
	Batch string // in which it is; "" when it is asked for by itself
	Wait  int64  // μs until it is looked at again, if it is pending still
}

// LockStored locks and reads some transfers.
func LockStored(ctx context.Context, c *sql.Conn, keys []layout.TransferKey) (stored []Stored, err error) {
	err = mariadb.Each(ctx, c, func(rows *sql.Rows) (err error) {
		var t Stored
		t.Transfer, err = layout.ScanTransfer(rows, &t.Batch)
		stored = append(stored, t)
		return err
	}, lockTransfers(keys))
	return stored, err
}

func newRecording(set envelope.SetNumber, updates []envelope.TransferUpdate) *recording {
	r := &recording{updates: updates, errs: make([]error, len(updates)), rounds: make([]int, len(updates)), at: map[layout.TransferKey][]int{}}
	for i := range updates {
		id, seq, round, err := envelope.ParseTransferNo(updates[i].No)
		if err != nil || id.Set() != set {
			r.dispute(i, "", ErrNoTransfer(updates[i].No))
			continue
		}
		k := layout.TransferKey{ID: id, Seq: seq}
		if r.at[k] == nil {
			r.keys = append(r.keys, k)
		}
		r.rounds[i] = round
		r.at[k] = append(r.at[k], i)
	}
	slices.SortFunc(r.keys, layout.CompareKeys)
	return r
}

func ErrNoTransfer(no string) error {
	return fmt.Errorf("transfer %.80q: %w", no, envelope.ErrNotFound)
}

// run is the body of the transaction. Headers are locked before transfers, and
// only those of finished envelopes, which take no more opens.
func (r *recording) run(ctx context.Context, c *sql.Conn) error {
	finished, err := LockFinished(ctx, c, r.moved())
	if err != nil {
		return err
	}
	if err := r.apply(ctx, c); err != nil {
		return err
	}
	if len(r.changed) > 0 {
		var update layout.Text
		args := updateRecorded(&update, r.changed)
		if _, err := c.ExecContext(ctx, update.String(), args...); err != nil {
			return err
		}
	}
	if r.settled, err = Settle(ctx, c, finished, r.posted); err != nil {
		return err
	}
	if err := Enqueue(ctx, c, r.refunded...); err != nil {
		return err
	}
	for _, d := range r.disputes {
		if err := d.insert(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// apply applies the updates to their transfers, in the order in which they came.
func (r *recording) apply(ctx context.Context, c *sql.Conn) error {
	if len(r.keys) == 0 {
		return nil
	}
	stored, err := LockStored(ctx, c, r.keys)
	if err != nil {
		return err
	}
	for _, next := range stored { // rows come in the order of their keys
		k, before := layout.KeyOf(&next.Transfer), next.State
		for _, i := range r.at[k] {
			r.applyOne(i, &next)
		}
		delete(r.at, k)
		if before != envelope.Pending && before != envelope.Stuck || next.Batch != "" {
			continue
		}
		r.changed = append(r.changed, next)
		if next.State == envelope.Posted {
			r.posted = append(r.posted, k.ID)
			if next.IsRefund() {
				r.refunded = append(r.refunded, k.ID)
			}
		}
	}
	for _, k := range r.keys {
		for _, i := range r.at[k] {
			r.dispute(i, k.ID, ErrNoTransfer(r.updates[i].No))
		}
	}
	r.posted = slices.Compact(r.posted)
	return nil
}

// applyOne applies the status at i to its transfer. Of a round that people have
// closed, only that it moved money after all is recorded.
func (r *recording) applyOne(i int, t *Stored) {
	status := r.updates[i].TransferStatus
	switch round := r.rounds[i]; {
	case round > t.Round:
		r.dispute(i, t.OrderNo, ErrNoTransfer(status.No))
		return
	case round < t.Round:
		if status.Progress == envelope.ProgressDone {
			r.dispute(i, t.OrderNo, fmt.Errorf("transfer %s is done, but people have begun round %d: %w", status.No, t.Round, envelope.ErrTransferConflict))
		}
		return
	case t.Batch != "":
		r.dispute(i, t.OrderNo, fmt.Errorf("transfer %s is asked for in batch %s, never by itself: %w", status.No, t.Batch, envelope.ErrTransferConflict))
		return
	}
	if status.Progress == envelope.ProgressRejected && r.updates[i].Attempt != t.Attempts {
		status.Progress = envelope.ProgressStuck // it may be on its way there again
	}
	next, err := t.Apply(fitStatus(status))
	if err != nil {
		r.dispute(i, t.OrderNo, err)
		return
	}
	if t.Transfer, t.Wait = next, layout.Wait(r.updates[i].Wait); next.State != envelope.Pending && next.State != envelope.Stuck {
		t.Wait = 0 // due_at says since when
	}
}

// fitStatus makes what the provider wrote fit its columns.
func fitStatus(status envelope.TransferStatus) envelope.TransferStatus {
	status.ProviderNo, status.Hint = fit(status.ProviderNo, providerNoMax), fit(status.Hint, hintMax)
	if status.Code = layout.FitReason(status.Code); status.Code == "" {
		status.Code = unknownRefusal
	}
	return status
}

// fit is s if its column takes it, else nothing: half a number is none.
func fit(s string, max int) string {
	if len(s) > max || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		return ""
	}
	return s
}

// dispute answers the status at i with err and keeps it for people.
func (r *recording) dispute(i int, id envelope.ID, err error) {
	r.errs[i] = err
	r.disputes = append(r.disputes, dispute{kind: disputeTransfer, number: r.updates[i].No, id: id, what: err.Error(), amount: r.updates[i].Amount})
}

// moved are the envelopes whose transfers these updates may post, in their order.
func (r *recording) moved() (ids []envelope.ID) {
	for _, k := range r.keys {
		if slices.ContainsFunc(r.at[k], func(i int) bool { return r.updates[i].Progress == envelope.ProgressDone }) {
			ids = append(ids, k.ID)
		}
	}
	return slices.Compact(ids)
}
