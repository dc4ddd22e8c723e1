package payment

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"hongbao/envelope"
	"hongbao/internal/payment/apiv3"
)

// provider starts a provider that answers with what answer returns, signed, to
// requests whose signature holds, and returns a client of it.
func provider(t testing.TB, answer func(r *http.Request, body []byte) reply) *Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var auth apiv3.Authorization
		if err == nil {
			auth, err = apiv3.ParseAuthorization(r.Header.Get("Authorization"))
		}
		if err == nil {
			err = auth.Verify(&merchantKey(t).PublicKey, noon(), r.Method, r.RequestURI, body)
		}
		if err != nil {
			t.Errorf("%s %s: %v", r.Method, r.RequestURI, err)
		}
		said := answer(r, body)
		if err := apiv3.Stamp(w.Header(), platformKey(), testSerial, noon(), []byte(said.body)); err != nil {
			t.Error(err)
		}
		if said.tamper != nil {
			said.tamper(w.Header())
		}
		w.WriteHeader(said.status)
		_, _ = io.WriteString(w, said.body)
	}))
	t.Cleanup(server.Close)
	return newClient(t, func(cfg *Config) { cfg.BaseURL = server.URL })
}

func testPayout() envelope.Transfer {
	return envelope.Transfer{OrderNo: orderNo(), Seq: 7, Round: 1, Payee: "oUser-7", Amount: 250, Charged: 10000, State: envelope.Pending, CreatedAt: noon()}
}

func testRefund() envelope.Transfer {
	return envelope.Transfer{OrderNo: orderNo(), Round: 1, Payee: "oSender", Amount: 9000, Charged: 10000, State: envelope.Pending, CreatedAt: noon()}
}

func payoutNo() string { return envelope.TransferNo(orderNo(), 7, 1) }

// told is what the provider says about a transfer, as a query is answered.
func told(t envelope.Transfer, state string) map[string]any {
	if t.IsRefund() {
		return map[string]any{
			"refund_id": "50300000000001", "out_refund_no": t.No(), "transaction_id": "42000001", "out_trade_no": string(t.OrderNo), "status": state,
			"amount": map[string]any{"total": int64(t.Charged), "refund": int64(t.Amount), "payer_refund": 1, "currency": "CNY"},
		}
	}
	return map[string]any{
		"mch_id": testMerchant, "appid": testApp, "out_bill_no": t.No(), "transfer_bill_no": "1330000000001", "state": state,
		"transfer_amount": int64(t.Amount), "transfer_remark": "红包", "openid": string(t.Payee), "create_time": "2026-01-02T12:00:00+08:00",
	}
}

// notFound is the answer to a query about a number that was never placed.
func notFound() reply {
	return reply{status: 404, body: `{"code":"NOT_FOUND","message":"记录不存在"}`}
}

func isUnknown(err error) bool {
	return errors.Is(err, envelope.ErrUnknownOutcome) && !isBusy(err)
}

func TestPayoutSaysWhatTheProviderExpects(t *testing.T) {
	var got map[string]any
	c := provider(t, func(r *http.Request, body []byte) reply {
		if r.Method != http.MethodPost || r.RequestURI != "/v3/fund-app/mch-transfer/transfer-bills" || json.Unmarshal(body, &got) != nil {
			t.Errorf("%s %s: %s", r.Method, r.RequestURI, body)
		}
		return reply{status: 200, body: `{"out_bill_no":"` + payoutNo() + `","transfer_bill_no":"133","state":"WAIT_USER_CONFIRM","package_info":"pkg="}`}
	})
	status, err := c.Place(context.Background(), testPayout())
	want := envelope.TransferStatus{No: string(orderNo()) + "P007", Progress: envelope.ProgressAwaiting, ProviderNo: "133", Hint: "pkg="}
	if diff := cmp.Diff(want, status); diff != "" || err != nil {
		t.Error(err, diff)
	}
	wantBody := map[string]any{
		"appid": testApp, "out_bill_no": string(orderNo()) + "P007", "transfer_scene_id": "1000", "openid": "oUser-7", "transfer_amount": 250.0,
		"transfer_remark": "红包", "notify_url": "http://127.0.0.1:2/v1/payment/notifications", "user_recv_perception": "现金奖励",
		"transfer_scene_report_infos": []any{
			map[string]any{"info_type": "活动名称", "info_content": "红包"}, map[string]any{"info_type": "奖励说明", "info_content": "拆红包所得"},
		},
	}
	if diff := cmp.Diff(wantBody, got); diff != "" {
		t.Error(diff)
	}
}

func TestRefundSaysWhatTheProviderExpects(t *testing.T) {
	var got map[string]any
	c := provider(t, func(r *http.Request, body []byte) reply {
		if r.Method != http.MethodPost || r.RequestURI != "/v3/refund/domestic/refunds" || json.Unmarshal(body, &got) != nil {
			t.Errorf("%s %s: %s", r.Method, r.RequestURI, body)
		}
		return reply{status: 200, body: string(marshal(t, told(testRefund(), "PROCESSING")))}
	})
	second := testRefund()
	status, err := c.Place(context.Background(), second)
	want := envelope.TransferStatus{No: string(orderNo()) + "R", Progress: envelope.ProgressUnderWay, Amount: 9000, ProviderNo: "50300000000001"}
	if diff := cmp.Diff(want, status); diff != "" || err != nil {
		t.Error(err, diff)
	}
	wantBody := map[string]any{
		"out_trade_no": string(orderNo()), "out_refund_no": string(orderNo()) + "R", "reason": refundReason,
		"notify_url": "http://127.0.0.1:2/v1/payment/notifications", "amount": map[string]any{"refund": 9000.0, "total": 10000.0, "currency": "CNY"},
	}
	if diff := cmp.Diff(wantBody, got); diff != "" {
		t.Error(diff)
	}
}

func TestTermsAndOpenIDsAreTheDeployments(t *testing.T) {
	var body payoutRequest
	c := provider(t, func(_ *http.Request, raw []byte) reply {
		if err := json.Unmarshal(raw, &body); err != nil {
			t.Error(err)
		}
		return reply{status: 200, body: string(marshal(t, told(testPayout(), "ACCEPTED")))}
	})
	c.cfg.OpenID = func(u envelope.UserID) string { return "mapped-" + string(u) }
	c.cfg.Payouts = Payouts{SceneID: "1005", Remark: "r", Perception: "p", Report: []SceneReport{{"a", "b"}}}
	if _, err := c.Place(context.Background(), testPayout()); !isUnknown(err) {
		t.Errorf("an answer about the openid that was not mapped: %v, want an unknown outcome", err)
	}
	want := payoutRequest{testApp, payoutNo(), "1005", "mapped-oUser-7", 250, "r", c.cfg.NotifyURL, "p", []SceneReport{{"a", "b"}}}
	if diff := cmp.Diff(want, body); diff != "" {
		t.Error(diff)
	}
}

// TestStatesOfTransfersAreDistinct asks of each transfer twice: on placing it, which tells
// what became of the first (I7), and on a query.
func TestStatesOfTransfersAreDistinct(t *testing.T) {
	for _, row := range []struct {
		t      envelope.Transfer
		states string
		want   envelope.Progress
	}{
		{testPayout(), "ACCEPTED PROCESSING TRANSFERING CANCELING", envelope.ProgressUnderWay},
		{testPayout(), "WAIT_USER_CONFIRM", envelope.ProgressAwaiting},
		{testPayout(), "SUCCESS", envelope.ProgressDone},
		{testPayout(), "FAIL CANCELLED", envelope.ProgressRefused},
		{testRefund(), "PROCESSING", envelope.ProgressUnderWay},
		{testRefund(), "SUCCESS", envelope.ProgressDone},
		{testRefund(), "ABNORMAL", envelope.ProgressStuck},
		{testRefund(), "CLOSED", envelope.ProgressRefused},
	} {
		for state := range strings.FieldsSeq(row.states) {
			c := provider(t, func(*http.Request, []byte) reply {
				return reply{status: 200, body: string(marshal(t, told(row.t, state)))}
			})
			queried, err := c.Query(context.Background(), row.t)
			placed, placeErr := c.Place(context.Background(), row.t)
			if err != nil || placeErr != nil || queried != placed || queried.Progress != row.want || queried.Amount != row.t.Amount || queried.No != row.t.No() {
				t.Errorf("%s: %+v, %v and %+v, %v, want %s", state, queried, err, placed, placeErr, row.want)
			}
			if row.want == envelope.ProgressRefused && queried.Code != state {
				t.Errorf("%s: code %q", state, queried.Code)
			}
			if _, err := row.t.Apply(queried); err != nil {
				t.Errorf("%s: %v", state, err)
			}
		}
	}
}

func TestFailuresGiveTheProvidersReason(t *testing.T) {
	failed := told(testPayout(), "FAIL")
	failed["fail_reason"] = "REALNAME_ACCOUNT_RECEIVED_QUOTA_EXCEED"
	c := provider(t, func(*http.Request, []byte) reply { return reply{status: 200, body: string(marshal(t, failed))} })
	if s, err := c.Query(context.Background(), testPayout()); err != nil || s.Code != "REALNAME_ACCOUNT_RECEIVED_QUOTA_EXCEED" {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestAnswersThatAreNotOursAreUnknown changes one thing of an answer that
// says the money has moved (FG5).
func TestAnswersThatAreNotOursAreUnknown(t *testing.T) {
	for _, transfer := range []envelope.Transfer{testPayout(), testRefund()} {
		changes := map[string]any{"mch_id": "1900000002", "appid": "wx1", "openid": "oOther", "transfer_amount": 251, "out_bill_no": "X", "state": "DONE", "transfer_bill_no": ""}
		other := testPayout()
		other.Seq++
		if transfer.IsRefund() {
			amount := func(refund, total int64, currency string) map[string]any {
				return map[string]any{"refund": refund, "total": total, "currency": currency}
			}
			changes = map[string]any{"out_trade_no": "1", "out_refund_no": "X", "status": "success", "refund_id": "", "amount": amount(9001, 10000, "CNY")}
			changes["amount "] = amount(9000, 10001, "CNY")
			changes["amount  "] = amount(9000, 10000, "USD")
			changes["amount   "] = amount(0, 10000, "CNY")
		} else {
			changes["out_bill_no "] = other.No()
			changes["state "] = ""
			changes["transfer_amount "] = -250
			changes["package_info"] = 1
		}
		for key, value := range changes {
			said := told(transfer, "SUCCESS")
			said[strings.TrimSpace(key)] = value
			c := provider(t, func(*http.Request, []byte) reply { return reply{status: 200, body: string(marshal(t, said))} })
			for name, ask := range map[string]func(context.Context, envelope.Transfer) (envelope.TransferStatus, error){"place": c.Place, "query": c.Query} {
				if s, err := ask(context.Background(), transfer); !isUnknown(err) || s != (envelope.TransferStatus{}) {
					t.Errorf("%s with %s %v: %+v, %v, want an unknown outcome", name, key, value, s, err)
				}
			}
		}
	}
	said := told(testPayout(), "SUCCESS")
	delete(said, "transfer_amount")
	c := provider(t, func(*http.Request, []byte) reply { return reply{status: 200, body: string(marshal(t, said))} })
	if s, err := c.Query(context.Background(), testPayout()); !isUnknown(err) {
		t.Errorf("a query answered without an amount: %+v, %v, want an unknown outcome", s, err)
	}
}

// TestCodesOfTransfers pairs every code with both truths: the number unknown
// to the provider, and carried out under an earlier request (FG5).
func TestCodesOfTransfers(t *testing.T) {
	isRefused := func(s envelope.TransferStatus, err error) bool {
		return err == nil && s.Progress == envelope.ProgressRefused && s.Code != ""
	}
	isRejected := func(s envelope.TransferStatus, err error) bool {
		return err == nil && s.Progress == envelope.ProgressRejected && s.Code != ""
	}
	isOpen := func(s envelope.TransferStatus, err error) bool {
		return isUnknown(err) && s == envelope.TransferStatus{}
	}
	waits := func(reason envelope.Reason) func(envelope.TransferStatus, error) bool {
		return func(_ envelope.TransferStatus, err error) bool {
			busy, ok := errors.AsType[*envelope.BusyError](err)
			return ok && busy.Reason == reason && busy.RetryAfter > 0
		}
	}
	for _, row := range []struct {
		status int
		code   string
		want   func(envelope.TransferStatus, error) bool
		asked  bool // the number is looked up before the refusal is believed
		payee  bool // the refusal is about the payee
	}{
		{400, "PAYEE_ACCOUNT_ABNORMAL", isRefused, true, true},
		{403, "USER_ACCOUNT_ABNORMAL", isRefused, true, true},
		{400, "REALNAME_ACCOUNT_RECEIVED_QUOTA_EXCEED", isRefused, true, true},
		{400, "PARAM_ERROR", isRejected, true, false},
		{400, "INVALID_REQUEST", isRejected, true, false},
		{401, "SIGN_ERROR", isRejected, true, false},
		{403, "NO_AUTH", isRejected, true, false},
		{404, "RESOURCE_NOT_EXISTS", isRejected, true, false},
		{403, "NOT_ENOUGH", waits(envelope.ReasonFunds), false, false},
		{429, "FREQUENCY_LIMITED", waits(envelope.ReasonProvider), false, false},
		{429, "SOMETHING_ELSE", isOpen, false, false},
		{500, "SYSTEM_ERROR", isOpen, false, false},
		{400, "SYSTEM_ERROR", isOpen, false, false},
		{503, "", isOpen, false, false},
		{500, "PARAM_ERROR", isOpen, false, false},
		{400, "NEVER_HEARD_OF", isOpen, false, false},
		{400, "payee_account_abnormal", isOpen, false, false},
		{404, "NOT_FOUND", isOpen, false, false},
		{202, "", isOpen, false, false},
		{302, "", isOpen, false, false},
	} {
		for _, transfer := range []envelope.Transfer{testPayout(), testRefund()} {
			for _, executed := range []bool{false, true} {
				var placed, asked atomic.Int32
				c := provider(t, func(r *http.Request, _ []byte) reply {
					if r.Method == http.MethodPost {
						placed.Add(1)
						return reply{status: row.status, body: `{"code":"` + row.code + `"}`}
					}
					asked.Add(1)
					if executed {
						return reply{status: 200, body: string(marshal(t, told(transfer, "SUCCESS")))}
					}
					return notFound()
				})
				s, err := c.Place(context.Background(), transfer)
				ok := row.want(s, err)
				if isRefused(s, err) && transfer.IsRefund() {
					ok = false
				}
				if row.payee && transfer.IsRefund() { // its number is not spent (FS8)
					ok = isRejected(s, err)
				}
				if executed && row.asked {
					ok = err == nil && s.Progress == envelope.ProgressDone
				}
				if !ok || placed.Load() != 1 || (asked.Load() > 0) != row.asked {
					t.Errorf("%s %d %s, executed %v: %+v, %v after %d and %d requests", transfer.No(), row.status, row.code, executed, s, err, placed.Load(), asked.Load())
				}
			}
		}
	}
}

func TestUnverifiableRefusalIsUnknown(t *testing.T) {
	c := provider(t, func(r *http.Request, _ []byte) reply {
		if r.Method == http.MethodPost {
			return reply{status: 400, body: `{"code":"PAYEE_ACCOUNT_ABNORMAL"}`}
		}
		return reply{status: 503}
	})
	if s, err := c.Place(context.Background(), testPayout()); !isUnknown(err) {
		t.Errorf("%+v, %v, want an unknown outcome", s, err)
	}
}

// TestSilenceAfterPlacingIsUnknown: a request that reached the provider may have
// been carried out; one that did not was not (FG1).
func TestSilenceAfterPlacingIsUnknown(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // the kernel takes connections, and there is no answer
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	for _, transfer := range []envelope.Transfer{testPayout(), testRefund()} {
		for addr, want := range map[string]func(error) bool{silent.Addr().String(): isUnknown, gone.Addr().String(): isBusy} {
			c := newClient(t, func(cfg *Config) { cfg.BaseURL, cfg.Timeout = "http://"+addr, 300*time.Millisecond }) // half of it to connect
			if s, err := c.Place(context.Background(), transfer); !want(err) || s != (envelope.TransferStatus{}) {
				t.Errorf("%s: %+v, %v", transfer.No(), s, err)
			}
		}
	}
}

// TestOnlyVerifiedAnswersCount covers good news and bad news alike (FG5).
func TestOnlyVerifiedAnswersCount(t *testing.T) {
	for _, tamper := range []func(http.Header){
		func(h http.Header) { h.Del(apiv3.HeaderSignature) },
		func(h http.Header) { h.Set(apiv3.HeaderSignature, apiv3.ProbePrefix+h.Get(apiv3.HeaderSignature)) },
		func(h http.Header) { h.Set(apiv3.HeaderSerial, "OTHER") },
	} {
		for _, said := range []reply{
			{200, string(marshal(t, told(testPayout(), "SUCCESS"))), tamper}, {200, string(marshal(t, told(testPayout(), "FAIL"))), tamper},
			{400, `{"code":"PAYEE_ACCOUNT_ABNORMAL"}`, tamper}, {403, `{"code":"NOT_ENOUGH"}`, tamper}, {404, `{"code":"NOT_FOUND"}`, tamper},
			{429, `{"code":"FREQUENCY_LIMITED"}`, tamper},
		} {
			c := provider(t, func(*http.Request, []byte) reply { return said })
			for name, ask := range map[string]func(context.Context, envelope.Transfer) (envelope.TransferStatus, error){"place": c.Place, "query": c.Query, "cancel": c.CancelTransfer} {
				if s, err := ask(context.Background(), testPayout()); !isUnknown(err) || s != (envelope.TransferStatus{}) {
					t.Errorf("%s, %d %.30s: %+v, %v, want an unknown outcome", name, said.status, said.body, s, err)
				}
			}
			if err := c.CloseCharge(context.Background(), orderNo()); !isUnknown(err) {
				t.Errorf("close, %d %.30s: %v, want an unknown outcome", said.status, said.body, err)
			}
		}
	}
}

// TestQueryOfANumberNeverPlacedIsAbsent: what counts is when it was placed (FS7).
func TestQueryOfANumberNeverPlacedIsAbsent(t *testing.T) {
	for _, transfer := range []envelope.Transfer{testPayout(), testRefund()} {
		for _, code := range []string{"NOT_FOUND", "RESOURCE_NOT_EXISTS"} {
			c := provider(t, func(*http.Request, []byte) reply { return reply{status: 404, body: `{"code":"` + code + `"}`} })
			s, err := c.Query(context.Background(), transfer)
			if err != nil || s != (envelope.TransferStatus{No: transfer.No(), Progress: envelope.ProgressAbsent}) {
				t.Errorf("%s %s: %+v, %v, want absent", transfer.No(), code, s, err)
			}
			old := transfer
			old.CreatedAt = noon().Add(-400 * 24 * time.Hour) // owed for long, and never placed: it cannot have been forgotten
			if s, err := c.Query(context.Background(), old); err != nil || s.Progress != envelope.ProgressAbsent {
				t.Errorf("%s, owed long ago: %+v, %v, want absent", transfer.No(), s, err)
			}
			old.PlacedAt = noon().Add(-payoutMemory - time.Second)
			if s, err := c.Query(context.Background(), old); isUnknown(err) == transfer.IsRefund() {
				t.Errorf("%s of a month ago: %+v, %v, want an unknown outcome of a payout alone", transfer.No(), s, err)
			}
		}
	}
}

func TestTransfersThatAreNoneAreNotPlaced(t *testing.T) {
	c := provider(t, func(r *http.Request, _ []byte) reply {
		t.Errorf("%s %s went out", r.Method, r.RequestURI)
		return notFound()
	})
	for name, change := range map[string]func(*envelope.Transfer){
		"no amount":         func(t *envelope.Transfer) { t.Amount = 0 },
		"a negative amount": func(t *envelope.Transfer) { t.Amount = -1 },
		"2,000 CNY":         func(t *envelope.Transfer) { t.Amount = payoutFenMax + 1 },
		"no payee":          func(t *envelope.Transfer) { t.Payee = "" },
		"a payee of spaces": func(t *envelope.Transfer) { t.Payee = "a b" },
		"a long payee":      func(t *envelope.Transfer) { t.Payee = envelope.UserID(strings.Repeat("u", openIDBytesMax+1)) },
		"no order":          func(t *envelope.Transfer) { t.OrderNo = "1" },
		"too many rounds":   func(t *envelope.Transfer) { t.Round = envelope.RoundMax + 1 },
		"a refund above the charge": func(t *envelope.Transfer) {
			t.Seq, t.Amount = 0, t.Charged+1
		},
		"a refund of nothing":  func(t *envelope.Transfer) { t.Seq, t.Amount = 0, 0 },
		"an impossible charge": func(t *envelope.Transfer) { t.Seq, t.Charged = 0, amountFenMax+1 },
	} {
		transfer := testPayout()
		change(&transfer)
		if _, err := c.Place(context.Background(), transfer); err == nil {
			t.Errorf("%s: placed", name)
		}
	}
	if _, err := c.CancelTransfer(context.Background(), testRefund()); err == nil {
		t.Error("a refund is cancelled")
	}
}

func TestCancellationIsAskedForOnce(t *testing.T) {
	var requests atomic.Int32
	said := reply{status: 200, body: `{"out_bill_no":"` + payoutNo() + `","transfer_bill_no":"133","state":"CANCELING","update_time":"2026-01-02T12:00:00+08:00"}`}
	c := provider(t, func(r *http.Request, body []byte) reply {
		requests.Add(1)
		if r.Method != http.MethodPost || r.RequestURI != payoutByPath+payoutNo()+"/cancel" || len(bytes.TrimSpace(body)) != 0 {
			t.Errorf("%s %s: %q", r.Method, r.RequestURI, body)
		}
		return said
	})
	s, err := c.CancelTransfer(context.Background(), testPayout())
	if err != nil || s.Progress != envelope.ProgressUnderWay {
		t.Errorf("%+v, %v", s, err)
	}
	said = reply{status: 500, body: `{"code":"SYSTEM_ERROR"}`}
	if _, err := c.CancelTransfer(context.Background(), testPayout()); !isUnknown(err) || requests.Load() != 2 {
		t.Errorf("%v after %d requests", err, requests.Load())
	}
	said = reply{status: 400, body: `{"code":"INVALID_REQUEST"}`}
	if _, err := c.CancelTransfer(context.Background(), testPayout()); err == nil || isUnknown(err) || isBusy(err) {
		t.Errorf("%v, want a final refusal", err)
	}
}

func TestCloseEndsAnUnpaidCharge(t *testing.T) {
	for _, row := range []struct {
		status int
		body   string
		want   func(error) bool
	}{
		{204, "", func(err error) bool { return err == nil }},
		{404, `{"code":"ORDER_NOT_EXIST"}`, func(err error) bool { return err == nil }},
		{400, `{"code":"ORDER_CLOSED"}`, func(err error) bool { return err == nil }},
		{400, `{"code":"ORDERPAID"}`, func(err error) bool { return errors.Is(err, envelope.ErrChargePaid) }},
		{400, `{"code":"PARAM_ERROR"}`, func(err error) bool { _, final := finalRefusal(err); return final }},
		{400, `{"code":"NEVER_HEARD_OF"}`, isUnknown},
		{202, ``, isUnknown},
		{500, `{"code":"SYSTEM_ERROR"}`, isBusy},
	} {
		c := provider(t, func(r *http.Request, body []byte) reply {
			if r.Method != http.MethodPost || r.RequestURI != queryPath+string(orderNo())+"/close" || string(body) != `{"mchid":"`+testMerchant+`"}` {
				t.Errorf("%s %s: %s", r.Method, r.RequestURI, body)
			}
			return reply{status: row.status, body: row.body}
		})
		if err := c.CloseCharge(context.Background(), orderNo()); !row.want(err) {
			t.Errorf("%d %s: %v", row.status, row.body, err)
		}
	}
}
