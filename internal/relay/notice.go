package relay

import (
	"context"
	"time"

	"hongbao/envelope"
)

// Bounds of the notifications about batches that are yet to be recorded.
const (
	noticesMax      = 256
	noticesInFlight = 2 // each is a transaction of some hundred rows
)

// RecordBatch takes a notification of the provider about one batch and
// returns before it is recorded (FF8). A status that is lost with the process costs
// time only: the batch stays due, and is asked about. What contradicts what is
// recorded is kept for people then, and raises an alarm. One that is not of
// the end has the batch asked about at once. The error is a [envelope.BusyError]:
// too much waits already.
func (r *Relay) RecordBatch(status envelope.PayoutBatchStatus) error {
	select {
	case r.notices <- status:
		return nil
	default:
		return &envelope.BusyError{Reason: envelope.ReasonCallbacks, RetryAfter: time.Second}
	}
}

// recordNotices records what comes until stop is closed.
func (r *Relay) recordNotices(ctx context.Context, stop <-chan struct{}) {
	for {
		select {
		case status := <-r.notices:
			r.recordNotice(ctx, status)
		case <-stop:
			return
		}
	}
}

func (r *Relay) recordNotice(ctx context.Context, status envelope.PayoutBatchStatus) {
	ctx, cancel := context.WithTimeout(ctx, recordMax)
	defer cancel()
	if status.Progress == envelope.ProgressDone {
		r.recorded(status.No, status.Progress, r.endBatch(ctx, status))
		return
	}
	status.Progress = envelope.ProgressUnknown
	r.recorded(status.No, status.Progress, r.cfg.Store.RecordBatch(ctx, status))
	wakeUp(r.batchDue)
}
