package simulator

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"hongbao/internal/payment/simulator/refusal"
	"hongbao/internal/payment/simulator/states"
	"hongbao/internal/payment/simulator/wire"
)

// as makes a body of a text with the desk's own values in it. SLASHED is the hook as
// PHP writes it.
func (d *desk) as(text string, more ...string) string {
	pairs := append([]string{"APP", testApp, "MCH", testMerchant, "HOOK", d.hook, "SLASHED", strings.ReplaceAll(d.hook, "/", `\/`)}, more...)
	return strings.NewReplacer(pairs...).Replace(text)
}

// chargesOfSDKs are charges in the words, the order and the spelling of SDKs, with
// what their own examples put in, read in wechatpay-go 6dbd7ce, wechatpay-java
// 1dab7be, wechatpay-php bd2148e, wechatpay-node-v3-ts 246f12c and wechatpayv3
// b0408d9. The Go SDK sorts members and ends with a line feed, PHP escapes slashes and
// all but ASCII, Python writes spaces and leaves out what is not given; Java and
// Node write no space. SIMPLE is the merchant's number.
var chargesOfSDKs = map[string]string{
	"wechatpay-go": `{"amount":{"currency":"CNY","total":100},"appid":"APP","attach":"自定义数据说明","description":"Image形象店-深圳腾大-QQ公仔","detail":{"cost_price":608800,"goods_detail":[{"goods_name":"iPhoneX 256G","merchant_goods_id":"ABC","quantity":1,"unit_price":828800,"wechatpay_goods_id":"1001"}],"invoice_id":"wx123"},"goods_tag":"WXG","limit_pay":["LimitPay_example"],"mchid":"MCH","notify_url":"HOOK","out_trade_no":"SIMPLE","scene_info":{"device_id":"013467007045764","payer_client_ip":"14.23.150.211","store_info":{"address":"广东省深圳市南山区科技中一道10000号","area_code":"440305","id":"0001","name":"腾讯大厦分店"}},"settle_info":{"profit_sharing":false},"support_fapiao":false,"time_expire":"2099-01-01T00:00:00+08:00"}
`,
	"wechatpay-java": `{"appid":"APP","mchid":"MCH","description":"测试商品标题","out_trade_no":"SIMPLE","notify_url":"HOOK","amount":{"total":100}}`,
	"wechatpay-php":  `{"mchid":"MCH","out_trade_no":"SIMPLE","appid":"APP","description":"Image\u5f62\u8c61\u5e97-\u6df1\u5733\u817e\u5927-QQ\u516c\u4ed4","notify_url":"SLASHED","amount":{"total":100,"currency":"CNY"}}`,
	"wechatpay-node": `{"appid":"APP","mchid":"MCH","description":"测试","out_trade_no":"SIMPLE","notify_url":"HOOK","amount":{"total":100},"scene_info":{"payer_client_ip":"ip"}}`,
	"wechatpayv3":    `{"notify_url": "HOOK", "description": "Image\u5f62\u8c61\u5e97-\u6df1\u5733\u817e\u5927-QQ\u516c\u4ed4", "out_trade_no": "SIMPLE", "amount": {"total": 100}, "scene_info": {"payer_client_ip": "14.23.150.211", "device_id": "013467007045764", "store_info": {"id": "0001"}}, "time_expire": "2099-01-01T00:00:00+08:00", "attach": "x", "goods_tag": "WXG", "detail": {"cost_price": 608800, "invoice_id": "\u5fae\u4fe1123", "goods_detail": [{"merchant_goods_id": "ABC", "quantity": 1, "unit_price": 828800}]}, "settle_info": {"profit_sharing": false}, "appid": "APP", "mchid": "MCH", "support_fapiao": true}`,
	// No SDK here writes these: of other languages some do.
	"nulls and fractions of a second": `{"appid": "APP", "mchid": "MCH", "description": "x", "out_trade_no": "SIMPLE", "notify_url": "HOOK", "amount": {"total": 100, "currency": "CNY"}, "time_expire": "2099-01-01T00:00:00.123456789+08:00", "detail": null}`,
}

// FS31
func TestChargesAreTakenAsSDKsSendThem(t *testing.T) {
	d := openDesk(t, testConfig(t))
	n := 0
	for sdk, body := range chargesOfSDKs {
		n++
		no := fmt.Sprint("order-", n)
		body = d.as(body, "SIMPLE", no)
		first, again := d.post(nativeTarget, body), d.post(nativeTarget, body)
		if first.status != 200 || first.said["code_url"] == nil || again.said["code_url"] != first.said["code_url"] {
			t.Errorf("%s: %+v, repeated %+v", sdk, first, again)
			continue
		}
		d.payAt(first)
		d.hear()
		if r := d.get(chargeTarget(no)); r.said["trade_state"] != states.Paid || in(r.said, "amount.currency") != wire.Currency {
			t.Errorf("%s: %+v", sdk, r)
		}
	}
}

// FS31
func TestAChargeWithoutExpiryLivesSevenDays(t *testing.T) {
	var clock clock
	cfg := testConfig(t)
	cfg.Now = clock.now
	d := openDesk(t, cfg)
	body := d.as(chargesOfSDKs["wechatpay-java"], "SIMPLE", "order-1")
	d.post(nativeTarget, body)
	clock.pass(wire.ExpiresAfter - time.Minute)
	if r := d.post(nativeTarget, body); r.status != 200 {
		t.Errorf("repeated within its time: %+v", r)
	}
	clock.pass(2 * time.Minute)
	if r := d.get(chargeTarget("order-1")); r.said["trade_state"] != states.Closed {
		t.Errorf("afterwards: %+v", r)
	}
}

// FS31: what the merchant attached comes back everywhere, and belongs to the terms.
func TestWhatIsAttachedComesBack(t *testing.T) {
	cfg := testConfig(t)
	cfg.BillsAtOnce = true
	d := openDesk(t, cfg)
	body := d.chargeOf("order-1", 1000)
	body["attach"] = "shop 7"
	placed := d.post(nativeTarget, body)
	body["attach"] = "shop 8"
	if r := d.post(nativeTarget, body); r.status != 403 || r.code() != "OUT_TRADE_NO_USED" {
		t.Errorf("another attachment: %+v", r)
	}
	d.payAt(placed)
	if c := d.hear(); c.said["attach"] != "shop 7" {
		t.Errorf("heard %+v", c)
	}
	d.stop()
	d.open()
	if r := d.get(chargeTarget("order-1")); r.said["attach"] != "shop 7" {
		t.Errorf("asked: %+v", r)
	}
	if text := d.fetch(d.get(tradeTarget + today())); !strings.Contains(text, "`shop 7") {
		t.Errorf("billed: %s", text)
	}
}

// FS31
func TestRefundsAreTakenAsSDKsSendThem(t *testing.T) {
	d := openDesk(t, testConfig(t))
	d.paid("order-1", 1000)
	id := d.get(chargeTarget("order-1")).said["transaction_id"].(string)
	n := 0
	for sdk, body := range map[string]string{
		"wechatpay-go":   `{"amount":{"currency":"CNY","from":[{"account":"AVAILABLE","amount":10}],"refund":10,"total":1000},"funds_account":"AVAILABLE","goods_detail":[{"goods_name":"iPhone6s 16G","merchant_goods_id":"1217752501201407033233368018","refund_amount":528800,"refund_quantity":1,"unit_price":528800,"wechatpay_goods_id":"1001"}],"notify_url":"HOOK","out_refund_no":"SIMPLE","out_trade_no":"order-1","reason":"商品已售完","transaction_id":"TRANSACTION"}` + "\n",
		"wechatpay-java": `{"transaction_id":"TRANSACTION","out_refund_no":"SIMPLE","reason":"商品已售完","notify_url":"HOOK","amount":{"refund":10,"total":1000,"currency":"CNY"},"funds_account":"AVAILABLE"}`,
		"wechatpay-php":  `{"transaction_id":"TRANSACTION","out_refund_no":"SIMPLE","amount":{"refund":10,"total":1000,"currency":"CNY"}}`,
		"wechatpay-node": `{"out_trade_no":"order-1","out_refund_no":"SIMPLE","notify_url":"HOOK","amount":{"total":1000,"currency":"CNY","refund":10}}`,
		"wechatpayv3":    `{"notify_url": "HOOK", "out_refund_no": "SIMPLE", "amount": {"refund": 10, "total": 1000, "currency": "CNY"}, "transaction_id": "TRANSACTION", "reason": "\u5546\u54c1\u5df2\u552e\u5b8c", "funds_account": "UNSETTLED"}`,
	} {
		n++
		no := fmt.Sprint("refund-", n)
		r := d.post(refundsTarget, d.as(body, "SIMPLE", no, "TRANSACTION", id))
		if r.status != 200 || r.said["out_trade_no"] != "order-1" || r.said["transaction_id"] != id || r.said["funds_account"] == "" {
			t.Errorf("%s: %+v", sdk, r)
			continue
		}
		if !strings.Contains(body, "notify_url") { // PHP's example names none
			d.until(refundTarget(no), "status", states.RefundSuccess)
			continue
		}
		if c := d.hear(); c.said["out_refund_no"] != no || c.said["refund_status"] != states.RefundSuccess {
			t.Errorf("%s: heard %+v", sdk, c)
		}
	}
	// One that names no address has no notification; and both numbers are one terms.
	quiet := d.refundOf("quiet", "", 10, 1000)
	delete(quiet, "notify_url")
	delete(quiet, "out_trade_no")
	quiet["transaction_id"] = id
	d.post(refundsTarget, quiet)
	d.until(refundTarget("quiet"), "status", states.RefundSuccess)
	quiet["out_trade_no"] = "order-1"
	if r := d.post(refundsTarget, quiet); r.status != 200 {
		t.Errorf("by the other number: %+v", r)
	}
	d.paid("order-2", 1000)
	quiet["out_trade_no"], quiet["out_refund_no"] = "order-2", "mixed"
	if r := d.post(refundsTarget, quiet); r.status != 400 || r.code() != "INVALID_REQUEST" {
		t.Errorf("two charges: %+v", r)
	}
}

// FS31: what is wrong is said in the merchant's terms, where the provider says it.
func TestRefusalsNameTheFieldAndNoGoTypes(t *testing.T) {
	d := openDesk(t, testConfig(t))
	d.paid("order-1", 1000)
	charge := func(field string, value any) object {
		body := d.chargeOf("order-9", 1000)
		body[field] = value
		return body
	}
	refund := d.refundOf("refund-1", "order-1", 1, 1000)
	refund["amount"] = object{"refund": 1, "total": 1000, "currency": "USD"}
	batch := d.batchOf("batch1", 2)
	batch["transfer_detail_list"].([]object)[1]["openid"] = "a b"
	for _, row := range []struct {
		method, target string
		body           any
		field, where   string
		value          any
		issue          string
	}{
		{"POST", nativeTarget, charge("amount", object{"total": 0}), "/amount/total", refusal.InBody, 0.0, "want 1 to"},
		{"POST", nativeTarget, charge("amount", object{"total": "1"}), "/amount/total", refusal.InBody, "1", "want a whole number"},
		{"POST", nativeTarget, charge("amount", object{"total": 1.5}), "/amount/total", refusal.InBody, 1.5, "want a whole number"},
		{"POST", nativeTarget, charge("amount", 7), "/amount", refusal.InBody, 7.0, "want an object"},
		{"POST", nativeTarget, charge("amount", object{"total": 1, "currency": "USD"}), "/amount/currency", refusal.InBody, "USD", "want CNY"},
		{"POST", nativeTarget, charge("description", 5), "/description", refusal.InBody, 5.0, "want text"},
		{"POST", nativeTarget, charge("support_fapiao", "yes"), "/support_fapiao", refusal.InBody, "yes", "want true or false"},
		{"POST", nativeTarget, charge("detail", object{"goods_detail": 1}), "/detail/goods_detail", refusal.InBody, 1.0, "want a list"},
		{"POST", nativeTarget, charge("scene_info", object{}), "/scene_info/payer_client_ip", refusal.InBody, nil, "want 1 to"},
		{"POST", nativeTarget, charge("attach", strings.Repeat("附", wire.AttachMax+1)), "/attach", refusal.InBody, strings.Repeat("附", 21) + "…", "want at most"},
		{"POST", nativeTarget, charge("time_expire", "tomorrow"), "/time_expire", refusal.InBody, "tomorrow", "want RFC 3339"},
		{"POST", nativeTarget, `{"appid":"a","appid":"b"}`, "/appid", refusal.InBody, nil, "comes twice"},
		{"POST", nativeTarget, `[]`, "", refusal.InBody, nil, "want an object"},
		{"POST", nativeTarget, `{"appid":`, "/appid", refusal.InBody, nil, "not JSON"},
		{"POST", nativeTarget, ``, "", refusal.InBody, nil, "not JSON"},
		{"POST", refundsTarget, refund, "/amount/currency", refusal.InBody, "USD", "want CNY"},
		{"POST", batchesTarget, batch, "/transfer_detail_list/1/openid", refusal.InBody, "a b", "visible ASCII"},
		{"GET", chargeTarget("order-1") + "9", nil, "mchid", refusal.InQuery, testMerchant + "9", "the merchant that signs"},
		{"GET", tradeTarget + "yesterday", nil, "bill_date", refusal.InQuery, "yesterday", "want a day"},
	} {
		r := d.honest(row.method, row.target, row.body)
		issue, _ := in(r.said, "detail.issue").(string)
		message, _ := r.said["message"].(string)
		if r.status != 400 || r.code() != "PARAM_ERROR" || in(r.said, "detail.field") != row.field || in(r.said, "detail.location") != row.where ||
			in(r.said, "detail.value") != row.value || !strings.Contains(issue, row.issue) || !strings.HasSuffix(message, issue) {
			t.Errorf("%s %s %v: %+v, want %+v", row.method, row.target, row.body, r, row)
		}
		for _, private := range []string{"simulator", "Go ", "struct", "int64", "json:", "jsontext"} {
			if strings.Contains(message, private) {
				t.Errorf("%v: says %q", row.body, message)
			}
		}
	}
	var no refusal.Refusal
	if code := d.tool("PUT", "/simulator/lies", `{"rates":{},"color":1}`, &no); code != 400 || no.Message != "color: is unknown" {
		t.Errorf("lies: %d %+v", code, no)
	}
	if r := d.ask(context.Background(), "POST", nativeTarget, charge("amount", object{"total": -1})); r.signature != nil {
		t.Errorf("a refusal is not signed: %v", r.signature)
	}
}

// FS31
func TestEveryAnswerHasItsRequestID(t *testing.T) {
	d := openDesk(t, testConfig(t))
	d.paid("order-1", 1000)
	d.lie(`{"rules":[{"lie":"outage","kind":"charge","no":"order-2","times":1}]}`)
	seen := map[string]bool{}
	for target, status := range map[string]int{
		chargeTarget("order-1"): 200, chargeTarget("order-9"): 404, chargeTarget("order-2"): 503, "/v3/none": 404, "/healthz": 200,
	} {
		r := signedRequest(t, http.MethodGet, target, "", d.cfg.Now())
		have, _, header := serve(d.s, r)
		if id := header.Get("Request-ID"); have != status || id == "" || seen[id] {
			t.Errorf("%s: %d, Request-ID %q", target, have, id)
		} else {
			seen[id] = true
		}
	}
}

// FS31
func TestBillsArePlainText(t *testing.T) {
	cfg := testConfig(t)
	cfg.BillsAtOnce = true
	d := openDesk(t, cfg)
	d.paid("order-1", 1000)
	for _, packed := range []string{"", "&tar_type=GZIP"} {
		ready := d.get(tradeTarget + today() + packed)
		target := strings.TrimPrefix(ready.said["download_url"].(string), d.base)
		_, _, header := serve(d.s, signedRequest(t, http.MethodGet, target, "", d.cfg.Now()))
		if kind := header.Get("Content-Type"); !strings.HasPrefix(kind, "text/plain") {
			t.Errorf("%q: %s", packed, kind)
		}
	}
}

// today is the provider's.
func today() string { return time.Now().In(wire.Zone()).Format(time.DateOnly) }
