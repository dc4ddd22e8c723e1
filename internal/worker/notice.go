package worker

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"hongbao/envelope"
	"hongbao/internal/payment"
)

// NoticeRouter takes the payment provider's notifications: a payment for the teller,
// or what became of transfers for the worker of their SET.
type NoticeRouter struct {
	// Parse authenticates a notification and reads it.
	Parse func(header http.Header, body []byte) (payment.Notice, error)
	Paid  func(context.Context, envelope.Payment) error
	// Worker is that of a SET; the error says why there is none.
	Worker func(envelope.SetNumber) (*Worker, error)
}

// Route takes one notification. Those that say nothing of ours are taken, too.
func (n *NoticeRouter) Route(ctx context.Context, header http.Header, body []byte) error {
	notice, err := n.Parse(header, body)
	switch {
	case errors.Is(err, payment.ErrNothingToDo):
		return nil
	case err != nil:
		return err
	case notice.Payment != nil:
		return n.Paid(ctx, *notice.Payment)
	case notice.Batch != nil:
		return n.batch(*notice.Batch)
	}
	return n.transfer(ctx, *notice.Transfer)
}

func (n *NoticeRouter) batch(status envelope.PayoutBatchStatus) error {
	id, err := envelope.ParsePayoutBatchNo(status.No)
	if err != nil {
		return fmt.Errorf("%w: %w", envelope.ErrNotFound, err)
	}
	w, err := n.Worker(id.Set())
	if err != nil {
		return err
	}
	return w.relay.RecordBatch(status)
}

func (n *NoticeRouter) transfer(ctx context.Context, status envelope.TransferStatus) error {
	id, _, _, err := envelope.ParseTransferNo(status.No)
	if err != nil {
		return fmt.Errorf("%w: %w", envelope.ErrNotFound, err)
	}
	w, err := n.Worker(id.Set())
	if err != nil {
		return err
	}
	return w.relay.RecordTransfer(ctx, envelope.TransferUpdate{TransferStatus: status})
}
