package simulator

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"hongbao/internal/payment"
)

const (
	// callbackMax is how long a merchant may take over a notification.
	callbackMax = 5 * time.Second
	// callbackAnswerBytesMax is how much of the merchant's answer is read, so that
	// the connection can be used again.
	callbackAnswerBytesMax = 16 << 10
)

func newCallbackClient() *http.Client {
	return &http.Client{
		Timeout:       callbackMax,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{MaxConnsPerHost: couriersMax, MaxIdleConns: couriersMax, MaxIdleConnsPerHost: couriersMax},
	}
}

// deliver makes one attempt to tell the merchant of a payment, signed anew, and
// writes down that it was taken.
func (s *Simulator) deliver(ctx context.Context, orderNo string) error {
	o, err := s.journal.book.byNumber(orderNo)
	if err != nil {
		return err
	}
	body, err := s.notification(&o)
	if err != nil {
		return err
	}
	if err := s.post(ctx, o.NotifyURL, body); err != nil {
		return err
	}
	// If this is not written down, the merchant hears again after a restart.
	return s.journal.commit(ctx, func(*book) (*record, error) {
		return &record{Kind: notified, OrderNo: orderNo, At: s.cfg.Now()}, nil
	})
}

func (s *Simulator) notification(o *order) ([]byte, error) {
	plaintext, err := json.Marshal(s.transaction(o))
	if err != nil {
		return nil, err
	}
	resource, err := payment.SealResource(s.cfg.APIv3Key, payment.ResourceKindTransaction, plaintext)
	if err != nil {
		return nil, err
	}
	return json.Marshal(payment.Notification{
		ID:           "EV-" + o.transactionID,
		CreateTime:   wireTime(o.paidAt),
		EventType:    payment.EventTransactionSuccess,
		ResourceType: payment.ResourceTypeEncrypted,
		Summary:      "支付成功",
		Resource:     resource,
	})
}

func (s *Simulator) post(ctx context.Context, to string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if err := payment.Stamp(req.Header, s.cfg.PlatformKey, s.cfg.PlatformSerial, s.cfg.Now(), body); err != nil {
		return err
	}
	res, err := s.callbacks.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	// The status is the answer; the body is read for the connection's sake.
	_, _ = io.CopyN(io.Discard, res.Body, callbackAnswerBytesMax)
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusNoContent {
		return fmt.Errorf("the merchant answers %d", res.StatusCode)
	}
	return nil
}
