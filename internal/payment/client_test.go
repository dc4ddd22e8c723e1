package payment

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"hongbao/envelope"
	"hongbao/internal/payment/apiv3"
)

const placedOK = `{"code_url":"weixin://wxpay/bizpayurl?pr=p4lpSuKzz"}`

func isBusy(err error) bool {
	busy, ok := errors.AsType[*envelope.BusyError](err)
	return ok && busy.Reason == "payment_provider" && busy.RetryAfter > 0
}

func TestPrepaySaysWhatTheProviderExpects(t *testing.T) {
	var got map[string]any
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		auth, err := apiv3.ParseAuthorization(r.Header.Get("Authorization"))
		if err == nil {
			err = auth.Verify(&merchantKey(t).PublicKey, noon(), "POST", nativePath, body)
		}
		if err == nil {
			err = json.Unmarshal(body, &got)
		}
		if err != nil || auth.MerchantID != testMerchant || auth.Serial != "4A1E9C" {
			t.Errorf("authorization %+v: %v", auth, err)
		}
		if serial := r.Header.Get(apiv3.HeaderSerial); serial != testSerial {
			t.Errorf("asks for answers under %q, want %q", serial, testSerial)
		}
		_ = apiv3.Stamp(w.Header(), platformKey(), testSerial, noon(), []byte(placedOK))
		_, _ = io.WriteString(w, placedOK)
	}))
	defer server.Close()
	c := newClient(t, func(cfg *Config) { cfg.BaseURL = server.URL })
	url, err := prepay(t, c)
	if err != nil || url != "weixin://wxpay/bizpayurl?pr=p4lpSuKzz" {
		t.Fatalf("code_url %q, %v", url, err)
	}
	want := map[string]any{
		"appid": testApp, "mchid": testMerchant, "description": "红包", "out_trade_no": string(orderNo()),
		"time_expire": "2026-01-02T04:15:00Z", "notify_url": "http://127.0.0.1:2/v1/payment/notifications",
		"amount": map[string]any{"total": 10000.0, "currency": "CNY"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTextIsCutBetweenRunes(t *testing.T) {
	for in, want := range map[string]string{
		strings.Repeat("a", 200):      strings.Repeat("a", descriptionBytesMax),
		strings.Repeat("福", 100):      strings.Repeat("福", descriptionBytesMax/3),
		strings.Repeat("🧧", 32) + "!": strings.Repeat("🧧", 31),
		"ok\xff\xfe":                  "ok",
		strings.Repeat("é", 63) + "x": strings.Repeat("é", 63) + "x",
	} {
		got := cut(in, descriptionBytesMax)
		if got != want || !utf8.ValidString(got) || len(got) > descriptionBytesMax {
			t.Errorf("%.10q…: %d bytes %q, want %q", in, len(got), got, want)
		}
	}
}

func TestPrepayRefusesAChargeThatIsNone(t *testing.T) {
	c, requests := providerSaying(t, reply{status: 200, body: placedOK})
	for name, change := range map[string]func(*envelope.Charge){
		"amount": func(ch *envelope.Charge) { ch.Amount = 0 },
		"expiry": func(ch *envelope.Charge) { ch.ExpiresAt = time.Time{} },
	} {
		charge := testCharge()
		change(&charge)
		if _, err := c.Prepay(context.Background(), charge); err == nil {
			t.Errorf("no %s: accepted", name)
		}
	}
	if requests() != 0 {
		t.Errorf("%d requests went out", requests())
	}
}

// TestCodesOfPrepay: what is final, what is busy, and that everything else is
// unknown, and never sent again within the call (FG5).
func TestCodesOfPrepay(t *testing.T) {
	isFinal := func(err error) bool {
		_, refused := errors.AsType[*envelope.RefusedError](err)
		return refused && !isBusy(err) && !errors.Is(err, envelope.ErrUnknownOutcome)
	}
	isUnknown := func(err error) bool { return errors.Is(err, envelope.ErrUnknownOutcome) && !isBusy(err) }
	isPaid := func(err error) bool { return errors.Is(err, envelope.ErrChargePaid) }
	isClosed := func(err error) bool { return errors.Is(err, envelope.ErrChargeClosed) }
	for _, row := range []struct {
		reply    reply
		want     func(error) bool
		requests int
	}{
		{reply{status: 400, body: `{"code":"PARAM_ERROR","message":"amount"}`}, isFinal, 1},
		{reply{status: 403, body: `{"code":"OUT_TRADE_NO_USED","message":"商户订单号重复"}`}, isFinal, 1},
		{reply{status: 400, body: `{"code":"ORDER_CLOSED"}`}, isClosed, 1},
		{reply{status: 401, body: `{"code":"SIGN_ERROR"}`}, isFinal, 1},
		{reply{status: 400, body: `{"code":"ORDERPAID","message":"该订单已支付"}`}, isPaid, 1},
		{reply{status: 429, body: `{"code":"FREQUENCY_LIMITED"}`}, isBusy, 1},
		{reply{status: 500, body: `{"code":"SYSTEM_ERROR"}`}, isBusy, attemptsMax},
		{reply{status: 400, body: `{"code":"SYSTEM_ERROR"}`}, isBusy, attemptsMax},
		{reply{status: 500, body: `{"code":"ORDERPAID"}`}, isBusy, attemptsMax},
		{reply{status: 404, body: `{"code":"ORDER_NOT_EXIST"}`}, isUnknown, 1},
		{reply{status: 502, body: `<html>`}, isBusy, attemptsMax},
		{reply{status: 400, body: `{"code":"NEVER_HEARD_OF"}`}, isUnknown, 1},
		{reply{status: 403, body: `{"code":"param_error"}`}, isUnknown, 1},
		{reply{status: 400, body: `{}`}, isUnknown, 1},
		{reply{status: 418, body: ``}, isUnknown, 1},
		{reply{status: 202, body: placedOK}, isUnknown, 1},
		{reply{status: 302, body: ``}, isUnknown, 1},
		{reply{status: 200, body: `{}`}, isUnknown, 1},
		{reply{status: 200, body: `{"code_url":1}`}, isUnknown, 1},
		{reply{status: 204, body: ``}, isUnknown, 1},
		{reply{status: 200, body: `{"code_url":"` + strings.Repeat("x", codeURLBytesMax+1) + `"}`}, isUnknown, 1},
		{reply{status: 200, body: strings.Repeat(" ", answerBytesMax+1)}, isUnknown, 1},
	} {
		c, requests := providerSaying(t, row.reply)
		url, err := prepay(t, c)
		if url != "" || !row.want(err) || requests() != row.requests {
			t.Errorf("%d %.40s: %q, %v after %d requests, want %d", row.reply.status, row.reply.body, url, err, requests(), row.requests)
		}
	}
}

// FS29: a proxy's answer in the provider's place is an outage, which send tells
// as a 503, unless money may have moved.
func TestAnswersOfAProxyAreAnOutage(t *testing.T) {
	for _, status := range []int{http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout} {
		c, _ := providerSaying(t, reply{status, "<html><h1>no healthy upstream</h1></html>", func(h http.Header) { h.Del(apiv3.HeaderSignature) }})
		if _, err := prepay(t, c); !isBusy(err) || errors.Is(err, envelope.ErrUnknownOutcome) {
			t.Errorf("%d: %v, want busy %s", status, err, envelope.ReasonProvider)
		}
	}
}

func TestPrepayRetriesUnderTheSameNumber(t *testing.T) {
	c, requests := providerSaying(t, reply{status: 500, body: `{"code":"SYSTEM_ERROR"}`}, reply{status: 503}, reply{status: 200, body: placedOK})
	if url, err := prepay(t, c); err != nil || url == "" || requests() != 3 {
		t.Errorf("%q, %v after %d requests", url, err, requests())
	}
}

// TestAnswersThatDoNotVerifyAreUnknown covers good news and bad news alike.
func TestAnswersThatDoNotVerifyAreUnknown(t *testing.T) {
	tampers := map[string]func(http.Header){
		"unsigned": func(h http.Header) { h.Del(apiv3.HeaderSignature) },
		"wrongly signed": func(h http.Header) {
			_ = apiv3.Stamp(h, merchantKey(t), testSerial, noon(), []byte(placedOK))
		},
		"unknown key": func(h http.Header) { h.Set(apiv3.HeaderSerial, "OTHER") },
		"a probe":     func(h http.Header) { h.Set(apiv3.HeaderSignature, apiv3.ProbePrefix+h.Get(apiv3.HeaderSignature)) },
		"another kind": func(h http.Header) {
			h.Set(apiv3.HeaderSignatureType, "WECHATPAY2-SM2-WITH-SM3")
		},
		"old": func(h http.Header) {
			_ = apiv3.Stamp(h, platformKey(), testSerial, noon().Add(-6*time.Minute), []byte(placedOK))
		},
	}
	for name, tamper := range tampers {
		for _, r := range []reply{
			{200, placedOK, tamper}, {400, `{"code":"PARAM_ERROR"}`, tamper}, {400, `{"code":"ORDERPAID"}`, tamper},
			{500, `{"code":"SYSTEM_ERROR"}`, tamper}, {404, `{"code":"ORDER_NOT_EXIST"}`, tamper},
		} {
			c, _ := providerSaying(t, r)
			if url, err := prepay(t, c); url != "" || !errors.Is(err, envelope.ErrUnknownOutcome) || errors.Is(err, envelope.ErrChargePaid) {
				t.Errorf("%s %d: prepay %q, %v, want an unknown outcome", name, r.status, url, err)
			}
			if s, err := c.QueryCharge(context.Background(), orderNo()); !errors.Is(err, envelope.ErrUnknownOutcome) {
				t.Errorf("%s %d: query %+v, %v, want an unknown outcome", name, r.status, s, err)
			}
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a signed request went elsewhere")
	}))
	defer elsewhere.Close()
	c, _ := providerSaying(t, reply{307, placedOK, func(h http.Header) { h.Set("Location", elsewhere.URL) }})
	if _, err := prepay(t, c); !errors.Is(err, envelope.ErrUnknownOutcome) {
		t.Errorf("%v, want an unknown outcome", err)
	}
}

func TestOutageIsBusy(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close() // nothing listens any more
	c := newClient(t, func(cfg *Config) { cfg.BaseURL = "http://" + ln.Addr().String() })
	if _, err := prepay(t, c); !isBusy(err) {
		t.Errorf("refused connections: %v, want busy", err)
	}
}

func TestSilenceIsBusyWithinTheTimeout(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") // the kernel takes connections, and there is no answer
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	const timeout = 50 * time.Millisecond
	c := newClient(t, func(cfg *Config) { cfg.BaseURL, cfg.Timeout = "http://"+ln.Addr().String(), timeout })
	start := time.Now()
	if _, err := prepay(t, c); !isBusy(err) {
		t.Errorf("%v, want busy", err)
	}
	const bound = attemptsMax*timeout + attemptsMax*backoffFirst<<attemptsMax + 5*time.Second // slack for a loaded machine
	if took := time.Since(start); took > bound {
		t.Errorf("took %v, want at most %v", took, bound)
	}
}

func TestACanceledCallIsUnknown(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c := newClient(t, func(cfg *Config) { cfg.BaseURL = "http://" + ln.Addr().String() })
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		cancel() // once the request is on its way
		_, _ = io.Copy(io.Discard, conn)
	}()
	if _, err := c.Prepay(ctx, testCharge()); !errors.Is(err, envelope.ErrUnknownOutcome) || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want an unknown outcome of a cancelled call", err)
	}
}

// roundTripper stands in for the network where the clock is not real.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestRetriesBackOffAndStopAtTheBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		c := newClient(t, nil)
		c.http.Transport = roundTripper(func(*http.Request) (*http.Response, error) {
			at = append(at, time.Now())
			return nil, errors.New("cable cut")
		})
		if _, err := prepay(t, c); !isBusy(err) || !strings.Contains(err.Error(), "cable cut") {
			t.Errorf("%v, want busy with its cause", err)
		}
		if len(at) != attemptsMax {
			t.Fatalf("%d attempts, want %d", len(at), attemptsMax)
		}
		for i := 1; i < len(at); i++ {
			longest := backoffFirst << (i - 1)
			if wait := at[i].Sub(at[i-1]); wait < longest/2 || wait >= longest {
				t.Errorf("wait %d is %v, want %v to %v", i, wait, longest/2, longest)
			}
		}
	})
}

func TestEveryAttemptIsSignedAnew(t *testing.T) {
	nonces := map[string]bool{}
	c := newClient(t, nil)
	c.http.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		auth, err := apiv3.ParseAuthorization(r.Header.Get("Authorization"))
		if err != nil {
			t.Error(err)
		}
		nonces[auth.Nonce] = true
		return nil, errors.New("cable cut")
	})
	if _, err := prepay(t, c); err == nil || len(nonces) != attemptsMax {
		t.Errorf("%v, %d nonces, want %d", err, len(nonces), attemptsMax)
	}
}

func TestCallsAreCounted(t *testing.T) {
	c, _ := providerSaying(t, reply{status: 200, body: placedOK})
	if _, err := prepay(t, c); err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(c)
	families, err := reg.Gather()
	if err != nil || len(families) != 1 || families[0].GetMetric()[0].GetHistogram().GetSampleCount() != 1 {
		t.Errorf("gathered %v, %v, want one call", families, err)
	}
}
