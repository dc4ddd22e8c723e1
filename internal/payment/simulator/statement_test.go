package simulator

import (
	"crypto/sha1"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"hongbao/internal/payment/apiv3"
	"hongbao/internal/payment/simulator/wire"
)

const (
	tradeTarget = "/v3/bill/tradebill?bill_date="
	fundTarget  = "/v3/bill/fundflowbill?bill_date="
)

// fetch downloads a statement; its hash has to be the promised one.
func (d *desk) fetch(ready reply) string {
	d.t.Helper()
	if ready.status != 200 {
		d.t.Fatalf("statement: %+v", ready)
	}
	status, text := d.raw(strings.TrimPrefix(ready.said["download_url"].(string), d.base))
	if sum := sha1.Sum([]byte(text)); status != 200 || hex.EncodeToString(sum[:]) != ready.said["hash_value"] {
		d.t.Errorf("download: %d %s", status, text)
	}
	return text
}

// raw is a signed GET whose answer is not looked at.
func (d *desk) raw(target string) (int, string) {
	d.t.Helper()
	auth, err := apiv3.Authorize(d.key, testMerchant, testSerial, d.cfg.Now(), "GET", target, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	req, err := http.NewRequest("GET", d.base+target, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Authorization", auth.String())
	res, err := d.web.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func TestBillsAreThereFromTenTheNextMorning(t *testing.T) {
	var clock clock
	cfg := testConfig(t)
	cfg.Now = clock.now
	// Noon of a day, in the provider's zone.
	noon := time.Date(2030, 6, 15, 12, 0, 0, 0, wire.Zone())
	clock.pass(time.Until(noon))
	d := openDesk(t, cfg)
	d.paid("order-1", 1000)
	for _, row := range []struct {
		target, code string
		after        time.Duration
	}{
		{tradeTarget + "2030-06-15", "PARAM_ERROR", 0},
		{tradeTarget + "2030-06-16", "PARAM_ERROR", 0},
		{tradeTarget + "2030-06-15", "STATEMENT_CREATING", 13 * time.Hour},
		{tradeTarget + "2030-06-15", "", 9 * time.Hour},
		{tradeTarget + "2030-06-14", "NO_STATEMENT_EXIST", 0},
		{tradeTarget + "2030-06-15&bill_type=REFUND", "NO_STATEMENT_EXIST", 0},
		{fundTarget + "2030-06-15&account_type=FEES", "NO_STATEMENT_EXIST", 0},
		{tradeTarget + "2030-6-15", "PARAM_ERROR", 0},
		{tradeTarget + "2030-06-15&bill_type=NONE", "PARAM_ERROR", 0},
		{tradeTarget + "2030-06-15&tar_type=ZIP", "PARAM_ERROR", 0},
		{tradeTarget + "2030-06-15", "PARAM_ERROR", 91 * 24 * time.Hour},
	} {
		clock.pass(row.after)
		r := d.get(row.target)
		if code, _ := r.code().(string); code != row.code || (r.status == 200) != (row.code == "") {
			t.Errorf("%s %v later: %+v, want %s", row.target, row.after, r, row.code)
		}
	}
}

// TestStatementKeepsItsHash fetches a bill of today after more has moved.
func TestStatementKeepsItsHash(t *testing.T) {
	cfg := testConfig(t)
	cfg.BillsAtOnce = true
	d := openDesk(t, cfg)
	d.paid("order-1", 1000)
	day := time.Now().In(wire.Zone()).Format(time.DateOnly)
	ready := d.get(fundTarget + day)
	d.paid("order-2", 1000)
	d.post(refundsTarget, d.refundOf("refund-2", "order-2", 1000, 1000))
	d.hear()
	if text := d.fetch(ready); strings.Contains(text, "order-2") || !strings.Contains(text, "order-1") {
		t.Errorf("asked for before, it has %s", text)
	}
	if text := d.fetch(d.get(fundTarget + day)); !strings.Contains(text, "`1000000010.00,`system") || !strings.Contains(text, "`1000000020.00,`system") {
		t.Errorf("balances: %s", text)
	}
	success, refunds := d.fetch(d.get(tradeTarget+day+"&bill_type=SUCCESS")), d.fetch(d.get(tradeTarget+day+"&bill_type=REFUND"))
	if strings.Contains(success, "refund-2") || strings.Count(success, "order-") != 2 {
		t.Errorf("SUCCESS: %s", success)
	}
	if !strings.Contains(refunds, "refund-2") || strings.Count(refunds, "order-") != 1 || !strings.Contains(refunds, "退款成功时间") {
		t.Errorf("REFUND: %s", refunds)
	}
}

func TestDownloadsAreSignedAndExpire(t *testing.T) {
	var clock clock
	cfg := testConfig(t)
	cfg.BillsAtOnce, cfg.Now = true, clock.now
	d := openDesk(t, cfg)
	d.paid("order-1", 1000)
	target := strings.TrimPrefix(d.get(tradeTarget + time.Now().In(wire.Zone()).Format(time.DateOnly)).said["download_url"].(string), d.base)
	if code := d.tool("GET", target, "", nil); code != 401 {
		t.Errorf("unsigned: %d", code)
	}
	if status, text := d.raw(target + "x"); status != 400 {
		t.Errorf("changed: %d %s", status, text)
	}
	if status, _ := d.raw(target); status != 200 {
		t.Errorf("in time: %d", status)
	}
	clock.pass(downloadMax + time.Second)
	if status, text := d.raw(target); status != 400 || !strings.Contains(text, "PARAM_ERROR") {
		t.Errorf("late: %d %s", status, text)
	}
}

func TestYuanAreWrittenWithTwoDigits(t *testing.T) {
	if have := wire.Yuan(-5); have != "-0.05" {
		t.Errorf("%q", have)
	}
}
