package payment

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/go-json-experiment/json"

	"hongbao/envelope"
	"hongbao/internal/payment/apiv3"
)

// NotificationBytesMax bounds a notification's body. The provider's are about
// one kilobyte.
const NotificationBytesMax = 64 << 10

// What ParseNotice refuses with.
var (
	// ErrForged refuses a notification that the provider did not sign for us.
	// The error that wraps it says which check failed: that is for the log; the
	// sender must not learn it.
	ErrForged = errors.New("the notification is not authentic")
	// ErrNotOurs is an authentic notification about a merchant, an app or a number
	// that is not ours: another merchant's money, or another deployment of the same
	// account. It is refused, so that the provider resends it while the routing of
	// notifications is put right.
	ErrNotOurs = errors.New("the notification is about something that is not ours")
	// ErrUnreadable is an authentic notification that says what it cannot say.
	ErrUnreadable = errors.New("the notification is authentic and cannot be understood")
	// ErrNothingToDo is an authentic event that is of neither a payment nor a
	// transfer nor a batch of them: acknowledge it.
	ErrNothingToDo = errors.New("the notification is of nothing that concerns us")
)

// The events of a batch that has ended.
const (
	eventPayoutBatchFinished = apiv3.EventPayoutBatch + batchFinished
	eventPayoutBatchClosed   = apiv3.EventPayoutBatch + batchClosed
)

// Notice is what a notification says: exactly one of its fields is set.
type Notice struct {
	Payment  *envelope.Payment
	Transfer *envelope.TransferStatus // done, refused or, of a refund, stuck
	// Batch is done when all of its payouts were paid. Otherwise it is unknown:
	// the notification does not say which were, [Client.QueryBatch] does.
	Batch *envelope.PayoutBatchStatus
}

// ParseNotice reads a callback of the provider; body is the bytes as they came.
// The errors wrap [ErrForged], [ErrNotOurs], [ErrUnreadable] or [ErrNothingToDo]. A replay within five minutes
// passes, so the caller must absorb repeats (FF4).
func (c *Client) ParseNotice(header http.Header, body []byte) (n Notice, err error) {
	defer c.metrics.notified(&n, &err)
	if len(body) > NotificationBytesMax {
		return Notice{}, forged(fmt.Errorf("the body is over %d bytes", NotificationBytesMax))
	}
	if err := c.verifier.Verify(header, body); err != nil {
		return Notice{}, forged(err)
	}
	var said apiv3.Notification
	if err := json.Unmarshal(body, &said); err != nil {
		return Notice{}, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	open := c.opener(said.EventType)
	if open == nil {
		return Notice{}, fmt.Errorf("%w: event %q", ErrNothingToDo, cut(said.EventType, messageBytesMax))
	}
	switch n, err = open(&said); {
	case errors.Is(err, ErrNotOurs):
		return Notice{}, err
	case err != nil:
		return Notice{}, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	return n, nil
}

func (c *Client) opener(event string) func(*apiv3.Notification) (Notice, error) {
	switch event {
	case apiv3.EventTransactionSuccess:
		return c.openPayment
	case apiv3.EventRefundSuccess, apiv3.EventRefundAbnormal, apiv3.EventRefundClosed:
		return c.openRefund
	case apiv3.EventPayoutFinished:
		return c.openPayout
	case eventPayoutBatchFinished, eventPayoutBatchClosed:
		return c.openPayoutBatch
	}
	return nil
}

// openResource decrypts the resource, which has to be of that kind, into v.
func (c *Client) openResource(n *apiv3.Notification, kind string, v any) error {
	if n.ResourceType != apiv3.ResourceTypeEncrypted || n.Resource.OriginalType != kind {
		return fmt.Errorf("resource %q of %q", cut(n.ResourceType, messageBytesMax), cut(n.Resource.OriginalType, messageBytesMax))
	}
	plaintext, err := n.Resource.Open(c.cfg.APIv3Key)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(plaintext, v); err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	return nil
}

func (c *Client) openPayment(n *apiv3.Notification) (Notice, error) {
	var t transaction
	if err := c.openResource(n, apiv3.ResourceKindTransaction, &t); err != nil {
		return Notice{}, err
	}
	if t.TradeState != "SUCCESS" {
		return Notice{}, fmt.Errorf("transaction: trade state %q", t.TradeState)
	}
	p, err := c.payment(&t)
	return Notice{Payment: &p}, err
}

func (c *Client) openRefund(n *apiv3.Notification) (Notice, error) {
	var b refundBill
	if err := c.openResource(n, apiv3.ResourceKindRefund, &b); err != nil {
		return Notice{}, err
	}
	id, seq, _, err := envelope.ParseTransferNo(b.No)
	switch {
	case err != nil || seq != 0 || string(id) != b.OrderNo || b.MerchantID != c.cfg.MerchantID:
		return Notice{}, notOurs("refund %q of charge %q of merchant %q", cut(b.No, codeBytesMax), cut(b.OrderNo, codeBytesMax), cut(b.MerchantID, codeBytesMax))
	case n.EventType != "REFUND."+b.RefundStatus:
		return Notice{}, fmt.Errorf("refund %s: event %q of status %q", b.No, n.EventType, cut(b.RefundStatus, codeBytesMax))
	}
	status, err := b.status(b.RefundStatus)
	return Notice{Transfer: &status}, err
}

func (c *Client) openPayout(n *apiv3.Notification) (Notice, error) {
	var b payoutBill
	if err := c.openResource(n, apiv3.ResourceKindPayout, &b); err != nil {
		return Notice{}, err
	}
	_, seq, _, err := envelope.ParseTransferNo(b.No)
	switch {
	case err != nil || seq == 0 || b.MerchantID != c.cfg.MerchantID:
		return Notice{}, notOurs("payout %q of merchant %q", cut(b.No, codeBytesMax), cut(b.MerchantID, codeBytesMax))
	case b.Amount < 1 || b.Amount > payoutFenMax:
		return Notice{}, fmt.Errorf("payout %s: want 1 <= amount <= %d fen, have %d", b.No, payoutFenMax, b.Amount)
	}
	status, err := b.status()
	if err == nil && status.Progress != envelope.ProgressDone && status.Progress != envelope.ProgressRefused {
		err = fmt.Errorf("payout %s: finished, and %q", b.No, b.State)
	}
	return Notice{Transfer: &status}, err
}

func (c *Client) openPayoutBatch(n *apiv3.Notification) (Notice, error) {
	var b payoutBatch
	if err := c.openResource(n, apiv3.ResourceKindPayout, &b); err != nil {
		return Notice{}, err
	}
	if _, err := envelope.ParsePayoutBatchNo(b.No); err != nil || b.MerchantID != c.cfg.MerchantID {
		return Notice{}, notOurs("batch %q of merchant %q", cut(b.No, codeBytesMax), cut(b.MerchantID, codeBytesMax))
	}
	accounted, err := b.accounted()
	switch {
	case err != nil:
		return Notice{}, fmt.Errorf("batch %s: %w", b.No, err)
	case n.EventType != apiv3.EventPayoutBatch+b.Status:
		return Notice{}, fmt.Errorf("batch %s: event %q of status %q", b.No, n.EventType, cut(b.Status, codeBytesMax))
	case b.Status == batchFinished && !accounted:
		return Notice{}, fmt.Errorf("batch %s: finished, and %s", b.No, b.sums())
	}
	status := envelope.PayoutBatchStatus{
		No: b.No, Progress: envelope.ProgressUnknown, ProviderNo: b.ProviderNo, Count: b.TotalNum, Total: envelope.Fen(b.TotalAmount),
		Paid: b.SuccessNum, PaidAmount: envelope.Fen(b.SuccessAmount),
	}
	if b.SuccessNum == b.TotalNum && accounted {
		status.Progress = envelope.ProgressDone
	}
	return Notice{Batch: &status}, checkProviderNo(b.ProviderNo)
}

func notOurs(what string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrNotOurs, fmt.Sprintf(what, args...))
}

func forged(cause error) error { return fmt.Errorf("%w: %w", ErrForged, cause) }
