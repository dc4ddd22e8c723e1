package simulator

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hongbao/internal/payment/simulator/ledger"
	"hongbao/internal/payment/simulator/states"
	"hongbao/internal/payment/simulator/wire"
)

// payOutBatch has a batch paid out, and does not wait for its callback.
func (d *desk) payOutBatch(no string, n int) {
	d.t.Helper()
	if r := d.post(batchesTarget, d.batchOf(no, n)); r.status != 200 {
		d.t.Fatalf("batch: %+v", r)
	}
}

// details asks for one page of a batch's details, and spells them.
func (d *desk) details(no, query string) string {
	d.t.Helper()
	r := d.get(batchTarget(no) + "?need_query_detail=true&" + query)
	if r.status != 200 {
		return fmt.Sprint(r.status, " ", r.code())
	}
	var page []string
	list, _ := r.said["transfer_detail_list"].([]any)
	for _, one := range list {
		detail := one.(object)
		page = append(page, strings.TrimPrefix(detail["out_detail_no"].(string), no)+" "+detail["detail_status"].(string))
	}
	return strings.Join(page, ", ")
}

func (d *desk) detail(no string, i int) object {
	d.t.Helper()
	return d.get(fmt.Sprintf("%s/details/out-detail-no/%sx%d", batchTarget(no), no, i)).said
}

func TestBatchRefusalsAreAsInProduction(t *testing.T) {
	d := openDesk(t, testConfig(t))
	first := func(field string, value any) func(object) {
		return func(batch object) { batch["transfer_detail_list"].([]object)[0][field] = value }
	}
	field := func(name string, value any) func(object) { return func(batch object) { batch[name] = value } }
	for _, row := range []struct {
		name string
		turn func(object)
		code string // empty is accepted
	}{
		{"app", field("appid", "wx1"), "APPID_MCHID_NOT_MATCH"},
		{"number", field("out_batch_no", "batch-1"), "PARAM_ERROR"},
		{"short number", field("out_batch_no", "1234"), "PARAM_ERROR"},
		{"no name", field("batch_name", ""), "PARAM_ERROR"},
		{"long remark", field("batch_remark", strings.Repeat("红", 33)), "PARAM_ERROR"},
		{"a fen more than the details", field("total_amount", 7), "PARAM_ERROR"},
		{"one more than the details", field("total_num", 4), "PARAM_ERROR"},
		{"nobody", field("transfer_detail_list", []object{}), "PARAM_ERROR"},
		{"scene", field("transfer_scene_id", strings.Repeat("1", 37)), "PARAM_ERROR"},
		{"notify_url", field("notify_url", "http://h/?q"), "PARAM_ERROR"},
		{"detail's number", first("out_detail_no", "a_b_c_d"), "PARAM_ERROR"},
		{"detail's number twice", first("out_detail_no", "batch1x1"), "PARAM_ERROR"},
		{"invisible payee", first("openid", "a b"), "PARAM_ERROR"},
		{"nothing", first("transfer_amount", 0), "PARAM_ERROR"},
		{"much without a name", first("transfer_amount", wire.TransferNamedFenFrom), "PARAM_ERROR"},
		{"detail's remark", first("transfer_remark", ""), "PARAM_ERROR"},
		{"as it should be, and something unknown", field("color", "red"), ""},
	} {
		batch := d.batchOf("batch1", 3)
		row.turn(batch)
		r := d.post(batchesTarget, batch)
		if row.code == "" && (r.status != 200 || r.said["batch_status"] != states.Accepted && r.said["batch_status"] != states.Processing) || row.code != "" && (r.status != 400 || r.code() != row.code) {
			t.Errorf("%s: %+v, want %s", row.name, r, row.code)
		}
	}
	if r := d.post(batchesTarget, d.batchOf("batch2", ledger.DetailsInBatchMax+1)); r.status != 400 {
		t.Errorf("one too many: %+v", r)
	}
	for _, target := range []string{batchTarget("batch9"), batchTarget("batch9") + "/details/out-detail-no/batch9x0", batchTarget("batch1") + "/details/out-detail-no/batch9x0"} {
		if r := d.get(target); r.status != 404 || r.code() != "NOT_FOUND" {
			t.Errorf("unknown: %+v", r)
		}
	}
}

// FS11: one payout that is too small is the whole batch's refusal.
func TestBatchWithATooSmallPayoutIsRefused(t *testing.T) {
	cfg := testConfig(t)
	cfg.TransferMinFen = 2
	d := openDesk(t, cfg)
	if r := d.post(batchesTarget, d.batchOf("batch1", 3)); r.status != 400 || r.code() != "PARAM_ERROR" || !strings.Contains(fmt.Sprint(r.said), "transfer_amount: want 2 to") {
		t.Errorf("a fen among others: %+v", r)
	}
	for _, wrong := range []int64{-1, wire.TransferFenMax + 1} {
		cfg.TransferMinFen = wrong
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), "TransferMinFen") {
			t.Errorf("at least %d fen: %v", wrong, err)
		}
	}
}

func TestBatchRepeatsUnderTheSameTermsOnly(t *testing.T) {
	d := openDesk(t, testConfig(t))
	first := d.post(batchesTarget, d.batchOf("batch1", 3))
	if c := d.hear(); c.event != wire.EventBatchFinished || c.said["success_num"] != 3.0 || c.said["success_amount"] != 6.0 || c.said["fail_num"] != 0.0 {
		t.Errorf("heard %+v", c)
	}
	if again := d.post(batchesTarget, d.batchOf("batch1", 3)); again.said["batch_id"] != first.said["batch_id"] || again.said["batch_status"] != states.BatchFinished {
		t.Errorf("repeated: %+v, first %+v", again, first)
	}
	for name, turn := range map[string]func(object){
		"name":   func(b object) { b["batch_name"] = "another" },
		"remark": func(b object) { b["batch_remark"] = "another" },
		"scene":  func(b object) { b["transfer_scene_id"] = "1001" },
		"hook":   func(b object) { b["notify_url"] = "http://h/another" },
		"payee":  func(b object) { b["transfer_detail_list"].([]object)[2]["openid"] = "another" },
		"less": func(b object) {
			b["transfer_detail_list"], b["total_num"], b["total_amount"] = b["transfer_detail_list"].([]object)[:2], 2, 3
		},
		"order": func(b object) {
			list := b["transfer_detail_list"].([]object)
			list[0], list[1] = list[1], list[0]
		},
	} {
		batch := d.batchOf("batch1", 3)
		turn(batch)
		if r := d.post(batchesTarget, batch); r.status != 400 || r.code() != "INVALID_REQUEST" {
			t.Errorf("another %s: %+v", name, r)
		}
	}
	if have := spell(d.movements()); have != "1 payout batch1x0 1, 2 payout batch1x1 2, 3 payout batch1x2 3" {
		t.Errorf("moved %s", have)
	}
}

// TestBatchUnderWayShowsNoDetails follows a batch from its acceptance to its end,
// and then to the end of the provider's memory.
func TestBatchUnderWayShowsNoDetails(t *testing.T) {
	var clock clock
	cfg := testConfig(t)
	cfg.Now = clock.now
	d := openDesk(t, cfg)
	d.lie(`{"rules": [{"lie": "slow_acceptance", "no": "batch1", "times": 1, "later_ms": 3600000}]}`)
	accepted := d.post(batchesTarget, d.batchOf("batch1", 3))
	for _, step := range []struct{ batch, Detail string }{{states.Accepted, states.DetailWaiting}, {states.Processing, states.Processing}} {
		info := d.get(batchTarget("batch1") + "?need_query_detail=true&detail_status=ALL").said
		if in(info, "transfer_batch.batch_status") != step.batch || in(info, "transfer_batch.success_num") != 0.0 || in(info, "transfer_batch.fail_num") != 0.0 || info["transfer_detail_list"] != nil {
			t.Errorf("%s: %v", step.batch, info)
		}
		if one := d.detail("batch1", 1); one["detail_status"] != step.Detail || one["transfer_amount"] != 2.0 || one["openid"] != "payee-of-batch1x1" {
			t.Errorf("%s: detail %v", step.batch, one)
		}
		clock.pass(35 * time.Minute)
	}
	if n := len(d.movements()); n != 0 {
		t.Errorf("%d movements before the batch was carried out", n)
	}
	d.stop()
	d.open() // after its time
	if c := d.hear(); c.said["batch_id"] != accepted.said["batch_id"] || c.said["batch_status"] != states.BatchFinished {
		t.Errorf("heard %+v", c)
	}
	all := d.movements()
	if one := d.detail("batch1", 1); one["detail_status"] != states.Transferred || one["detail_id"] != all[1].ProviderNo || one["fail_reason"] != nil {
		t.Errorf("ended: detail %v, moved %+v", one, all[1])
	}
	if r := d.get(batchTarget("batch1")); in(r.said, "transfer_batch.batch_status") != states.BatchFinished || r.said["transfer_detail_list"] != nil {
		t.Errorf("ended, details not asked for: %+v", r)
	}
	clock.pass(batchDaysMax * 24 * time.Hour)
	if r := d.get(batchTarget("batch1")); r.status != 404 {
		t.Errorf("after %d days: %+v", batchDaysMax, r)
	}
	if r := d.post(batchesTarget, d.batchOf("batch1", 3)); r.status != 200 || len(d.movements()) != 3 {
		t.Errorf("repeated after %d days: %+v", batchDaysMax, r)
	}
}

func TestDetailsComeInPages(t *testing.T) {
	d := openDesk(t, testConfig(t))
	d.lie(`{"rules": [{"lie": "refuse_limit", "no": "batch1x3", "times": 1}, {"lie": "refuse_closed", "party": "payee-of-batch1x40", "times": 1}]}`)
	d.payOutBatch("batch1", 45)
	if c := d.hear(); c.said["success_num"] != 43.0 || c.said["fail_num"] != 2.0 || c.said["fail_amount"] != 45.0 || c.said["success_amount"] != float64(45*46/2-45) {
		t.Errorf("heard %+v", c)
	}
	for query, want := range map[string]string{
		"detail_status=FAIL":                       "x3 FAIL, x40 FAIL",
		"detail_status=FAIL&offset=1":              "x40 FAIL",
		"detail_status=FAIL&offset=2":              "",
		"detail_status=ALL&offset=40&limit=100":    "x40 FAIL, x41 SUCCESS, x42 SUCCESS, x43 SUCCESS, x44 SUCCESS",
		"detail_status=SUCCESS&offset=40&limit=20": "x42 SUCCESS, x43 SUCCESS, x44 SUCCESS",
		"":                              "400 PARAM_ERROR",
		"detail_status=PAID":            "400 PARAM_ERROR",
		"detail_status=ALL&limit=19":    "400 PARAM_ERROR",
		"detail_status=ALL&limit=101":   "400 PARAM_ERROR",
		"detail_status=ALL&offset=-1":   "400 PARAM_ERROR",
		"detail_status=ALL&offset=many": "400 PARAM_ERROR",
	} {
		if have := d.details("batch1", query); have != want {
			t.Errorf("%s: %s, want %s", query, have, want)
		}
	}
	for limit, want := range map[string]int{"": 20, "&limit=30": 30, "&limit=100": 45} {
		if have := strings.Count(d.details("batch1", "detail_status=ALL"+limit), "x"); have != want {
			t.Errorf("limit %q: %d, want %d", limit, have, want)
		}
	}
	for i, reason := range map[int]any{3: states.ReasonLimit, 40: states.ReasonClosed, 4: nil} {
		if one := d.detail("batch1", i); one["fail_reason"] != reason || (one["detail_status"] == states.Failed) != (reason != nil) {
			t.Errorf("detail %d: %v", i, one)
		}
	}
	if n := len(d.movements()); n != 43 {
		t.Errorf("%d movements, want 43", n)
	}
}

// TestLargestBatchIsReadBack has everything as long as it may be, and twice that
// where it is escaped.
func TestLargestBatchIsReadBack(t *testing.T) {
	d := openDesk(t, testConfig(t))
	d.lie(`{"rates": {"refuse_limit": 1}}`)
	batch := d.batchOf("batch1", ledger.DetailsInBatchMax)
	for i, detail := range batch["transfer_detail_list"].([]object) {
		detail["out_detail_no"] = fmt.Sprintf("%032d", i)
		detail["openid"], detail["transfer_remark"] = strings.Repeat(`"`, wire.OpenIDBytesMax), strings.Repeat("\x01", wire.TransferRemarkMax)
	}
	if r := d.post(batchesTarget, batch); r.status != 200 {
		t.Fatalf("%+v", r)
	}
	if c := d.hear(); c.said["fail_num"] != float64(ledger.DetailsInBatchMax) {
		t.Errorf("heard %+v", c)
	}
	d.stop()
	d.open()
	if r := d.post(batchesTarget, batch); r.status != 200 || r.said["batch_status"] != states.BatchFinished {
		t.Errorf("read back: %+v", r)
	}
}
