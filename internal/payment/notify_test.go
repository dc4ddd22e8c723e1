package payment

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"hongbao/envelope"
	"hongbao/internal/payment/apiv3"
)

// paid is the transaction that the tests' notifications carry.
func paid() transaction {
	return transaction{
		AppID: testApp, MerchantID: testMerchant, OrderNo: string(orderNo()), TransactionID: "4200002026010200000000000001",
		TradeState: "SUCCESS", SuccessTime: "2026-01-02T12:00:00+08:00", Amount: amount{Total: 10000, Currency: "CNY"},
	}
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// notificationOf wraps a transaction, given as JSON, as the provider does.
func notificationOf(t testing.TB, plaintext []byte) apiv3.Notification {
	t.Helper()
	resource, err := apiv3.SealResource(apiv3.Secret(testKey3), apiv3.ResourceKindTransaction, plaintext)
	if err != nil {
		t.Fatal(err)
	}
	return apiv3.Notification{ID: "EV-1", CreateTime: "2026-01-02T12:00:00+08:00", EventType: apiv3.EventTransactionSuccess,
		ResourceType: apiv3.ResourceTypeEncrypted, Summary: "支付成功", Resource: resource}
}

// stamped is the header of a body that the provider signs now.
func stamped(t testing.TB, body []byte) http.Header {
	t.Helper()
	h := http.Header{}
	if err := apiv3.Stamp(h, platformKey(), testSerial, noon(), body); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestNotificationIsReadAsThePayment(t *testing.T) {
	c := newClient(t, nil)
	body := marshal(t, notificationOf(t, marshal(t, paid())))
	got, err := c.ParseNotice(stamped(t, body), body)
	if err != nil {
		t.Fatal(err)
	}
	want := envelope.Payment{OrderNo: orderNo(), TransactionID: "4200002026010200000000000001", Amount: 10000, PaidAt: noon()}
	got.Payment.PaidAt = got.Payment.PaidAt.UTC()
	if diff := cmp.Diff(Notice{Payment: &want}, got); diff != "" {
		t.Error(diff)
	}
	if n := testutil.ToFloat64(c.metrics.notifications.WithLabelValues("payment")); n != 1 {
		t.Errorf("counted %v payments, want 1", n)
	}
}

// TestEveryFlippedByteIsRefused changes one bit of each byte of everything
// that is signed, and of the signature itself (FF3).
func TestEveryFlippedByteIsRefused(t *testing.T) {
	c := newClient(t, nil)
	body := marshal(t, notificationOf(t, marshal(t, paid())))
	header := stamped(t, body)
	for _, name := range []string{apiv3.HeaderSignature, apiv3.HeaderTimestamp, apiv3.HeaderNonce, apiv3.HeaderSerial} {
		for i := range len(header.Get(name)) {
			for bit := range 8 {
				changed := header.Clone()
				value := []byte(header.Get(name))
				value[i] ^= 1 << bit
				changed[name] = []string{string(value)}
				if _, err := c.ParseNotice(changed, body); !errors.Is(err, ErrForged) {
					t.Fatalf("%s with bit %d of byte %d changed: %v, want ErrForged", name, bit, i, err)
				}
			}
		}
	}
	for i := range body {
		changed := append([]byte(nil), body...)
		changed[i] ^= 1 << (i % 8)
		if _, err := c.ParseNotice(header, changed); !errors.Is(err, ErrForged) {
			t.Fatalf("body with byte %d changed: %v, want ErrForged", i, err)
		}
	}
	if _, err := c.ParseNotice(header, body); err != nil {
		t.Errorf("unchanged: %v", err)
	}
}

// FF3.
func TestStampsNeedOneOfEachHeader(t *testing.T) {
	c := newClient(t, nil)
	body := marshal(t, notificationOf(t, marshal(t, paid())))
	for _, name := range []string{apiv3.HeaderSignature, apiv3.HeaderTimestamp, apiv3.HeaderNonce, apiv3.HeaderSerial} {
		for what, values := range map[string][]string{"none": nil, "empty": {""}, "long": {strings.Repeat("1", 1024+1)}} {
			h := stamped(t, body)
			h[name] = values
			if _, err := c.ParseNotice(h, body); !errors.Is(err, ErrForged) {
				t.Errorf("%s %s: %v, want ErrForged", what, name, err)
			}
		}
		h := stamped(t, body)
		h[name] = append(h[name], h.Get(name))
		if _, err := c.ParseNotice(h, body); !errors.Is(err, ErrForged) {
			t.Errorf("two of %s: %v, want ErrForged", name, err)
		}
	}
}

// FF3.
func TestOneSignatureHasOneSpelling(t *testing.T) {
	c := newClient(t, nil)
	body := marshal(t, notificationOf(t, marshal(t, paid())))
	for _, insert := range []string{"\n", "\r\n"} {
		h := stamped(t, body)
		h.Set(apiv3.HeaderSignature, h.Get(apiv3.HeaderSignature)[:10]+insert+h.Get(apiv3.HeaderSignature)[10:])
		if _, err := c.ParseNotice(h, body); !errors.Is(err, ErrForged) {
			t.Errorf("signature with %q inside: %v, want ErrForged", insert, err)
		}
	}
}

// FF3.
func TestProbesAreRefused(t *testing.T) {
	c := newClient(t, nil)
	body := marshal(t, notificationOf(t, marshal(t, paid())))
	h := stamped(t, body)
	h.Set(apiv3.HeaderSignature, apiv3.ProbePrefix+h.Get(apiv3.HeaderSignature))
	if _, err := c.ParseNotice(h, body); !errors.Is(err, ErrForged) {
		t.Errorf("probe: %v, want ErrForged", err)
	}
}

// FF3.
func TestSignatureOfAnotherKeyIsRefused(t *testing.T) {
	c := newClient(t, nil)
	body := marshal(t, notificationOf(t, marshal(t, paid())))
	h := http.Header{}
	if err := apiv3.Stamp(h, merchantKey(t), testSerial, noon(), body); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ParseNotice(h, body); !errors.Is(err, ErrForged) {
		t.Errorf("signed by ourselves: %v, want ErrForged", err)
	}
}

// FF4.
func TestReplayIsRefusedAfterFiveMinutes(t *testing.T) {
	body := marshal(t, notificationOf(t, marshal(t, paid())))
	header := stamped(t, body)
	for later, want := range map[time.Duration]error{
		0: nil, apiv3.ClockSkewMax: nil, 6 * time.Minute: ErrForged, 24 * time.Hour: ErrForged,
		-apiv3.ClockSkewMax: nil, -6 * time.Minute: ErrForged,
	} {
		c := newClient(t, func(cfg *Config) { cfg.Now = func() time.Time { return noon().Add(later) } })
		if _, err := c.ParseNotice(header, body); !errors.Is(err, want) {
			t.Errorf("%v later: %v, want %v", later, err, want)
		}
	}
}

func TestRotationAcceptsBothKeys(t *testing.T) {
	next := merchantKey(t)
	c := newClient(t, func(cfg *Config) {
		cfg.PlatformKeys["NEXT"], cfg.PlatformSerial = &next.PublicKey, "NEXT"
	})
	body := marshal(t, notificationOf(t, marshal(t, paid())))
	h := http.Header{}
	if err := apiv3.Stamp(h, next, "NEXT", noon(), body); err != nil {
		t.Fatal(err)
	}
	for serial, header := range map[string]http.Header{testSerial: stamped(t, body), "NEXT": h} {
		if _, err := c.ParseNotice(header, body); err != nil {
			t.Errorf("key %s: %v", serial, err)
		}
	}
}

// TestAuthenticPaymentsThatAreNotOurs changes the content and not the signer (FF5).
func TestAuthenticPaymentsThatAreNotOurs(t *testing.T) {
	c := newClient(t, nil)
	for name, change := range map[string]func(*transaction){
		"merchant":             func(p *transaction) { p.MerchantID = "1900000002" },
		"app":                  func(p *transaction) { p.AppID = "wx1" },
		"currency":             func(p *transaction) { p.Amount.Currency = "USD" },
		"no amount":            func(p *transaction) { p.Amount.Total = 0 },
		"negative amount":      func(p *transaction) { p.Amount.Total = -1 },
		"not an order ID":      func(p *transaction) { p.OrderNo = "12345678901234567890123" },
		"no transaction ID":    func(p *transaction) { p.TransactionID = "" },
		"long transaction ID":  func(p *transaction) { p.TransactionID = strings.Repeat("4", transactionIDBytesMax+1) },
		"not paid":             func(p *transaction) { p.TradeState = "NOTPAY" },
		"time is not RFC 3339": func(p *transaction) { p.SuccessTime = "20260102120000" },
	} {
		p := paid()
		change(&p)
		body := marshal(t, notificationOf(t, marshal(t, p)))
		_, err := c.ParseNotice(stamped(t, body), body)
		if !notUsed(err) {
			t.Errorf("%s: %v, want it not used", name, err)
		}
	}
	for _, total := range []string{"10000.0", "1e4", `"10000"`, "null", "9223372036854775808"} {
		plaintext := strings.Replace(string(marshal(t, paid())), `"total":10000`, `"total":`+total, 1)
		body := marshal(t, notificationOf(t, []byte(plaintext)))
		if p, err := c.ParseNotice(stamped(t, body), body); !notUsed(err) {
			t.Errorf("total %s: %v, %v, want it not used", total, p, err)
		}
	}
}

func TestABrokenResourceDoesNotPanic(t *testing.T) {
	c := newClient(t, nil)
	whole := notificationOf(t, marshal(t, paid()))
	for name, change := range map[string]func(*apiv3.Notification){
		"no resource":      func(n *apiv3.Notification) { n.Resource = apiv3.Resource{} },
		"no nonce":         func(n *apiv3.Notification) { n.Resource.Nonce = "" },
		"short nonce":      func(n *apiv3.Notification) { n.Resource.Nonce = n.Resource.Nonce[1:] },
		"long nonce":       func(n *apiv3.Notification) { n.Resource.Nonce += "x" },
		"other nonce":      func(n *apiv3.Notification) { n.Resource.Nonce = "xxxxxxxxxxxx" },
		"algorithm":        func(n *apiv3.Notification) { n.Resource.Algorithm = "AEAD_SM4_GCM" },
		"not base64":       func(n *apiv3.Notification) { n.Resource.Ciphertext = "*" },
		"no tag":           func(n *apiv3.Notification) { n.Resource.Ciphertext = "" },
		"other associated": func(n *apiv3.Notification) { n.Resource.AssociatedData = "refund" },
		"other kind":       func(n *apiv3.Notification) { n.Resource.OriginalType = "refund" },
		"other envelope":   func(n *apiv3.Notification) { n.ResourceType = "plain" },
	} {
		n := whole
		change(&n)
		body := marshal(t, n)
		if _, err := c.ParseNotice(stamped(t, body), body); !notUsed(err) {
			t.Errorf("%s: %v, want it not used", name, err)
		}
	}
	for _, body := range []string{"", "null", "[]", "{", `{"event_type":"TRANSACTION.SUCCESS","resource":null}`, strings.Repeat(" ", NotificationBytesMax+1)} {
		if _, err := c.ParseNotice(stamped(t, []byte(body)), []byte(body)); err == nil {
			t.Errorf("body %.20q: accepted", body)
		}
	}
}

func TestOtherEventsAreIgnored(t *testing.T) {
	c := newClient(t, nil)
	for _, event := range []string{"", "COUPON.USE", "REFUND", "MCHTRANSFER.BATCH.", "MCHTRANSFER.BATCH.PROCESSING", "transaction.success"} {
		n := notificationOf(t, []byte("{}"))
		n.EventType = event
		body := marshal(t, n)
		if _, err := c.ParseNotice(stamped(t, body), body); !errors.Is(err, ErrNothingToDo) || errors.Is(err, ErrForged) {
			t.Errorf("%s: %v, want ErrNothingToDo", event, err)
		}
	}
}

func FuzzParseNotice(f *testing.F) {
	body := marshal(f, notificationOf(f, marshal(f, paid())))
	h := stamped(f, body)
	f.Add(h.Get(apiv3.HeaderTimestamp), h.Get(apiv3.HeaderNonce), h.Get(apiv3.HeaderSignature), h.Get(apiv3.HeaderSerial), body)
	f.Add("", "", "", "", []byte(nil))
	f.Add("9223372036854775807", "n", apiv3.ProbePrefix, testSerial, []byte("{}"))
	f.Add("-9223372036854775808", "n", "AAAA", testSerial, []byte("{}"))
	c := newClient(f, nil)
	f.Fuzz(func(t *testing.T, timestamp, nonce, signature, serial string, b []byte) {
		header := http.Header{apiv3.HeaderTimestamp: {timestamp}, apiv3.HeaderNonce: {nonce}, apiv3.HeaderSignature: {signature}, apiv3.HeaderSerial: {serial}}
		_, err := c.ParseNotice(header, b)
		authentic := string(b) == string(body)
		for name := range header {
			authentic = authentic && header.Get(name) == h.Get(name)
		}
		if !authentic && !errors.Is(err, ErrForged) {
			t.Errorf("%v: want ErrForged", err)
		}
	})
}

// FuzzAuthenticNotification looks behind the signature: whatever the provider
// says, what comes out is one thing that can be ours, or an error. Without an
// event the bytes are the notification, with one they are what it says.
func FuzzAuthenticNotification(f *testing.F) {
	done := desk{batch: testBatch(3), status: "FINISHED"}
	closed := desk{batch: testBatch(3), status: "CLOSED", failed: []int{1}}
	f.Add(marshal(f, paid()), apiv3.EventTransactionSuccess)
	f.Add([]byte(`{"amount":null}`), apiv3.EventTransactionSuccess)
	f.Add(marshal(f, notificationOf(f, marshal(f, paid()))), "")
	f.Add([]byte(`{"event_type":"TRANSACTION.SUCCESS","resource":{"nonce":"","algorithm":"AEAD_AES_256_GCM"}}`), "")
	f.Add(marshal(f, finishedPayout("SUCCESS")), apiv3.EventPayoutFinished)
	f.Add(marshal(f, endedRefund("SUCCESS")), apiv3.EventRefundSuccess)
	f.Add(marshal(f, done.told()), eventPayoutBatchFinished)
	f.Add(marshal(f, closed.told()), eventPayoutBatchClosed)
	c := newClient(f, nil)
	f.Fuzz(func(t *testing.T, b []byte, event string) {
		if event != "" {
			resource, err := apiv3.SealResource(apiv3.Secret(testKey3), resourceKindOf(event), b)
			if err != nil {
				t.Fatal(err)
			}
			b = marshal(t, apiv3.Notification{EventType: strings.ToValidUTF8(event, ""), ResourceType: apiv3.ResourceTypeEncrypted, Resource: resource})
		}
		n, err := c.ParseNotice(stamped(t, b), b)
		if err != nil {
			if n != (Notice{}) {
				t.Errorf("%+v comes with %v", n, err)
			}
			return
		}
		checkNotice(t, &n)
	})
}

func resourceKindOf(event string) string {
	switch {
	case strings.HasPrefix(event, "TRANSACTION."):
		return apiv3.ResourceKindTransaction
	case strings.HasPrefix(event, "REFUND."):
		return apiv3.ResourceKindRefund
	}
	return apiv3.ResourceKindPayout
}

// checkNotice holds that a notice says one thing, and that it can be true.
func checkNotice(t *testing.T, n *Notice) {
	t.Helper()
	said := 0
	if p := n.Payment; p != nil {
		said++
		if p.Amount < 1 {
			t.Errorf("accepted %+v", p)
		}
	}
	if s := n.Transfer; s != nil {
		said++
		if _, _, _, err := envelope.ParseTransferNo(s.No); err != nil || s.Amount < 1 || s.Progress != envelope.ProgressDone && s.Progress != envelope.ProgressRefused {
			t.Errorf("accepted %+v, %v", s, err)
		}
	}
	if s := n.Batch; s != nil {
		said++
		_, err := envelope.ParsePayoutBatchNo(s.No)
		done := s.Progress == envelope.ProgressDone
		if err != nil || len(s.Refused) > 0 || !done && s.Progress != envelope.ProgressUnknown || done && s.Paid != s.Count ||
			s.Count < 1 || s.Paid < 0 || s.Paid > s.Count || s.Total < envelope.Fen(s.Count) || s.PaidAmount < envelope.Fen(s.Paid) || s.PaidAmount > s.Total {
			t.Errorf("accepted %+v, %v", s, err)
		}
	}
	if said != 1 {
		t.Errorf("says %d things: %+v", said, n)
	}
}
