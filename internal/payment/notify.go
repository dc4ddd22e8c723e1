package payment

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/go-json-experiment/json"

	"hongbao/envelope"
)

// NotificationBytesMax bounds a notification's body. The provider's are about
// one kilobyte.
const NotificationBytesMax = 64 << 10

// What ParseNotification refuses with.
var (
	// ErrForged refuses a notification that is not the provider's word to us.
	// The error that wraps it says which check failed: that is for the log; the
	// sender must not learn it.
	ErrForged = errors.New("the notification is not authentic")
	// ErrNotPayment is an authentic event that is not a payment: acknowledge it,
	// there is nothing to do.
	ErrNotPayment = errors.New("the notification is not of a payment")
)

// Notification is the body of a callback.
type Notification struct {
	ID           string   `json:"id"`
	CreateTime   string   `json:"create_time"` // RFC 3339
	EventType    string   `json:"event_type"`
	ResourceType string   `json:"resource_type"`
	Summary      string   `json:"summary"`
	Resource     Resource `json:"resource"`
}

// What a notification of a payment says of itself.
const (
	EventTransactionSuccess = "TRANSACTION.SUCCESS"
	ResourceTypeEncrypted   = "encrypt-resource"
	ResourceKindTransaction = "transaction"
)

// ParseNotification reads a callback of the provider; body is the bytes as they
// came. The errors wrap [ErrForged] or [ErrNotPayment]. A replay within five
// minutes passes, so the caller must absorb repeats (FF4).
func (c *Client) ParseNotification(header http.Header, body []byte) (p envelope.Payment, err error) {
	defer c.metrics.notified(&err)
	if len(body) > NotificationBytesMax {
		return p, forged(fmt.Errorf("the body is over %d bytes", NotificationBytesMax))
	}
	if err := c.verifier.verify(header, body); err != nil {
		return p, forged(err)
	}
	var n Notification
	if err := json.Unmarshal(body, &n); err != nil {
		return p, forged(err)
	}
	if n.EventType != EventTransactionSuccess {
		return p, fmt.Errorf("%w: event %q", ErrNotPayment, cut(n.EventType, messageBytesMax))
	}
	if p, err = c.openPayment(&n); err != nil {
		return envelope.Payment{}, forged(err)
	}
	return p, nil
}

func (c *Client) openPayment(n *Notification) (envelope.Payment, error) {
	if n.ResourceType != ResourceTypeEncrypted || n.Resource.OriginalType != ResourceKindTransaction {
		return envelope.Payment{}, fmt.Errorf("resource %q of %q", cut(n.ResourceType, messageBytesMax), cut(n.Resource.OriginalType, messageBytesMax))
	}
	plaintext, err := n.Resource.Open(c.cfg.APIv3Key)
	if err != nil {
		return envelope.Payment{}, err
	}
	var t transaction
	if err := json.Unmarshal(plaintext, &t); err != nil {
		return envelope.Payment{}, fmt.Errorf("transaction: %w", err)
	}
	if t.TradeState != "SUCCESS" {
		return envelope.Payment{}, fmt.Errorf("transaction: trade state %q", t.TradeState)
	}
	return c.payment(&t)
}

func forged(cause error) error { return fmt.Errorf("%w: %w", ErrForged, cause) }
