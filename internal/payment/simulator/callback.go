package simulator

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"hongbao/internal/payment/apiv3"
	"hongbao/internal/payment/simulator/dispatch"
	"hongbao/internal/payment/simulator/ledger"
	"hongbao/internal/payment/simulator/lies"
	"hongbao/internal/payment/simulator/wire"
)

const (
	// callbackMax is how long a merchant may take over a notification.
	callbackMax = 5 * time.Second
	// callbackAnswerBytesMax is how much of the merchant's answer is read, so that
	// the connection can be used again.
	callbackAnswerBytesMax = 16 << 10
	// probePrefix starts the signatures of the provider's probe traffic.
	probePrefix = "WECHATPAY/SIGNTEST/"
)

func newCallbackClient() *http.Client {
	return &http.Client{
		Timeout:       callbackMax,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{MaxConnsPerHost: dispatch.InFlightMax, MaxIdleConns: dispatch.InFlightMax, MaxIdleConnsPerHost: dispatch.InFlightMax},
	}
}

// message is the content of a callback. It is put together anew for each attempt,
// because what it tells of is final and a copy would only age.
type message struct {
	to        string
	id        string
	at        time.Time
	event     string // type
	kind      string // original type
	summary   string
	plaintext dispute
	about     lies.Operation // that a lie may be told of
}

// dispute is a plaintext that can be made to say something else.
type dispute interface {
	OffByOne() any
	// contrary is the event and the plaintext that take it back. Where there is
	// nothing to take back, the event is empty: only money that moved, and not for a
	// charge, has a contrary.
	Contrary() (event string, plaintext any)
}

// notify queues the notification of what ended, if it has an address, and
// returns a channel for the outcome of the first attempt. Without an address that is
// nil.
func (s *Simulator) notify(e dispatch.Event) <-chan bool {
	l, err := s.notificationOf(e)
	if err != nil {
		s.cfg.Log.Error("not notified", "kind", e.Kind, "no", e.No, "error", err)
		return nil
	}
	if l.to == "" {
		return nil
	}
	contrary, _ := l.plaintext.Contrary()
	return s.dispatch.Notify(e, s.liar.Callback(l.about, contrary != ""))
}

// deliver makes one attempt to tell the merchant of an event, signed anew, and
// writes down that it was taken.
func (s *Simulator) deliver(ctx context.Context, n *dispatch.Delivery) error {
	l, err := s.notificationOf(n.Event)
	if err != nil {
		return err
	}
	if n.Attempts == 0 {
		for _, v := range n.Deceit.Before {
			s.postQuietly(ctx, &l, v)
		}
		// The copies go out beside the true one, so that a merchant sees them at once.
		for range n.Deceit.Copies {
			s.copies.Go(func() { s.postQuietly(ctx, &l, lies.Genuine) })
		}
	}
	if err := s.post(ctx, &l, lies.Genuine); err != nil {
		return err
	}
	if wait := n.Deceit.Contrary; wait > 0 {
		s.dispatch.At(time.Now().Add(wait), func(ctx context.Context) { s.postQuietly(ctx, &l, lies.Contrary) })
	}
	// If this is not written down, the merchant is notified again after a restart.
	return s.journal.Commit(ctx, func(*ledger.Book) (*ledger.Record, error) {
		return &ledger.Record{Kind: n.Taken(), No: n.No, At: s.cfg.Now()}, nil
	})
}

// postQuietly posts a callback whose outcome does not matter.
func (s *Simulator) postQuietly(ctx context.Context, l *message, v lies.Variant) {
	if err := s.post(ctx, l, v); err != nil {
		s.cfg.Log.Debug("extra callback not taken", "id", l.id, "variant", int(v), "error", err)
	}
}

// notification is the body of a callback, encrypted under a fresh nonce. A
// forged one is encrypted under the true key: only its signature gives it away.
func (s *Simulator) notification(l *message, v lies.Variant) ([]byte, error) {
	content, event, id := any(l.plaintext), l.event, l.id
	switch v {
	case lies.Forged, lies.OffByOne:
		content = l.plaintext.OffByOne()
	case lies.Contrary:
		id += "-2"
		event, content = l.plaintext.Contrary()
	}
	plaintext, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	resource, err := apiv3.SealResource(s.cfg.APIv3Key, l.kind, plaintext)
	if err != nil {
		return nil, err
	}
	return json.Marshal(apiv3.Notification{
		ID:           id,
		CreateTime:   wire.Time(l.at),
		EventType:    event,
		ResourceType: apiv3.ResourceTypeEncrypted,
		Summary:      l.summary,
		Resource:     resource,
	})
}

// post sends a callback once, and is nil when the merchant takes it.
func (s *Simulator) post(ctx context.Context, l *message, v lies.Variant) error {
	body, err := s.notification(l, v)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.to, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	signedBody := body
	if v == lies.Forged {
		signedBody = append([]byte("another "), body...)
	}
	if err := s.stamp(req.Header, s.cfg.PlatformSerial, signedBody); err != nil {
		return err
	}
	if v == lies.Probe {
		req.Header.Set(apiv3.HeaderSignature, probePrefix+req.Header.Get(apiv3.HeaderSignature))
	}
	return s.send(req)
}

func (s *Simulator) send(req *http.Request) error {
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
