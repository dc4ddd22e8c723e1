package relay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hongbao/envelope"
)

const (
	recordStatusesMax = 256
	recordMax         = 10 * time.Second // one commit
)

// recorder records statuses of transfers, many in one commit: while
// one is under way, the next batch gathers by itself.
type recorder struct {
	commitAll func(context.Context, []envelope.TransferUpdate) ([]error, error)
	queue     chan pendingRecord // unbuffered: a status is in a batch or still its caller's
	done      chan struct{}      // closed: nothing is recorded any more
}

type pendingRecord struct {
	envelope.TransferUpdate
	answer chan error // buffered 1
}

func newRecorder(commitAll func(context.Context, []envelope.TransferUpdate) ([]error, error)) *recorder {
	return &recorder{commitAll: commitAll, queue: make(chan pendingRecord), done: make(chan struct{})}
}

// RecordTransfer records the provider's status of one transfer and returns when it is
// committed. A repeat is fine. The error wraps [envelope.ErrTransferConflict]
// when it contradicts what is recorded, and [envelope.ErrNotFound] when
// there is no such transfer; both are kept for people to look at, so neither
// needs to be said again. After any other error it does. A status without a wait
// gets an ordinary one.
func (r *Relay) RecordTransfer(ctx context.Context, status envelope.TransferUpdate) error {
	if status.Progress == envelope.ProgressStuck {
		if over, err := r.isOver(ctx, &status.TransferStatus); over || err != nil {
			return err
		}
	}
	if status.Wait == 0 {
		status.Wait = waitFor(status.Progress, 1)
	}
	return r.recorder.record(ctx, status)
}

// isOver reports whether a notification that a transfer is stuck was overtaken by
// that of its success: they come in any order. When the provider itself says that
// what was posted has not moved, s says that it was refused, so that people
// see it.
func (r *Relay) isOver(ctx context.Context, s *envelope.TransferStatus) (bool, error) {
	id, seq, _, err := envelope.ParseTransferNo(s.No)
	if err != nil {
		return false, nil // to be disputed
	}
	t, err := r.cfg.Store.Transfer(ctx, id, seq)
	switch {
	case errors.Is(err, envelope.ErrNotFound):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("transfer %s: %w", s.No, err)
	case t.State != envelope.Posted || t.No() != s.No:
		return false, nil
	}
	now, err := r.cfg.Cashier.Query(ctx, t)
	if err != nil {
		return false, fmt.Errorf("transfer %s is posted, and said to be stuck: %w", s.No, err)
	}
	s.Progress = envelope.ProgressRefused
	return now.Progress == envelope.ProgressDone, nil
}

func (c *recorder) record(ctx context.Context, status envelope.TransferUpdate) error {
	w := pendingRecord{TransferUpdate: status, answer: make(chan error, 1)}
	select {
	case c.queue <- w:
	case <-c.done:
		return &envelope.BusyError{Reason: envelope.ReasonShuttingDown, RetryAfter: time.Second}
	case <-ctx.Done():
		return fmt.Errorf("transfer %s is not recorded: %w", status.No, ctx.Err())
	}
	select {
	case err := <-w.answer:
		return err
	case <-ctx.Done():
		return fmt.Errorf("record transfer %s: %w: %w", status.No, envelope.ErrUnknownOutcome, ctx.Err())
	}
}

// run commits what comes until stop is closed.
func (c *recorder) run(ctx context.Context, stop <-chan struct{}) {
	defer close(c.done)
	for {
		select {
		case w := <-c.queue:
			c.commit(ctx, c.gather(w))
		case <-stop:
			return
		}
	}
}

// gather takes the statuses that wait already, and waits for none.
func (c *recorder) gather(first pendingRecord) []pendingRecord {
	batch := []pendingRecord{first}
	for len(batch) < recordStatusesMax {
		select {
		case w := <-c.queue:
			batch = append(batch, w)
		default:
			return batch
		}
	}
	return batch
}

func (c *recorder) commit(ctx context.Context, batch []pendingRecord) {
	ctx, cancel := context.WithTimeout(ctx, recordMax)
	defer cancel()
	left := batch
	err := alone(batch, func(part []pendingRecord) error {
		statuses := make([]envelope.TransferUpdate, len(part))
		for i, w := range part {
			statuses[i] = w.TransferUpdate
		}
		errs, err := c.commitAll(ctx, statuses)
		if err != nil {
			return err
		}
		for i, w := range part {
			w.answer <- errs[i]
		}
		left = left[len(part):]
		return nil
	}, func(w pendingRecord, err error) {
		w.answer <- err
		left = left[1:]
	})
	for _, w := range left { // alone goes through a batch from its beginning
		w.answer <- err
	}
}
