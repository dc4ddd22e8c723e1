package relay

import (
	"context"
	"errors"
	"fmt"

	"hongbao/envelope"
)

// batchesInFlight are at the provider at a time, beside the bills; together they
// are up to batchesInFlight × envelope.PayoutBatchMax payouts.
const batchesInFlight = 8

// batchOnce puts due batches of payouts into flight. People pause them and the
// breaker stops them together with the bills: they go to the same provider.
func (r *Relay) batchOnce(ctx context.Context) (int, error) {
	return launch(ctx, r, r.batches, r.claimBatches, r.carryOutBatch)
}

func (r *Relay) claimBatches(ctx context.Context, most int) ([]envelope.PayoutBatch, error) {
	bs, err := r.cfg.Store.ClaimBatches(ctx, most, transferLease)
	if err != nil {
		return nil, fmt.Errorf("claim batches: %w", err)
	}
	for i := range bs {
		r.metrics.claimed.WithLabelValues(topicTransfer).Add(float64(len(bs[i].Payouts)))
	}
	return bs, nil
}

// carryOutBatch has one batch carried out or looked at, and the answer recorded.
// What is not recorded is asked for again when the lease ends, under the same
// number and with the same payouts (I7).
func (r *Relay) carryOutBatch(ctx context.Context, b envelope.PayoutBatch) {
	work, cancel := carry(ctx, transferCallMax)
	defer cancel()
	status, err := r.askBatch(work, b)
	judged := r.judgeBatch(&b, status, err)
	record, cancelRecord := carry(ctx, recordMax)
	defer cancelRecord()
	if judged.Progress == envelope.ProgressDone {
		err = r.endBatch(record, status)
	} else if err = r.cfg.Store.PutOffBatch(record, judged); err == nil {
		r.metrics.transfers.WithLabelValues(string(judged.Progress)).Add(float64(len(b.Payouts)))
	}
	r.recorded(b.No, judged.Progress, err)
}

// recorded reports how the recording of a batch's status ended.
func (r *Relay) recorded(no string, progress envelope.Progress, err error) {
	switch {
	case err == nil:
	case errors.Is(err, envelope.ErrTransferConflict), errors.Is(err, envelope.ErrNotFound):
		r.alarm(topicTransfer, "a batch is disputed", "number", no, "cause", err)
	default:
		r.cfg.Log.Warn("record a batch", "number", no, "progress", progress, "error", err)
	}
}

// judgeBatch is the status of a batch to be recorded, and how long to wait before
// the next look unless that is its end. It goes by the rules of bills.
func (r *Relay) judgeBatch(b *envelope.PayoutBatch, s envelope.PayoutBatchStatus, err error) envelope.PayoutBatchUpdate {
	if err == nil && s.No != b.No {
		err = fmt.Errorf("asked about %s, answered about %q: %w", b.No, s.No, envelope.ErrUnknownOutcome)
	}
	if err == nil {
		r.reportStuck("batch", s.No, s.Progress, s.Code, b.Attempts)
		return envelope.PayoutBatchUpdate{PayoutBatchStatus: s, Wait: waitFor(s.Progress, b.Attempts), Attempt: b.Attempts}
	}
	unknown := envelope.PayoutBatchStatus{No: b.No, Progress: envelope.ProgressUnknown}
	if unknown.Code = causeOf(err, b.Attempts); unknown.Code != "" {
		unknown.Progress = envelope.ProgressStuck
	}
	return envelope.PayoutBatchUpdate{PayoutBatchStatus: unknown, Wait: r.waitAfter(err, "batch", b.No, b.Attempts), Attempt: b.Attempts}
}

// askBatch places a batch that was never placed; about any other it asks first,
// as with bills.
func (r *Relay) askBatch(ctx context.Context, b envelope.PayoutBatch) (envelope.PayoutBatchStatus, error) {
	if b.Placed {
		status, err := r.cfg.Cashier.QueryBatch(ctx, b)
		r.transfer.record(err)
		if err != nil || status.Progress != envelope.ProgressAbsent {
			return status, err
		}
	} else if b.Attempts <= 1 {
		r.firstCallAbout(b.Payouts...)
	}
	status, err := r.cfg.Cashier.PlaceBatch(ctx, b)
	r.recordPlacing(status.Progress, err)
	return status, err
}

func (r *Relay) endBatch(ctx context.Context, status envelope.PayoutBatchStatus) error {
	if err := r.cfg.Store.RecordBatch(ctx, status); err != nil {
		return fmt.Errorf("end batch %s: %w", status.No, err)
	}
	r.metrics.transfers.WithLabelValues(string(envelope.ProgressDone)).Add(float64(status.Paid))
	r.metrics.transfers.WithLabelValues(string(envelope.ProgressRefused)).Add(float64(len(status.Refused)))
	return nil
}
