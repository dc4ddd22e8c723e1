package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"hongbao/envelope"
)

const (
	transferLease    = 30 * time.Second
	transferCallMax  = 20 * time.Second // all calls of one look
	transferClaimMin = 16               // permits in flight worth a claim
)

// Waits between looks at a transfer that is pending.
func whileUnderWay() wait { return wait{5 * time.Second, 10 * time.Minute} }
func whileAwaiting() wait { return wait{30 * time.Second, time.Hour} }

// whileStuck is for what does not go on before people have acted. Then it is to go
// on by itself.
func whileStuck() wait { return wait{time.Minute, time.Hour} }

// oddAttemptsMax is how often a refusal whose code says nothing is taken for
// trouble that passes.
const oddAttemptsMax = 5

// transferOnce puts due transfers by bill into flight.
func (r *Relay) transferOnce(ctx context.Context) (int, error) {
	return launch(ctx, r, r.bills, r.claimTransfers, r.carryOut)
}

func (r *Relay) claimTransfers(ctx context.Context, most int) ([]envelope.Transfer, error) {
	ts, err := r.cfg.Store.ClaimTransfers(ctx, most, transferLease)
	if err != nil {
		return nil, fmt.Errorf("claim transfers: %w", err)
	}
	r.metrics.claimed.WithLabelValues(topicTransfer).Add(float64(len(ts)))
	return ts, nil
}

// carryOut has one transfer carried out or looked at, and the answer recorded.
// What is not recorded is asked for again when the lease ends, under the same
// number (I7).
func (r *Relay) carryOut(ctx context.Context, t envelope.Transfer) {
	work, cancel := carry(ctx, transferCallMax)
	defer cancel()
	status, err := r.ask(work, t)
	judged := r.judge(t, status, err)
	record, cancelRecord := carry(ctx, recordMax)
	defer cancelRecord()
	switch err := r.recorder.record(record, judged); {
	case err == nil:
		r.metrics.transfers.WithLabelValues(string(judged.Progress)).Inc()
	case errors.Is(err, envelope.ErrTransferConflict), errors.Is(err, envelope.ErrNotFound):
		r.alarm(topicTransfer, "a transfer is disputed", "number", judged.No, "cause", err)
	default:
		r.cfg.Log.Warn("record a transfer", "number", judged.No, "progress", judged.Progress, "error", err)
	}
}

// ask places a transfer that was never placed. Any other may have been carried
// out long ago, so the provider is asked first, and only when it does not know
// the number is the transfer placed again, under that number.
func (r *Relay) ask(ctx context.Context, t envelope.Transfer) (envelope.TransferStatus, error) {
	if t.Placed {
		status, err := r.cfg.Cashier.Query(ctx, t)
		r.transfer.record(err)
		if err != nil || status.Progress != envelope.ProgressAbsent {
			return status, err
		}
	} else if t.Attempts <= 1 {
		r.firstCallAbout(t)
	}
	status, err := r.cfg.Cashier.Place(ctx, t)
	r.recordPlacing(status.Progress, err)
	return status, err
}

// firstCallAbout observes how long transfers have waited for their first call.
func (r *Relay) firstCallAbout(ts ...envelope.Transfer) {
	now := r.cfg.Now()
	for i := range ts {
		if created := ts[i].CreatedAt; !created.IsZero() {
			r.metrics.firstCall.Observe(max(0, now.Sub(created)).Seconds())
		}
	}
}

// judge turns the provider's answer, or the lack of one, into the status to be
// recorded. An error says nothing about the money: whatever it is, the outcome is
// unknown (FG1, FG5). But one that will come again makes the transfer stuck.
func (r *Relay) judge(t envelope.Transfer, s envelope.TransferStatus, err error) envelope.TransferUpdate {
	if err == nil && s.No != t.No() {
		err = fmt.Errorf("asked about %s, answered about %q: %w", t.No(), s.No, envelope.ErrUnknownOutcome)
	}
	if err == nil {
		r.reportStuck("transfer", s.No, s.Progress, s.Code, t.Attempts)
		return envelope.TransferUpdate{TransferStatus: s, Wait: waitFor(s.Progress, t.Attempts), Attempt: t.Attempts}
	}
	unknown := envelope.TransferStatus{No: t.No(), Progress: envelope.ProgressUnknown}
	if unknown.Code = causeOf(err, t.Attempts); unknown.Code != "" {
		unknown.Progress = envelope.ProgressStuck
	}
	return envelope.TransferUpdate{TransferStatus: unknown, Wait: r.waitAfter(err, "transfer", t.No(), t.Attempts), Attempt: t.Attempts}
}

// reportStuck raises an alarm about what does not go on by itself.
func (r *Relay) reportStuck(what, no string, p envelope.Progress, code string, attempts int) {
	if p == envelope.ProgressStuck || p == envelope.ProgressRejected {
		r.alarm(topicTransfer, "a "+what+" is stuck", "number", no, "attempts", attempts, "code", code)
	}
}

// causeOf is why err will come again until people have acted, or "" when it may
// pass by itself.
func causeOf(err error, attempts int) string {
	var refused *envelope.RefusedError
	var busy *envelope.BusyError
	said := errors.As(err, &refused)
	switch {
	case errors.As(err, &busy):
		if said && busy.Reason == envelope.ReasonFunds {
			return refused.Code
		}
		return ""
	case outage(err):
		if said && (refused.Final || attempts >= oddAttemptsMax) {
			return cmp.Or(refused.Code, "HTTP "+strconv.Itoa(refused.Status))
		}
		return ""
	case said:
		return refused.Code
	}
	return cut(err.Error()) // a fault of ours
}

// waitAfter is how long a transfer or a batch is left alone after a call that
// has ended in err.
func (r *Relay) waitAfter(err error, what, no string, attempts int) time.Duration {
	d, busy := retryAfter(err)
	switch {
	case busy:
		return d
	case outage(err):
		r.cfg.Log.Warn(what, "number", no, "attempts", attempts, "error", err)
		return afterFailure().after(attempts)
	}
	r.alarm(topicTransfer, "the provider takes a "+what+" for a mistake", "number", no, "attempts", attempts, "cause", err)
	return whileStuck().after(attempts)
}

// waitFor is how long a transfer is left alone if it is not at its end afterwards.
func waitFor(p envelope.Progress, attempts int) time.Duration {
	switch p {
	case envelope.ProgressUnderWay:
		return whileUnderWay().after(attempts)
	case envelope.ProgressAwaiting:
		return whileAwaiting().after(attempts)
	case envelope.ProgressStuck, envelope.ProgressRejected:
		return whileStuck().after(attempts)
	}
	return afterFailure().after(attempts)
}

// errRejected is recorded by the breaker for an answer that rejects the request as such.
var errRejected = errors.New("the provider rejects the request")

// recordPlacing records the outcome of a call that was to move money.
func (r *Relay) recordPlacing(p envelope.Progress, err error) {
	if err == nil && p == envelope.ProgressRejected {
		err = errRejected
	}
	r.transfer.record(err)
}
