package simulator

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"hongbao/internal/payment/simulator/states"
)

// batchesOfSDKs are batches of payouts as the SDKs of chargesOfSDKs write them. The
// scene is optional in all of them, and left out in Node's own example; a name is
// encrypted by the Go and Java SDKs themselves.
var batchesOfSDKs = map[string]string{
	"wechatpay-go": `{"appid":"APP","batch_name":"2019年1月深圳分部报销单","batch_remark":"2019年1月深圳分部报销单","notify_url":"HOOK","out_batch_no":"SIMPLE","total_amount":200,"total_num":1,"transfer_detail_list":[{"openid":"o-MYE42l80oelYMDE34nYD456Xoy","out_detail_no":"SIMPLEx0","transfer_amount":200,"transfer_remark":"2020年4月报销","user_name":"SEALED"}],"transfer_scene_id":"1000"}
`,
	"wechatpay-java": `{"appid":"APP","out_batch_no":"SIMPLE","batch_name":"报销单","batch_remark":"报销单","total_amount":200,"total_num":1,"transfer_detail_list":[{"out_detail_no":"SIMPLEx0","transfer_amount":200,"transfer_remark":"报销","openid":"o-MYE42l80oelYMDE34nYD456Xoy","user_name":"SEALED"}],"transfer_scene_id":"1000","notify_url":"HOOK"}`,
	"wechatpay-node": `{"appid":"APP","out_batch_no":"SIMPLE","batch_name":"2019年1月深圳分部报销单","batch_remark":"2019年1月深圳分部报销单","total_amount":200,"total_num":1,"transfer_detail_list":[{"out_detail_no":"SIMPLEx0","transfer_amount":200,"transfer_remark":"2020年4月报销","openid":"o-MYE42l80oelYMDE34nYD456Xoy","user_name":"SEALED"}]}`,
	"wechatpayv3":    `{"out_batch_no": "SIMPLE", "batch_name": "\u62a5\u9500", "batch_remark": "\u62a5\u9500", "total_amount": 200, "total_num": 1, "transfer_detail_list": [{"out_detail_no": "SIMPLEx0", "transfer_amount": 200, "transfer_remark": "\u62a5\u9500", "openid": "o-MYE42l80oelYMDE34nYD456Xoy", "user_name": "SEALED"}], "appid": "APP", "notify_url": "HOOK", "transfer_scene_id": "1001"}`,
}

// sealed is a name as SDKs encrypt it.
func (d *desk) sealed(name string) string {
	d.t.Helper()
	sealed, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, &d.cfg.PlatformKey.PublicKey, []byte(name), nil)
	if err != nil {
		d.t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(sealed)
}

// FS31: batches as SDKs send them, and the questions about them.
func TestBatchesAreTakenAsSDKsSendThem(t *testing.T) {
	d := openDesk(t, testConfig(t))
	n := 0
	for sdk, body := range batchesOfSDKs {
		n++
		no := fmt.Sprint("batch", n)
		r := d.post(batchesTarget, d.as(body, "SIMPLE", no, "SEALED", d.sealed("张三")))
		if r.status != 200 || r.said["out_batch_no"] != no || r.said["batch_id"] == "" {
			t.Errorf("%s: %+v", sdk, r)
			continue
		}
		d.until(batchTarget(no)+"?need_query_detail=false&offset=0&limit=20", "transfer_batch.batch_status", states.BatchFinished)
		byID := batchesTarget + "/batch-id/" + r.said["batch_id"].(string)
		for _, target := range []string{
			byID + "?detail_status=ALL&limit=20&need_query_detail=true&offset=0",                // wechatpay-go
			batchTarget(no) + "?need_query_detail=true&offset=0&limit=20&detail_status=ALL",     // wechatpay-java, wechatpay-node
			batchTarget(no) + "?need_query_detail=true&detail_status=SUCCESS&offset=0&limit=20", // wechatpayv3
		} {
			if r := d.get(target); r.status != 200 || len(r.said["transfer_detail_list"].([]any)) != 1 {
				t.Errorf("%s: %s: %+v", sdk, target, r)
			}
		}
		if r := d.detail(no, 0); r["detail_status"] != states.Transferred {
			t.Errorf("%s: its detail: %+v", sdk, r)
		}
	}
}

// FS31: bills are of wechatpayv3 alone. An address that is not configured is null, a
// name is encrypted, and what becomes of one is asked, or stopped, without a body.
func TestBillsAreTakenAsTheSDKSendsThem(t *testing.T) {
	d := openDesk(t, testConfig(t))
	const bill = `{"out_bill_no": "payout1", "transfer_scene_id": "1000", "openid": "o-MYE42l80oelYMDE34nYD456Xoy", "transfer_amount": 100, "transfer_remark": "\u7ea2\u5305", "user_name": "SEALED", "user_recv_perception": "\u73b0\u91d1\u5956\u52b1", "transfer_scene_report_infos": [{"info_type": "\u6d3b\u52a8\u540d\u79f0", "info_content": "\u65b0\u4f1a\u5458\u6709\u793c"}, {"info_type": "\u5956\u52b1\u8bf4\u660e", "info_content": "\u6ce8\u518c\u4f1a\u5458\u62bd\u5956"}], "appid": "APP", "notify_url": null}`
	r := d.post(transfersTarget, d.as(bill, "SEALED", d.sealed("张三")))
	if r.status != 200 || r.said["out_bill_no"] != "payout1" || r.said["transfer_bill_no"] == "" {
		t.Fatalf("%+v", r)
	}
	d.until(transfersTarget+"/transfer-bill-no/"+r.said["transfer_bill_no"].(string), "state", states.Transferred)
	styled := d.transferOf("payout2", 100) // a member of the provider's document that no SDK here has
	styled["user_recv_style"] = object{"type": "RED_PACKET"}
	if r := d.post(transfersTarget, styled); r.status != 200 {
		t.Errorf("with a style: %+v", r)
	}
}

// FS31: statements as SDKs ask for them: each in its own order.
func TestStatementsAreGivenAsSDKsAskForThem(t *testing.T) {
	cfg := testConfig(t)
	cfg.BillsAtOnce = true
	d := openDesk(t, cfg)
	d.paid("order-1", 1000)
	for sdk, query := range map[string]string{
		"wechatpay-java": "/v3/bill/tradebill?bill_date=DAY&bill_type=ALL&tar_type=GZIP",
		"wechatpay-node": "/v3/bill/tradebill?bill_date=DAY&bill_type=ALL",
		"wechatpayv3":    "/v3/bill/tradebill?bill_date=DAY&bill_type=ALL&tar_type=GZIP",
		"Java's funds":   "/v3/bill/fundflowbill?bill_date=DAY&account_type=BASIC",
		"Node's funds":   "/v3/bill/fundflowbill?account_type=BASIC&bill_date=DAY",
		"Python's funds": "/v3/bill/fundflowbill?bill_date=DAY&account_type=BASIC&tar_type=GZIP",
	} {
		ready := d.get(strings.ReplaceAll(query, "DAY", today()))
		if ready.status != 200 || ready.said["hash_type"] != "SHA1" || ready.said["hash_value"] == "" {
			t.Errorf("%s: %+v", sdk, ready)
			continue
		}
		if status, text := d.raw(strings.TrimPrefix(ready.said["download_url"].(string), d.base)); status != 200 || text == "" {
			t.Errorf("%s: %d, %d bytes", sdk, status, len(text))
		}
	}
}
