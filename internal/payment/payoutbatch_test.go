package payment

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"hongbao/envelope"
	"hongbao/internal/payment/apiv3"
)

const batchProviderNo = "1030000071100999991182020050700019480001"

// testBatch is a batch of so many payouts, of 101 fen, 102 fen, and so on.
func testBatch(payouts int) envelope.PayoutBatch {
	b := envelope.PayoutBatch{No: envelope.PayoutBatchNo(envelope.TransferNo(orderNo(), 1, 1)), CreatedAt: noon()}
	for i := range payouts {
		t := testPayout()
		t.Seq, t.Payee, t.Amount = i+1, envelope.UserID("oUser-"+strconv.Itoa(i+1)), envelope.Fen(101+i)
		b.Payouts = append(b.Payouts, t)
	}
	return b
}

// desk is a provider that knows one batch. It answers queries about it, after
// spoil has had its way with what is said: a "batch", a "page", or a "detail".
type desk struct {
	batch   envelope.PayoutBatch
	status  string
	failed  []int          // positions, in the order of the list
	reasons map[int]string // fail_reason by position
	spoil   func(what string, said map[string]any)
	asked   []string // queries about the batch and its pages
}

// told is what the provider says about the batch, when asked without details.
func (d *desk) told() map[string]any {
	var amount, failed envelope.Fen
	if d.status == "FINISHED" || d.status == "CLOSED" {
		amount = d.batch.Total()
	}
	for _, i := range d.failed {
		failed += d.batch.Payouts[i].Amount
	}
	num := len(d.batch.Payouts) - len(d.failed)
	if amount == 0 {
		num = 0
	}
	said := map[string]any{
		"mchid": testMerchant, "out_batch_no": d.batch.No, "batch_id": batchProviderNo, "appid": testApp, "batch_status": d.status, "batch_type": "API",
		"batch_name": "红包", "batch_remark": "红包", "total_amount": int64(d.batch.Total()), "total_num": len(d.batch.Payouts), "transfer_scene_id": "1000",
		"create_time": "2026-01-02T12:00:00+08:00", "update_time": "2026-01-02T12:00:00+08:00", "success_num": num, "success_amount": int64(amount - failed),
		"fail_num": len(d.failed), "fail_amount": int64(failed),
	}
	if d.status == "CLOSED" {
		said["close_reason"] = "OVERDUE_CLOSE"
	}
	return said
}

func (d *desk) say(t testing.TB, what string, said, part map[string]any) reply {
	t.Helper()
	if d.spoil != nil {
		d.spoil(what, part)
	}
	return reply{status: http.StatusOK, body: string(marshal(t, said))}
}

// answer answers a query.
func (d *desk) answer(t testing.TB, r *http.Request) reply {
	t.Helper()
	path := "/v3/transfer/batches/out-batch-no/" + d.batch.No
	if no, detail := strings.CutPrefix(r.URL.Path, path+"/details/out-detail-no/"); detail {
		return d.detail(t, no)
	}
	if r.URL.Path != path {
		t.Errorf("%s %s", r.Method, r.RequestURI)
		return notFound()
	}
	d.asked = append(d.asked, r.URL.RawQuery)
	batch := d.told()
	if r.URL.Query().Get("need_query_detail") == "false" {
		return d.say(t, "batch", map[string]any{"transfer_batch": batch}, batch)
	}
	offset, _ := strconv.Atoi(r.URL.Query().Get("offset"))
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	list := []any{}
	for _, i := range d.failed[min(offset, len(d.failed)):min(offset+limit, len(d.failed))] {
		list = append(list, map[string]any{"detail_id": "104", "out_detail_no": d.batch.Payouts[i].No(), "detail_status": "FAIL"})
	}
	page := map[string]any{"transfer_batch": batch, "transfer_detail_list": list}
	return d.say(t, "page", page, page)
}

func (d *desk) detail(t testing.TB, no string) reply {
	t.Helper()
	i := slices.IndexFunc(d.batch.Payouts, func(t envelope.Transfer) bool { return t.No() == no })
	if i < 0 {
		return notFound()
	}
	said := map[string]any{
		"mchid": testMerchant, "out_batch_no": d.batch.No, "batch_id": batchProviderNo, "appid": testApp, "out_detail_no": no, "detail_id": "104",
		"detail_status": "FAIL", "transfer_amount": int64(d.batch.Payouts[i].Amount), "transfer_remark": "红包", "openid": string(d.batch.Payouts[i].Payee),
		"initiate_time": "2026-01-02T12:00:00+08:00", "update_time": "2026-01-02T12:00:00+08:00",
	}
	if d.reasons[i] != "" {
		said["fail_reason"] = d.reasons[i]
	}
	return d.say(t, "detail", said, said)
}

// placed is the answer to placing the batch.
func (d *desk) placed(t testing.TB) reply {
	t.Helper()
	said := map[string]any{"out_batch_no": d.batch.No, "batch_id": batchProviderNo, "create_time": "2026-01-02T12:00:00+08:00", "batch_status": d.status}
	return d.say(t, "placed", said, said)
}

// client is a client of the desk, which answers one question at a time.
func (d *desk) client(t testing.TB) *Client {
	t.Helper()
	turn := make(chan struct{}, 1)
	return provider(t, func(r *http.Request, _ []byte) reply {
		turn <- struct{}{}
		defer func() { <-turn }()
		if r.Method == http.MethodPost {
			return d.placed(t)
		}
		return d.answer(t, r)
	})
}

// isNothing reports that a status comes with no news.
func isNothing(s envelope.PayoutBatchStatus) bool { return cmp.Equal(s, envelope.PayoutBatchStatus{}) }

// askBatch are the two ways of hearing about a batch.
func askBatch(c *Client) map[string]func(context.Context, envelope.PayoutBatch) (envelope.PayoutBatchStatus, error) {
	return map[string]func(context.Context, envelope.PayoutBatch) (envelope.PayoutBatchStatus, error){"place": c.PlaceBatch, "query": c.QueryBatch}
}

func TestPayoutBatchRequestIsAsExpected(t *testing.T) {
	d := desk{batch: testBatch(2), status: "ACCEPTED"}
	var got map[string]any
	c := provider(t, func(r *http.Request, body []byte) reply {
		if r.Method != http.MethodPost || r.RequestURI != "/v3/transfer/batches" || json.Unmarshal(body, &got) != nil {
			t.Errorf("%s %s: %s", r.Method, r.RequestURI, body)
		}
		return d.placed(t)
	})
	no := "B" + string(orderNo()) + "P001"
	status, err := c.PlaceBatch(context.Background(), d.batch)
	want := envelope.PayoutBatchStatus{No: no, Progress: envelope.ProgressUnderWay, ProviderNo: batchProviderNo}
	if diff := cmp.Diff(want, status); diff != "" || err != nil {
		t.Error(err, diff)
	}
	wantBody := map[string]any{
		"appid": testApp, "out_batch_no": no, "batch_name": "红包", "batch_remark": "红包", "total_amount": 203.0, "total_num": 2.0,
		"transfer_detail_list": []any{
			map[string]any{"out_detail_no": string(orderNo()) + "P001", "transfer_amount": 101.0, "transfer_remark": "红包", "openid": "oUser-1"},
			map[string]any{"out_detail_no": string(orderNo()) + "P002", "transfer_amount": 102.0, "transfer_remark": "红包", "openid": "oUser-2"},
		},
		"transfer_scene_id": "1000", "notify_url": "http://127.0.0.1:2/v1/payment/notifications",
	}
	if diff := cmp.Diff(wantBody, got); diff != "" {
		t.Error(diff)
	}
	if !c.metrics.calls.DeleteLabelValues("payout_batch", "ok") {
		t.Error("nothing was counted as payout_batch")
	}
}

// TestBatchIsRepeatedWithTheSameBytes: a provider that has the batch refuses
// other terms under its number (I7).
func TestBatchIsRepeatedWithTheSameBytes(t *testing.T) {
	d := desk{batch: testBatch(envelope.PayoutBatchMax), status: "PROCESSING"}
	var bodies [][]byte
	c := provider(t, func(_ *http.Request, body []byte) reply {
		bodies = append(bodies, body)
		return d.placed(t)
	})
	later := d.batch
	later.Placed, later.Attempts, later.CreatedAt = true, 7, noon().Add(-time.Hour)
	later.Payouts = slices.Clone(later.Payouts)
	for i := range later.Payouts {
		later.Payouts[i].Placed, later.Payouts[i].ProviderNo = true, batchProviderNo
	}
	for _, b := range []envelope.PayoutBatch{d.batch, later} {
		if _, err := c.PlaceBatch(context.Background(), b); err != nil {
			t.Fatal(err)
		}
	}
	if len(bodies) != 2 || !bytes.Equal(bodies[0], bodies[1]) {
		t.Errorf("%d requests, or they differ", len(bodies))
	}
}

func TestStatesOfBatchesAreDistinct(t *testing.T) {
	for states, want := range map[string]envelope.Progress{
		"WAIT_PAY ACCEPTED PROCESSING": envelope.ProgressUnderWay, "FINISHED CLOSED": envelope.ProgressDone,
	} {
		for state := range strings.FieldsSeq(states) {
			d := desk{batch: testBatch(3), status: state}
			c := d.client(t)
			for name, ask := range askBatch(c) {
				wanted := envelope.PayoutBatchStatus{No: d.batch.No, Progress: want, ProviderNo: batchProviderNo}
				if want == envelope.ProgressDone {
					wanted.Paid, wanted.PaidAmount = 3, d.batch.Total()
				}
				s, err := ask(context.Background(), d.batch)
				if diff := cmp.Diff(wanted, s); diff != "" || err != nil {
					t.Errorf("%s, %s: %v %s", name, state, err, diff)
				}
				if _, err := d.batch.Statuses(&s); (err == nil) != (want == envelope.ProgressDone) {
					t.Errorf("%s, %s: heard as %v", name, state, err)
				}
			}
		}
	}
}

// TestCodesOfBatches pairs every code with both truths, as for one transfer.
// No code ends a batch (FG5).
func TestCodesOfBatches(t *testing.T) {
	isRejected := func(s envelope.PayoutBatchStatus, err error) bool {
		return err == nil && s.Progress == envelope.ProgressRejected && s.Code != "" && s.No == testBatch(2).No
	}
	isOpen := func(s envelope.PayoutBatchStatus, err error) bool { return isUnknown(err) && isNothing(s) }
	waits := func(reason envelope.Reason) func(envelope.PayoutBatchStatus, error) bool {
		return func(s envelope.PayoutBatchStatus, err error) bool {
			busy, ok := errors.AsType[*envelope.BusyError](err)
			return ok && busy.Reason == reason && busy.RetryAfter > 0 && isNothing(s)
		}
	}
	for _, row := range []struct {
		status int
		code   string
		want   func(envelope.PayoutBatchStatus, error) bool
		asked  bool // the number is looked up before the refusal is believed
	}{
		{400, "PARAM_ERROR", isRejected, true},
		{400, "INVALID_REQUEST", isRejected, true},
		{403, "NO_AUTH", isRejected, true},
		{400, "ACCOUNT_FROZEN", isRejected, true},
		{403, "NOT_ENOUGH", waits(envelope.ReasonFunds), false},
		{403, "FREQUENCY_LIMITED", waits(envelope.ReasonProvider), false},
		{429, "FREQUENCY_LIMITED", waits(envelope.ReasonProvider), false},
		{429, "SOMETHING_ELSE", isOpen, false},
		{500, "SYSTEM_ERROR", isOpen, false},
		{503, "", isOpen, false},
		{400, "NEVER_HEARD_OF", isOpen, false},
		{404, "NOT_FOUND", isOpen, false},
		{202, "", isOpen, false},
	} {
		for _, executed := range []bool{false, true} {
			d := desk{batch: testBatch(2), status: "FINISHED"}
			var placed, asked atomic.Int32
			c := provider(t, func(r *http.Request, _ []byte) reply {
				switch {
				case r.Method == http.MethodPost:
					placed.Add(1)
					return reply{status: row.status, body: `{"code":"` + row.code + `"}`}
				case executed:
					asked.Add(1)
					return d.answer(t, r)
				}
				asked.Add(1)
				return notFound()
			})
			s, err := c.PlaceBatch(context.Background(), d.batch)
			ok := row.want(s, err)
			if executed && row.asked {
				ok = err == nil && s.Progress == envelope.ProgressDone
			}
			if !ok || placed.Load() != 1 || (asked.Load() > 0) != row.asked {
				t.Errorf("%d %s, executed %v: %+v, %v after %d and %d requests", row.status, row.code, executed, s, err, placed.Load(), asked.Load())
			}
		}
	}
}

func TestARefusedBatchNotLookedUpIsUnknown(t *testing.T) {
	c := provider(t, func(r *http.Request, _ []byte) reply {
		if r.Method == http.MethodPost {
			return reply{status: 400, body: `{"code":"INVALID_REQUEST"}`}
		}
		return reply{status: 503}
	})
	if s, err := c.PlaceBatch(context.Background(), testBatch(2)); !isUnknown(err) || !isNothing(s) {
		t.Errorf("%+v, %v, want an unknown outcome", s, err)
	}
}

// TestSilenceAfterPlacingABatchIsUnknown is as with one transfer (FG1).
func TestSilenceAfterPlacingABatchIsUnknown(t *testing.T) {
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
	for addr, want := range map[string]func(error) bool{silent.Addr().String(): isUnknown, gone.Addr().String(): isBusy} {
		c := newClient(t, func(cfg *Config) { cfg.BaseURL, cfg.Timeout = "http://"+addr, 50*time.Millisecond })
		if s, err := c.PlaceBatch(context.Background(), testBatch(2)); !want(err) || !isNothing(s) {
			t.Errorf("%+v, %v", s, err)
		}
	}
}

// TestUnauthenticBatchAnswersAreUnknown covers good news and bad news alike (FG5).
func TestUnauthenticBatchAnswersAreUnknown(t *testing.T) {
	tamper := func(h http.Header) { h.Set(apiv3.HeaderSignature, apiv3.ProbePrefix+h.Get(apiv3.HeaderSignature)) }
	d := desk{batch: testBatch(2), status: "FINISHED", failed: []int{0}}
	for name, forges := range map[string]func(*http.Request) bool{
		"everything": func(*http.Request) bool { return true },
		"pages":      func(r *http.Request) bool { return r.URL.Query().Get("need_query_detail") == "true" },
		"details":    func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/details/") },
	} {
		c := provider(t, func(r *http.Request, _ []byte) reply {
			said := d.placed(t)
			if r.Method == http.MethodGet {
				said = d.answer(t, r)
			}
			if forges(r) {
				said.tamper = tamper
			}
			return said
		})
		for how, ask := range askBatch(c) {
			if s, err := ask(context.Background(), d.batch); !isUnknown(err) || !isNothing(s) {
				t.Errorf("%s, %s forged: %+v, %v, want an unknown outcome", how, name, s, err)
			}
		}
	}
	for _, said := range []reply{
		{400, `{"code":"PARAM_ERROR"}`, tamper}, {403, `{"code":"NOT_ENOUGH"}`, tamper}, {404, `{"code":"NOT_FOUND"}`, tamper}, {429, `{"code":"FREQUENCY_LIMITED"}`, tamper},
	} {
		c := provider(t, func(*http.Request, []byte) reply { return said })
		for how, ask := range askBatch(c) {
			if s, err := ask(context.Background(), d.batch); !isUnknown(err) || !isNothing(s) {
				t.Errorf("%s, %s: %+v, %v, want an unknown outcome", how, said.body, s, err)
			}
		}
	}
}

func TestBatchesThatAreNoneAreNotPlaced(t *testing.T) {
	c := provider(t, func(r *http.Request, _ []byte) reply {
		t.Errorf("%s %s went out", r.Method, r.RequestURI)
		return notFound()
	})
	for name, change := range map[string]func(*envelope.PayoutBatch){
		"no number":         func(b *envelope.PayoutBatch) { b.No = "" },
		"a payout's number": func(b *envelope.PayoutBatch) { b.No = payoutNo() },
		"no payouts":        func(b *envelope.PayoutBatch) { b.Payouts = nil },
		"too many":          func(b *envelope.PayoutBatch) { *b = testBatch(envelope.PayoutBatchMax + 1) },
		"a refund":          func(b *envelope.PayoutBatch) { b.Payouts[0] = testRefund() },
		"one of no order":   func(b *envelope.PayoutBatch) { b.Payouts[1].OrderNo = "1" },
		"one twice":         func(b *envelope.PayoutBatch) { b.Payouts[1] = b.Payouts[0] },
		"another order":     func(b *envelope.PayoutBatch) { b.Payouts[0], b.Payouts[1] = b.Payouts[1], b.Payouts[0] },
		"nothing for one":   func(b *envelope.PayoutBatch) { b.Payouts[1].Amount = 0 },
		"2,000 CNY":         func(b *envelope.PayoutBatch) { b.Payouts[1].Amount = payoutFenMax + 1 },
		"no payee":          func(b *envelope.PayoutBatch) { b.Payouts[1].Payee = "" },
		"a payee of spaces": func(b *envelope.PayoutBatch) { b.Payouts[1].Payee = "a b" },
	} {
		b := testBatch(2)
		change(&b)
		for how, ask := range askBatch(c) {
			_, err := ask(context.Background(), b)
			if _, final := finalRefusal(err); err == nil || final || isUnknown(err) || isBusy(err) {
				t.Errorf("%s, %s: %v", how, name, err)
			}
		}
	}
}
