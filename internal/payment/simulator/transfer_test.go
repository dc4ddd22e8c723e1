package simulator

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"hongbao/internal/payment/simulator/refusal"
	"hongbao/internal/payment/simulator/states"
	"hongbao/internal/payment/simulator/wire"
)

func TestTransferRefusalsAreAsInProduction(t *testing.T) {
	cfg := testConfig(t)
	cfg.TransferMinFen = 10 // FS11
	d := openDesk(t, cfg)
	sealed, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, &cfg.PlatformKey.PublicKey, []byte("张三"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, field string
		value       any
		code        string // empty is accepted
	}{
		{"app", "appid", "wx1", "APPID_MCHID_NOT_MATCH"},
		{"short number", "out_bill_no", "1234", "PARAM_ERROR"},
		{"long number", "out_bill_no", strings.Repeat("1", 33), "PARAM_ERROR"},
		{"number", "out_bill_no", "payout-1", "PARAM_ERROR"},
		{"scene", "transfer_scene_id", "", "PARAM_ERROR"},
		{"no payee", "openid", "", "PARAM_ERROR"},
		{"long payee", "openid", strings.Repeat("x", 65), "PARAM_ERROR"},
		{"invisible payee", "openid", "a b", "PARAM_ERROR"},
		{"nothing", "transfer_amount", 0, "PARAM_ERROR"},
		{"less than is paid out", "transfer_amount", 9, "PARAM_ERROR"},
		{"null", "transfer_amount", nil, "PARAM_ERROR"},
		{"too much", "transfer_amount", wire.TransferFenMax + 1, "PARAM_ERROR"},
		{"much without a name", "transfer_amount", wire.TransferNamedFenFrom, "PARAM_ERROR"},
		{"a name in clear", "user_name", "张三", "PARAM_ERROR"},
		{"no remark", "transfer_remark", "", "PARAM_ERROR"},
		{"long remark", "transfer_remark", strings.Repeat("红", 33), "PARAM_ERROR"},
		{"nothing reported", "transfer_scene_report_infos", []object{}, "PARAM_ERROR"},
		{"no report", "transfer_scene_report_infos", nil, "PARAM_ERROR"},
		{"an empty report", "transfer_scene_report_infos", []object{{"info_type": "", "info_content": "x"}}, "PARAM_ERROR"},
		{"notify_url", "notify_url", "http://h/?q", "PARAM_ERROR"},
		{"another type", "transfer_amount", "10", "PARAM_ERROR"},
		{"the least", "transfer_amount", 10, ""},
		{"what is unknown is not looked at", "color", "red", ""},
		{"everything", "user_name", base64.StdEncoding.EncodeToString(sealed), ""},
	} {
		body := d.transferOf("payout1", 10)
		body[row.field] = row.value
		r := d.post(transfersTarget, body)
		if row.code == "" && r.status != 200 || row.code != "" && (r.status != 400 || r.code() != row.code) {
			t.Errorf("%s: %+v, want %s", row.name, r, row.code)
		}
	}
	for _, r := range []reply{d.get(transferTarget("payout9")), d.post(transferTarget("payout9")+"/cancel", nil)} {
		if r.status != 404 || r.code() != "NOT_FOUND" {
			t.Errorf("unknown: %+v", r)
		}
	}
}

func TestTransferRepeatsUnderTheSameTerms(t *testing.T) {
	d := openDesk(t, testConfig(t))
	first := d.post(transfersTarget, d.transferOf("payout1", 500))
	d.hear()
	if again := d.post(transfersTarget, d.transferOf("payout1", 500)); again.said["transfer_bill_no"] != first.said["transfer_bill_no"] || again.said["state"] != states.Transferred {
		t.Errorf("repeated: %+v, first %+v", again, first)
	}
	for field, value := range map[string]any{
		"transfer_amount": 501, "openid": "another", "transfer_remark": "another", "transfer_scene_id": "1001", "notify_url": "http://h/another",
	} {
		body := d.transferOf("payout1", 500)
		body[field] = value
		if r := d.post(transfersTarget, body); r.status != 400 || r.code() != "INVALID_REQUEST" {
			t.Errorf("another %s: %+v", field, r)
		}
	}
	if have := spell(d.movements()); have != "1 payout payout1 500" {
		t.Errorf("moved %s", have)
	}
}

func TestNoPayoutMovesUnconfirmed(t *testing.T) {
	cfg := testConfig(t)
	cfg.ConfirmAfter = Never
	d := openDesk(t, cfg)
	kept := d.post(transfersTarget, d.transferOf("payout1", 500))
	taken := d.post(transfersTarget, d.transferOf("payout2", 600))
	page := strings.TrimPrefix(kept.said["package_info"].(string), d.base)

	if r := d.post(transferTarget("payout2")+"/cancel", object{}); r.status != 200 || r.said["state"] != states.Canceling {
		t.Errorf("cancelling: %+v", r)
	}
	if c := d.hear(); c.said["state"] != states.Cancelled || c.said["out_bill_no"] != "payout2" {
		t.Errorf("heard %+v", c)
	}
	if r := d.post(transferTarget("payout2")+"/cancel", nil); r.status != 200 || r.said["state"] != states.Cancelled {
		t.Errorf("cancelled again: %+v", r)
	}
	var no refusal.Refusal
	if code := d.tool("POST", strings.TrimPrefix(taken.said["package_info"].(string), d.base), "", &no); code != 400 || no.Code != "INVALID_REQUEST" {
		t.Errorf("confirmed after it was cancelled: %d %+v", code, no)
	}
	if n := len(d.movements()); n != 0 {
		t.Errorf("%d movements before anyone confirmed", n)
	}
	var yes acknowledgement
	if code := d.tool("POST", page, "", &yes); code != 200 || yes.No != "payout1" {
		t.Errorf("confirmed: %d %+v", code, yes)
	}
	if c := d.hear(); c.said["state"] != states.Transferred {
		t.Errorf("heard %+v", c)
	}
	if r := d.post(transferTarget("payout1")+"/cancel", nil); r.status != 400 || r.code() != "INVALID_REQUEST" {
		t.Errorf("cancelled after it was paid: %+v", r)
	}
	if code := d.tool("POST", page, "", &yes); code != 200 || yes.State != states.Transferred {
		t.Errorf("confirmed again: %d %+v", code, yes)
	}
	if have := spell(d.movements()); have != "1 payout payout1 500" {
		t.Errorf("moved %s", have)
	}
}

func TestPayeesTimeEnds(t *testing.T) {
	var clock clock
	cfg := testConfig(t)
	cfg.ConfirmAfter, cfg.Now = Never, clock.now
	d := openDesk(t, cfg)
	d.payout("payout1")
	d.stop()
	clock.pass(confirmWaitMax)
	d.open()
	if c := d.hear(); c.said["state"] != states.Failed || c.said["fail_reason"] != states.ReasonOverdue {
		t.Errorf("heard %+v", c)
	}
}

// TestWorkInFlightSurvivesARestart stops with a refund processing, a payout up
// to its payee, and one canceling.
func TestWorkInFlightSurvivesARestart(t *testing.T) {
	cfg := testConfig(t)
	cfg.RefundAfter, cfg.ConfirmAfter, cfg.TransferAfter = time.Hour, time.Hour, time.Hour
	d := openDesk(t, cfg)
	d.paid("order-1", 1000)
	d.post(refundsTarget, d.refundOf("refund-1", "order-1", 10, 1000))
	d.payout("payout1")
	d.payout("payout2")
	d.post(transferTarget("payout2")+"/cancel", nil)
	d.stop()
	d.cfg.RefundAfter, d.cfg.ConfirmAfter, d.cfg.TransferAfter = time.Millisecond, time.Millisecond, time.Millisecond
	d.open()
	ends := map[any]any{}
	for range 3 {
		c := d.hear()
		if c.event == wire.EventRefundSuccess {
			ends[c.said["out_refund_no"]] = c.said["refund_status"]
		} else {
			ends[c.said["out_bill_no"]] = c.said["state"]
		}
	}
	if ends["refund-1"] != states.RefundSuccess || ends["payout1"] != states.Transferred || ends["payout2"] != states.Cancelled {
		t.Errorf("ended %v", ends)
	}
}

func TestPageShowsThePayeeWhatThereIs(t *testing.T) {
	cfg := testConfig(t)
	cfg.ConfirmAfter, cfg.TransferAfter = Never, time.Millisecond
	d := openDesk(t, cfg)
	body := d.transferOf("payout1", 1205)
	body["transfer_remark"] = `<script>alert(1)</script>`
	page := d.post(transfersTarget, body).said["package_info"].(string)
	m := &merchant{t: t, web: d.web}

	status, header, text := m.get(page)
	if status != 200 || !strings.Contains(text, "¥12.05") || !strings.Contains(text, `<form method="post"><button`) || strings.Contains(text, "<script") {
		t.Errorf("waiting: %d %s", status, text)
	}
	if policy := header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") {
		t.Errorf("policy %q", policy)
	}
	if status, text := m.pressInBrowser(page); status != 200 || strings.Contains(text, "<form") || !strings.Contains(text, "¥12.05") {
		t.Errorf("pressed: %d %s", status, text)
	}
	d.until(transferTarget("payout1"), "state", states.Transferred)
	if _, _, text = m.get(page); !strings.Contains(text, "已收款") {
		t.Errorf("afterwards: %s", text)
	}
	if status, _, text := m.get(d.base + "/confirm/nothing"); status != http.StatusNotFound || !strings.Contains(text, "没有这笔转账") {
		t.Errorf("unknown: %d %s", status, text)
	}
}
