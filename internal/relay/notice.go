package relay

import (
	"context"
	"time"

	"hongbao/envelope"
)

// Bounds of what the provider has said of its own accord about batches, and is yet
// to be recorded.
const (
	noticesMax    = 256
	noticesAtOnce = 2 // each is a transaction of some hundred rows
)

// HearBatch takes what the provider says of its own accord about one batch and
// returns before it is recorded (FF8). A word that is lost with the process costs
// time only: the batch stays due, and is asked about. What contradicts what is
// recorded is kept for people then, and raises an alarm. A word that is not about
// the end has the batch asked about at once. The error is a [envelope.BusyError]:
// too much waits already.
func (r *Relay) HearBatch(status envelope.PayoutBatchStatus) error {
	select {
	case r.notices <- status:
		return nil
	default:
		return &envelope.BusyError{Reason: envelope.ReasonCallbacks, RetryAfter: time.Second}
	}
}

// hearNotices records what comes until stop is closed.
func (r *Relay) hearNotices(ctx context.Context, stop <-chan struct{}) {
	for {
		select {
		case status := <-r.notices:
			r.hearNotice(ctx, status)
		case <-stop:
			return
		}
	}
}

func (r *Relay) hearNotice(ctx context.Context, status envelope.PayoutBatchStatus) {
	ctx, cancel := context.WithTimeout(ctx, recordMax)
	defer cancel()
	if status.Progress == envelope.ProgressDone {
		r.recorded(status.No, status.Progress, r.endBatch(ctx, status))
		return
	}
	status.Progress = envelope.ProgressUnknown
	r.recorded(status.No, status.Progress, r.cfg.Store.HearBatch(ctx, status))
	wakeUp(r.batchDue)
}
