package simulator

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"hongbao/internal/payment/apiv3"
	"hongbao/internal/payment/simulator/ledger"
	"hongbao/internal/payment/simulator/lies"
)

// object is a JSON object as it came.
type object = map[string]any

// callback is one that a desk heard.
type callback struct {
	id, event, kind string
	said            object // decrypted
	signature       error  // whether it verifies
	probe           bool
	at              time.Time
}

// desk is a merchant with nothing between it and the wire: it sees what a client
// hides, and can give up on an answer.
type desk struct {
	t      testing.TB
	cfg    Config
	s      *Simulator
	base   string
	stop   func()
	web    *http.Client
	key    *rsa.PrivateKey
	hook   string
	heard  chan callback
	refuse func(callback) bool // which ones to turn away; nil is none
}

// openDesk starts a simulator on cfg. It ends with the test, or at stop.
func openDesk(t testing.TB, cfg Config) *desk {
	t.Helper()
	d := newDesk(t, cfg)
	d.open()
	return d
}

// newDesk is a desk whose simulator is started elsewhere.
func newDesk(t testing.TB, cfg Config) *desk {
	t.Helper()
	key, err := apiv3.LoadPrivateKey(keyDir() + "/merchant.key.pem")
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, cfg: cfg, key: key, heard: make(chan callback, 8192), web: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}}
	hook := httptest.NewServer(http.HandlerFunc(d.called))
	t.Cleanup(hook.Close)
	t.Cleanup(d.web.CloseIdleConnections)
	d.hook = hook.URL + "/hook"
	return d
}

// open starts the simulator on its ledger, again after stop.
func (d *desk) open() {
	d.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		d.t.Fatal(err)
	}
	d.cfg.PublicURL = "http://" + ln.Addr().String()
	d.base = d.cfg.PublicURL
	if d.s, err = New(d.cfg); err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.s.Run(ctx, ln) }()
	d.stop = sync.OnceFunc(func() {
		d.web.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			d.t.Errorf("the simulator ended: %v", err)
		}
	})
	d.t.Cleanup(d.stop)
}

func (d *desk) called(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the provider was killed in the middle of it
	}
	c := callback{at: time.Now(), signature: d.verify(r.Header, body), probe: strings.HasPrefix(r.Header.Get(apiv3.HeaderSignature), probePrefix)}
	var n apiv3.Notification
	err = json.Unmarshal(body, &n)
	if err == nil {
		var plain []byte
		if plain, err = n.Resource.Open(d.cfg.APIv3Key); err == nil {
			err = json.Unmarshal(plain, &c.said)
		}
	}
	if err != nil {
		d.t.Errorf("callback %s: %v", body, err)
	}
	c.id, c.event, c.kind = n.ID, n.EventType, n.Resource.OriginalType
	if d.refuse != nil && d.refuse(c) || c.signature != nil {
		w.WriteHeader(http.StatusUnauthorized)
	} else {
		w.WriteHeader(http.StatusNoContent)
	}
	d.heard <- c
}

func (d *desk) verify(h http.Header, body []byte) error {
	signature, err := base64.StdEncoding.DecodeString(h.Get(apiv3.HeaderSignature))
	if err != nil {
		return err
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n", h.Get(apiv3.HeaderTimestamp), h.Get(apiv3.HeaderNonce), body))
	return rsa.VerifyPKCS1v15(&d.cfg.PlatformKey.PublicKey, crypto.SHA256, sum[:], signature)
}

// reply is an answer as it came. Status 0 is none.
type reply struct {
	status    int
	said      object
	signature error
}

func (r reply) code() any { return r.said["code"] }

// ask sends a signed request and waits for the answer as long as ctx.
func (d *desk) ask(ctx context.Context, method, target string, body any) reply {
	d.t.Helper()
	var raw []byte
	if text, ok := body.(string); ok {
		raw = []byte(text)
	} else if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			d.t.Fatal(err)
		}
	}
	auth, err := apiv3.Authorize(d.key, testMerchant, testSerial, d.cfg.Now(), method, target, raw)
	if err != nil {
		d.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(ctx, method, d.base+target, bytes.NewReader(raw))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Authorization", auth.String())
	res, err := d.web.Do(req)
	if err != nil {
		return reply{}
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return reply{}
	}
	r := reply{status: res.StatusCode, signature: d.verify(res.Header, answer)}
	if len(answer) > 0 && json.Unmarshal(answer, &r.said) != nil {
		r.said = object{"text": string(answer)}
	}
	return r
}

// post and get expect an honest answer.
func (d *desk) post(target string, body any) reply { return d.honest("POST", target, body) }
func (d *desk) get(target string) reply            { return d.honest("GET", target, nil) }

func (d *desk) honest(method, target string, body any) reply {
	d.t.Helper()
	r := d.ask(context.Background(), method, target, body)
	if r.status == 0 || r.signature != nil {
		d.t.Fatalf("%s %s: %+v", method, target, r)
	}
	return r
}

// hear waits for the next callback.
func (d *desk) hear() callback {
	d.t.Helper()
	select {
	case c := <-d.heard:
		return c
	case <-time.After(stateWaitMax):
		d.t.Fatalf("no callback within %v", stateWaitMax)
		return callback{}
	}
}

// until asks about something until it is in a state. A dot in the field goes into
// an object.
func (d *desk) until(target, field, state string) object {
	d.t.Helper()
	for deadline := time.Now().Add(stateWaitMax); time.Now().Before(deadline); {
		if r := d.get(target); in(r.said, field) == state {
			return r.said
		}
	}
	d.t.Fatalf("%s is not %s within %v", target, state, stateWaitMax)
	return nil
}

func in(said object, field string) any {
	if outer, inner, nested := strings.Cut(field, "."); nested {
		inside, _ := said[outer].(object)
		return in(inside, inner)
	}
	return said[field]
}

// stateWaitMax is far more than any state takes to come.
const stateWaitMax = 20 * time.Second

// tool is an unsigned request; it returns the status and the decoded answer.
func (d *desk) tool(method, target, body string, into any) int {
	d.t.Helper()
	req, err := http.NewRequest(method, d.base+target, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	res, err := d.web.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	if into != nil {
		if err := json.UnmarshalRead(res.Body, into); err != nil {
			d.t.Fatalf("%s %s: %v", method, target, err)
		}
	}
	return res.StatusCode
}

// lie sets what to lie about.
func (d *desk) lie(doc string) {
	d.t.Helper()
	var status object
	if code := d.tool("PUT", "/simulator/lies", doc, &status); code != 200 {
		d.t.Fatalf("lies %s: %d %v", doc, code, status)
	}
}

func (d *desk) told() map[lies.Lie]int64 {
	d.t.Helper()
	var status struct {
		Told map[lies.Lie]int64 `json:"told"`
	}
	d.tool("GET", "/simulator/lies", "", &status)
	return status.Told
}

func (d *desk) movements() []ledger.Movement {
	d.t.Helper()
	var all []ledger.Movement
	for {
		var page struct {
			Movements []ledger.Movement `json:"movements"`
		}
		if code := d.tool("GET", fmt.Sprintf("/simulator/ledger?after=%d&limit=%d", len(all), 100), "", &page); code != 200 {
			d.t.Fatalf("ledger: %d", code)
		}
		if len(page.Movements) == 0 {
			return all
		}
		all = append(all, page.Movements...)
	}
}

const (
	refundsTarget   = "/v3/refund/domestic/refunds"
	transfersTarget = "/v3/fund-app/mch-transfer/transfer-bills"
	batchesTarget   = "/v3/transfer/batches"
)

func chargeTarget(no string) string {
	return "/v3/pay/transactions/out-trade-no/" + no + "?mchid=" + testMerchant
}
func refundTarget(no string) string   { return refundsTarget + "/" + no }
func transferTarget(no string) string { return transfersTarget + "/out-bill-no/" + no }
func batchTarget(no string) string    { return batchesTarget + "/out-batch-no/" + no }

func (d *desk) chargeOf(no string, fen int64) object {
	return object{
		"appid": testApp, "mchid": testMerchant, "description": "恭喜发财", "out_trade_no": no, "notify_url": d.hook,
		"time_expire": "2099-01-01T00:00:00+08:00", "amount": object{"total": fen, "currency": "CNY"},
	}
}

func (d *desk) refundOf(no, order string, fen, total int64) object {
	return object{
		"out_trade_no": order, "out_refund_no": no, "reason": "过期", "notify_url": d.hook,
		"amount": object{"refund": fen, "total": total, "currency": "CNY"},
	}
}

func (d *desk) transferOf(no string, fen int64) object {
	return object{
		"appid": testApp, "out_bill_no": no, "transfer_scene_id": "1000", "openid": "payee-of-" + no, "transfer_amount": fen,
		"transfer_remark": "红包", "notify_url": d.hook,
		"transfer_scene_report_infos": []object{{"info_type": "活动名称", "info_content": "红包"}},
	}
}

// batchOf is a batch of n payouts: no + "x0" of 1 fen, no + "x1" of 2 fen, ….
func (d *desk) batchOf(no string, n int) object {
	details := make([]object, n)
	for i := range details {
		detail := fmt.Sprint(no, "x", i)
		details[i] = object{"out_detail_no": detail, "transfer_amount": i + 1, "transfer_remark": "红包", "openid": "payee-of-" + detail}
	}
	return object{
		"appid": testApp, "out_batch_no": no, "batch_name": "红包", "batch_remark": "红包", "total_amount": n * (n + 1) / 2, "total_num": n,
		"transfer_detail_list": details, "transfer_scene_id": "1000", "notify_url": d.hook,
	}
}

// paid places a charge, pays it and hears of it.
func (d *desk) paid(no string, fen int64) {
	d.t.Helper()
	r := d.post(nativeTarget, d.chargeOf(no, fen))
	if r.status != 200 {
		d.t.Fatalf("prepay: %+v", r)
	}
	d.payAt(r)
	d.hear()
}

func (d *desk) payAt(placed reply) {
	d.t.Helper()
	if code := d.tool("POST", strings.TrimPrefix(placed.said["code_url"].(string), d.base), "", nil); code != 200 {
		d.t.Fatalf("pay: %d", code)
	}
}
