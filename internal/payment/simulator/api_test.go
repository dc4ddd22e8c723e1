package simulator

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"hongbao/internal/payment/apiv3"
	"hongbao/internal/payment/simulator/refusal"
	"hongbao/internal/payment/simulator/wire"
)

// signedRequest is a request as the merchant makes it, before change.
func signedRequest(t *testing.T, method, target, body string, at time.Time) *http.Request {
	t.Helper()
	key, err := apiv3.LoadPrivateKey(keyDir() + "/merchant.key.pem")
	if err != nil {
		t.Fatal(err)
	}
	auth, err := apiv3.Authorize(key, testMerchant, testSerial, at, method, target, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Authorization", auth.String())
	return r
}

// running is a simulator without a server.
func running(t *testing.T) *Simulator {
	t.Helper()
	m := newMerchant(t)
	s, _ := m.start(testConfig(t))
	return s
}

func serve(s *Simulator, r *http.Request) (int, string, http.Header) {
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	var refused refusal.Refusal
	if err := json.Unmarshal(w.Body.Bytes(), &refused); err != nil {
		return w.Code, err.Error(), w.Header()
	}
	return w.Code, refused.Code, w.Header()
}

const nativeTarget = "/v3/pay/transactions/native"

func nativeBody(change func(*wire.NativeRequest)) string {
	req := wire.NativeRequest{
		AppID: testApp, MerchantID: testMerchant, Description: "恭喜发财", OrderNo: "order-000001",
		TimeExpire: time.Now().Add(time.Hour).Format(time.RFC3339), NotifyURL: "http://127.0.0.1:1/", Amount: wire.Amount{Total: 1, Currency: "CNY"},
	}
	if change != nil {
		change(&req)
	}
	body, err := json.Marshal(req)
	if err != nil {
		panic(err)
	}
	return string(body)
}

func TestBadlySignedRequestsGetASigned401(t *testing.T) {
	s := running(t)
	body := nativeBody(nil)
	for name, change := range map[string]func(*http.Request){
		"unsigned":         func(r *http.Request) { r.Header.Del("Authorization") },
		"signed twice":     func(r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) },
		"another scheme":   func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") },
		"another body":     func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(body + " ")) },
		"another target":   func(r *http.Request) { r.RequestURI += "?x=1" },
		"another merchant": replaceIn("Authorization", testMerchant, "1900000002"),
		"another serial":   replaceIn("Authorization", testSerial, "OTHER"),
		"another time":     replaceIn("Authorization", `timestamp="1`, `timestamp="2`),
	} {
		r := signedRequest(t, "POST", nativeTarget, body, time.Now())
		change(r)
		status, code, header := serve(s, r)
		if status != 401 || code != "SIGN_ERROR" || header.Get(apiv3.HeaderSignature) == "" {
			t.Errorf("%s: %d %s, stamp %q", name, status, code, header.Get(apiv3.HeaderSignature))
		}
	}
	if status, code, _ := serve(s, signedRequest(t, "POST", nativeTarget, body, time.Now().Add(-6*time.Minute))); status != 401 {
		t.Errorf("six minutes old: %d %s", status, code)
	}
	if status, code, _ := serve(s, signedRequest(t, "POST", nativeTarget, body, time.Now())); status != 200 {
		t.Errorf("well signed: %d %s", status, code)
	}
}

func replaceIn(header, from, to string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(header, strings.Replace(r.Header.Get(header), from, to, 1)) }
}

func TestRequestsAreCheckedAsInProduction(t *testing.T) {
	s := running(t)
	for _, row := range []struct {
		name   string
		change func(*wire.NativeRequest)
		code   string
	}{
		{"app", func(r *wire.NativeRequest) { r.AppID = "wx1" }, "APPID_MCHID_NOT_MATCH"},
		{"merchant", func(r *wire.NativeRequest) { r.MerchantID = "1" }, "APPID_MCHID_NOT_MATCH"},
		{"short number", func(r *wire.NativeRequest) { r.OrderNo = "12345" }, "PARAM_ERROR"},
		{"long number", func(r *wire.NativeRequest) { r.OrderNo = strings.Repeat("1", 33) }, "PARAM_ERROR"},
		{"number", func(r *wire.NativeRequest) { r.OrderNo = "order/0001" }, "PARAM_ERROR"},
		{"no description", func(r *wire.NativeRequest) { r.Description = "" }, "PARAM_ERROR"},
		{"long description", func(r *wire.NativeRequest) { r.Description = strings.Repeat("x", 128) }, "PARAM_ERROR"},
		{"expiry", func(r *wire.NativeRequest) { r.TimeExpire = "tomorrow" }, "PARAM_ERROR"},
		{"late", func(r *wire.NativeRequest) { r.TimeExpire = "2020-01-01T00:00:00Z" }, "ORDER_CLOSED"},
		{"notify_url", func(r *wire.NativeRequest) { r.NotifyURL = "http://h/?q=1" }, "PARAM_ERROR"},
		{"zero", func(r *wire.NativeRequest) { r.Amount.Total = 0 }, "PARAM_ERROR"},
		{"too much", func(r *wire.NativeRequest) { r.Amount.Total = wire.AmountMaxFen + 1 }, "PARAM_ERROR"},
		{"currency", func(r *wire.NativeRequest) { r.Amount.Currency = "USD" }, "PARAM_ERROR"},
	} {
		status, code, header := serve(s, signedRequest(t, "POST", nativeTarget, nativeBody(row.change), time.Now()))
		if status != 400 || code != row.code || header.Get(apiv3.HeaderSignature) == "" {
			t.Errorf("%s: %d %s, want %s", row.name, status, code, row.code)
		}
	}
	for target, want := range map[string]int{
		"/v3/pay/transactions/out-trade-no/order-000009?mchid=" + testMerchant: 404,
		"/v3/pay/transactions/out-trade-no/order-000009?mchid=1":               400,
		"/v3/pay/transactions/out-trade-no/order-000009":                       400,
		"/v3/nothing": 404,
	} {
		if status, code, header := serve(s, signedRequest(t, "GET", target, "", time.Now())); status != want || header.Get(apiv3.HeaderSignature) == "" {
			t.Errorf("%s: %d %s, want %d", target, status, code, want)
		}
	}
	if status, code, _ := serve(s, signedRequest(t, "POST", nativeTarget, strings.Repeat(" ", requestBytesMax+1), time.Now())); status != 400 {
		t.Errorf("body over the bound: %d %s", status, code)
	}
	r := signedRequest(t, "POST", nativeTarget, nativeBody(nil), time.Now())
	r.Header.Set(apiv3.HeaderSerial, "OTHER")
	if status, code, _ := serve(s, r); status != 400 {
		t.Errorf("unknown platform key: %d %s", status, code)
	}
}
