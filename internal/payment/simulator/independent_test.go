// The provider as a stranger sees it: this file is a client of its own, made
// from the protocol's description with the standard library alone, so that a
// mistake shared by our client and our simulator has nowhere to hide.
package simulator_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	shopID     = "1900000001"
	shopApp    = "wx8888888888888888"
	shopSerial = "MERCHANT1"
	bankSerial = "PUB_KEY_ID_SIMULATOR"
)

// shop is a merchant.
type shop struct {
	t    *testing.T
	base string
	key  *rsa.PrivateKey
	bank *rsa.PublicKey
	seal []byte // the APIv3 key

	hook  string
	calls chan map[string]any // callbacks, decrypted; "event_type" and "original_type" added
}

// openShop starts a provider in a process of its own, and a shop in front of it.
func openShop(t *testing.T) *shop {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SIMULATOR_TEST_DIR="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	s := &shop{t: t, base: "http://" + strings.TrimSpace(addr), calls: make(chan map[string]any, 64)}
	private, err := x509.ParsePKCS8PrivateKey(s.pem(dir, "merchant.key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.ParsePKIXPublicKey(s.pem(dir, "platform.pub.pem"))
	if err != nil {
		t.Fatal(err)
	}
	s.key, s.bank = private.(*rsa.PrivateKey), public.(*rsa.PublicKey)
	if s.seal, err = os.ReadFile(filepath.Join(dir, "apiv3.key")); err != nil {
		t.Fatal(err)
	}
	hook := httptest.NewServer(http.HandlerFunc(s.called))
	t.Cleanup(hook.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	s.hook = hook.URL + "/hook"
	return s
}

func (s *shop) pem(dir, name string) []byte {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		s.t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	return block.Bytes
}

// ask sends a signed request and verifies the signed answer.
func (s *shop) ask(method, target string, body any) (int, map[string]any) {
	s.t.Helper()
	res, answer := s.send(method, target, body)
	if err := s.verify(res.Header, answer); err != nil {
		s.t.Fatalf("%s %s: %d %s: %v", method, target, res.StatusCode, answer, err)
	}
	values := map[string]any{}
	if len(answer) > 0 {
		if err := json.Unmarshal(answer, &values); err != nil {
			s.t.Fatalf("%s %s: %v", method, target, err)
		}
	}
	return res.StatusCode, values
}

func (s *shop) send(method, target string, body any) (*http.Response, []byte) {
	s.t.Helper()
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			s.t.Fatal(err)
		}
	}
	stamp, nonce := fmt.Sprint(time.Now().Unix()), hex.EncodeToString([]byte(rand.Text()))[:32]
	sum := sha256.Sum256([]byte(method + "\n" + target + "\n" + stamp + "\n" + nonce + "\n" + string(raw) + "\n"))
	signature, err := rsa.SignPKCS1v15(rand.Reader, s.key, crypto.SHA256, sum[:])
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := http.NewRequest(method, s.base+target, bytes.NewReader(raw))
	if err != nil {
		s.t.Fatal(err)
	}
	// The order of the parameters is free.
	req.Header.Set("Authorization", fmt.Sprintf(`WECHATPAY2-SHA256-RSA2048 serial_no="%s",signature="%s",mchid="%s",timestamp="%s",nonce_str="%s"`,
		shopSerial, base64.StdEncoding.EncodeToString(signature), shopID, stamp, nonce))
	req.Header.Set("Wechatpay-Serial", bankSerial)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res, answer
}

func (s *shop) verify(h http.Header, body []byte) error {
	if h.Get("Wechatpay-Serial") != bankSerial {
		return fmt.Errorf("signed under %q", h.Get("Wechatpay-Serial"))
	}
	signature, err := base64.StdEncoding.DecodeString(h.Get("Wechatpay-Signature"))
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(h.Get("Wechatpay-Timestamp") + "\n" + h.Get("Wechatpay-Nonce") + "\n" + string(body) + "\n"))
	return rsa.VerifyPKCS1v15(s.bank, crypto.SHA256, sum[:], signature)
}

// called takes a callback: verified, then decrypted.
func (s *shop) called(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = s.verify(r.Header, body)
	}
	var call struct {
		ID        string `json:"id"`
		EventType string `json:"event_type"`
		Type      string `json:"resource_type"`
		Resource  struct {
			Algorithm, Ciphertext, Nonce string
			AssociatedData               string `json:"associated_data"`
			OriginalType                 string `json:"original_type"`
		} `json:"resource"`
	}
	if err == nil {
		err = json.Unmarshal(body, &call)
	}
	var values map[string]any
	if err == nil {
		values, err = s.open(call.Resource.Ciphertext, call.Resource.Nonce, call.Resource.AssociatedData)
	}
	if err != nil || call.ID == "" || call.Type != "encrypt-resource" || call.Resource.Algorithm != "AEAD_AES_256_GCM" {
		s.t.Errorf("callback %s: %v", body, err)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	values["event_type"], values["original_type"] = call.EventType, call.Resource.OriginalType
	s.calls <- values
	w.WriteHeader(http.StatusNoContent)
}

// next waits for a callback.
func (s *shop) next() map[string]any {
	s.t.Helper()
	select {
	case values := <-s.calls:
		return values
	case <-time.After(20 * time.Second):
		s.t.Fatal("no callback")
		return nil
	}
}

func (s *shop) open(ciphertext, nonce, associated string) (values map[string]any, err error) {
	sealed, err := base64.StdEncoding.DecodeString(ciphertext)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(s.seal)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	if len(nonce) != gcm.NonceSize() {
		return nil, fmt.Errorf("nonce %q", nonce)
	}
	plain, err := gcm.Open(nil, []byte(nonce), sealed, []byte(associated))
	if err != nil {
		return nil, err
	}
	return values, json.Unmarshal(plain, &values)
}

// press is a wallet's button, or a tool's request.
func (s *shop) press(method, address, body string) map[string]any {
	s.t.Helper()
	req, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	values := map[string]any{}
	if err := json.NewDecoder(res.Body).Decode(&values); err != nil || res.StatusCode != 200 {
		s.t.Fatalf("%s %s: %d %v, %v", method, address, res.StatusCode, values, err)
	}
	return values
}

// want compares some fields; a dot goes into an object.
func (s *shop) want(what string, have map[string]any, pairs ...any) {
	s.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		var value any = have
		for step := range strings.SplitSeq(pairs[i].(string), ".") {
			object, _ := value.(map[string]any)
			value = object[step]
		}
		if fmt.Sprint(value) != fmt.Sprint(pairs[i+1]) {
			s.t.Errorf("%s: %s is %v, want %v in %v", what, pairs[i], value, pairs[i+1], have)
		}
	}
}

func TestAnIndependentClientDoesEverything(t *testing.T) {
	s := openShop(t)
	const order = "order-20260101-01"
	status, placed := s.ask("POST", "/v3/pay/transactions/native", map[string]any{
		"appid": shopApp, "mchid": shopID, "description": "恭喜 发财", "out_trade_no": order, "notify_url": s.hook,
		"time_expire": time.Now().Add(time.Hour).Format(time.RFC3339), "amount": map[string]any{"total": 10000, "currency": "CNY"},
	})
	if status != 200 {
		t.Fatalf("prepay: %d %v", status, placed)
	}
	paid := s.press("POST", placed["code_url"].(string), "")
	s.want("receipt", paid, "trade_state", "SUCCESS", "out_trade_no", nil, "order_no", order)
	heard := s.next()
	s.want("charge heard", heard, "event_type", "TRANSACTION.SUCCESS", "original_type", "transaction", "out_trade_no", order,
		"mchid", shopID, "amount.total", 10000, "amount.currency", "CNY", "transaction_id", paid["transaction_id"])
	query := "/v3/pay/transactions/out-trade-no/" + order + "?mchid=" + shopID
	_, charge := s.ask("GET", query, nil)
	s.want("charge", charge, "trade_state", "SUCCESS", "transaction_id", paid["transaction_id"], "amount.payer_total", 10000)
	if status, no := s.ask("POST", "/v3/pay/transactions/out-trade-no/"+order+"/close", map[string]any{"mchid": shopID}); status != 400 || no["code"] != "ORDERPAID" {
		t.Errorf("closed after it was paid: %d %v", status, no)
	}

	refundID := s.refundSome(order, query, heard)
	billNo := s.payOut()
	detailID := s.payOutTogether()
	s.readBills(order, paid["transaction_id"].(string), refundID, billNo, detailID)
}

func (s *shop) refundSome(order, query string, charge map[string]any) (refundID string) {
	s.t.Helper()
	status, refund := s.ask("POST", "/v3/refund/domestic/refunds", map[string]any{
		"out_trade_no": order, "out_refund_no": order + "R", "reason": "过期", "notify_url": s.hook,
		"amount": map[string]any{"refund": 2500, "total": 10000, "currency": "CNY"},
	})
	if status != 200 {
		s.t.Fatalf("refund: %d %v", status, refund)
	}
	s.want("refund", refund, "status", "PROCESSING", "out_refund_no", order+"R", "out_trade_no", order, "transaction_id", charge["transaction_id"],
		"amount.refund", 2500, "amount.total", 10000, "channel", "ORIGINAL", "success_time", nil)
	heard := s.next()
	s.want("refund heard", heard, "event_type", "REFUND.SUCCESS", "original_type", "refund", "refund_status", "SUCCESS",
		"refund_id", refund["refund_id"], "out_refund_no", order+"R", "amount.refund", 2500, "mchid", shopID)
	_, after := s.ask("GET", "/v3/refund/domestic/refunds/"+order+"R", nil)
	s.want("refund after", after, "status", "SUCCESS", "success_time", heard["success_time"], "refund_id", refund["refund_id"])
	_, charge = s.ask("GET", query, nil)
	s.want("charge after", charge, "trade_state", "REFUND", "amount.total", 10000)
	return refund["refund_id"].(string)
}

func (s *shop) payOut() (billNo string) {
	s.t.Helper()
	s.press("PUT", s.base+"/simulator/lies", `{"rules": [{"lie": "slow_payee", "times": 1, "later_ms": 86400000}]}`)
	const bills = "/v3/fund-app/mch-transfer/transfer-bills"
	status, bill := s.ask("POST", bills, map[string]any{
		"appid": shopApp, "out_bill_no": "payout0001", "transfer_scene_id": "1000", "openid": "user-1", "transfer_amount": 777,
		"transfer_remark": "红包", "notify_url": s.hook, "user_recv_perception": "活动奖励",
		"transfer_scene_report_infos": []map[string]any{{"info_type": "活动名称", "info_content": "红包"}},
	})
	if status != 200 {
		s.t.Fatalf("transfer: %d %v", status, bill)
	}
	s.want("transfer", bill, "out_bill_no", "payout0001", "state", "WAIT_USER_CONFIRM")
	s.want("confirmation", s.press("POST", bill["package_info"].(string), ""), "out_bill_no", "payout0001")
	heard := s.next()
	s.want("transfer heard", heard, "event_type", "MCHTRANSFER.BILL.FINISHED", "original_type", "mch_payment", "state", "SUCCESS", "mch_id", shopID,
		"out_bill_no", "payout0001", "transfer_bill_no", bill["transfer_bill_no"], "transfer_amount", 777, "openid", "user-1", "fail_reason", nil)
	_, after := s.ask("GET", bills+"/out-bill-no/payout0001", nil)
	s.want("transfer after", after, "state", "SUCCESS", "transfer_amount", 777, "openid", "user-1", "mch_id", shopID, "appid", shopApp)
	return bill["transfer_bill_no"].(string)
}

// payOutTogether pays out a batch of 30, of which one is refused, to its callback.
func (s *shop) payOutTogether() (detailID string) {
	s.t.Helper()
	s.press("PUT", s.base+"/simulator/lies", `{"rules": [{"lie": "refuse_limit", "no": "detail0007", "times": 1}]}`)
	const batches, size = "/v3/transfer/batches", 30
	var details []map[string]any
	for i := range size {
		details = append(details, map[string]any{
			"out_detail_no": fmt.Sprintf("detail%04d", i), "transfer_amount": 100, "transfer_remark": "红包", "openid": fmt.Sprint("user-", i),
		})
	}
	ask := map[string]any{
		"appid": shopApp, "out_batch_no": "batch0001", "batch_name": "红包", "batch_remark": "活动红包", "total_amount": 100 * size, "total_num": size,
		"transfer_detail_list": details, "transfer_scene_id": "1000", "notify_url": s.hook,
	}
	status, batch := s.ask("POST", batches, ask)
	if status != 200 {
		s.t.Fatalf("batch: %d %v", status, batch)
	}
	s.want("batch", batch, "out_batch_no", "batch0001")
	if now := batch["batch_status"]; now != "ACCEPTED" && now != "PROCESSING" { // it goes on by itself
		s.t.Errorf("a batch just taken is %v", now)
	}
	if _, err := time.Parse(time.RFC3339, batch["create_time"].(string)); err != nil {
		s.t.Errorf("create_time: %v", err)
	}
	heard := s.next()
	s.want("batch heard", heard, "event_type", "MCHTRANSFER.BATCH.FINISHED", "original_type", "mch_payment", "batch_status", "FINISHED",
		"out_batch_no", "batch0001", "batch_id", batch["batch_id"], "mchid", shopID, "total_num", size, "total_amount", 100*size,
		"success_num", size-1, "success_amount", 100*(size-1), "fail_num", 1, "fail_amount", 100, "close_reason", nil)
	const about = batches + "/out-batch-no/batch0001"
	_, after := s.ask("GET", about+"?need_query_detail=true&offset=0&limit=100&detail_status=FAIL", nil)
	s.want("batch after", after, "transfer_batch.batch_status", "FINISHED", "transfer_batch.batch_id", batch["batch_id"], "transfer_batch.appid", shopApp,
		"transfer_batch.mchid", shopID, "transfer_batch.batch_type", "API", "transfer_batch.batch_name", "红包", "transfer_batch.batch_remark", "活动红包",
		"transfer_batch.total_num", size, "transfer_batch.success_amount", 100*(size-1), "transfer_batch.fail_num", 1, "transfer_batch.transfer_scene_id", "1000")
	list := after["transfer_detail_list"].([]any)
	if len(list) != 1 {
		s.t.Fatalf("failed: %v", list)
	}
	s.want("failed", list[0].(map[string]any), "out_detail_no", "detail0007", "detail_status", "FAIL")
	_, failed := s.ask("GET", about+"/details/out-detail-no/detail0007", nil)
	s.want("why", failed, "detail_status", "FAIL", "fail_reason", "REALNAME_ACCOUNT_RECEIVED_QUOTA_EXCEED", "openid", "user-7", "transfer_amount", 100,
		"transfer_remark", "红包", "mchid", shopID, "appid", shopApp, "out_batch_no", "batch0001", "batch_id", batch["batch_id"])
	_, paid := s.ask("GET", about+"/details/out-detail-no/detail0000", nil)
	s.want("paid", paid, "detail_status", "SUCCESS", "fail_reason", nil, "openid", "user-0")
	ask["total_amount"] = 100*size + 1
	if status, no := s.ask("POST", batches, ask); status != 400 || no["code"] != "PARAM_ERROR" {
		s.t.Errorf("a wrong sum: %d %v", status, no)
	}
	return paid["detail_id"].(string)
}

// readBills fetches both bills of today and compares every row.
func (s *shop) readBills(order, transactionID, refundID, billNo, detailID string) {
	s.t.Helper()
	day := time.Now().In(time.FixedZone("", 8*3600)).Format(time.DateOnly)
	rows, sum := s.bill("/v3/bill/tradebill?bill_date=" + day + "&bill_type=ALL&tar_type=GZIP")
	if len(rows) != 2 {
		s.t.Fatalf("trade bill: %v", rows)
	}
	s.want("charge row", rows[0], "商户订单号", order, "微信订单号", transactionID, "交易状态", "SUCCESS", "订单金额", "100.00", "商户退款单号", "0", "商户号", shopID)
	s.want("refund row", rows[1], "商户订单号", order, "交易状态", "REFUND", "申请退款金额", "25.00", "商户退款单号", order+"R", "微信退款单号", refundID, "订单金额", "0.00")
	s.want("trade summary", sum, "总交易单数", 2, "订单总金额", "100.00", "申请退款总金额", "25.00")

	rows, sum = s.bill("/v3/bill/fundflowbill?bill_date=" + day + "&account_type=BASIC")
	if len(rows) != 3+29 {
		s.t.Fatalf("fund flow bill: %v", rows)
	}
	s.want("in", rows[0], "微信支付业务单号", transactionID, "收支类型", "收入", "收支金额(元)", "100.00", "业务凭证号", order)
	s.want("back", rows[1], "微信支付业务单号", refundID, "收支类型", "支出", "收支金额(元)", "25.00", "业务凭证号", order+"R")
	s.want("out", rows[2], "微信支付业务单号", billNo, "收支类型", "支出", "收支金额(元)", "7.77", "业务凭证号", "payout0001")
	s.want("out of a batch", rows[3], "微信支付业务单号", detailID, "收支类型", "支出", "收支金额(元)", "1.00", "业务凭证号", "detail0000")
	s.want("fund summary", sum, "资金流水总笔数", 32, "收入金额", "100.00", "支出笔数", 31, "支出金额", "61.77")
	s.want("totals", s.press("GET", s.base+"/simulator/totals", ""), "charge.fen", 10000, "refund.fen", 2500, "payout.fen", 777+2900)
}

// bill fetches one bill and reads it by the names of its columns.
func (s *shop) bill(target string) (rows []map[string]any, summary map[string]any) {
	s.t.Helper()
	status, ready := s.ask("GET", target, nil)
	if status != 200 || ready["hash_type"] != "SHA1" {
		s.t.Fatalf("%s: %d %v", target, status, ready)
	}
	address, err := url.Parse(ready["download_url"].(string))
	if err != nil {
		s.t.Fatal(err)
	}
	res, text := s.send("GET", address.RequestURI(), nil)
	if res.StatusCode != 200 || res.Header.Get("Wechatpay-Signature") != "" {
		s.t.Fatalf("download: %d %s", res.StatusCode, text)
	}
	if strings.Contains(target, "GZIP") {
		unpack, err := gzip.NewReader(bytes.NewReader(text))
		if err != nil {
			s.t.Fatal(err)
		}
		if text, err = io.ReadAll(unpack); err != nil {
			s.t.Fatal(err)
		}
	}
	if sum := sha1.Sum(text); hex.EncodeToString(sum[:]) != ready["hash_value"] {
		s.t.Errorf("%s: the hash is another", target)
	}
	read := csv.NewReader(bytes.NewReader(text))
	read.FieldsPerRecord = -1
	lines, err := read.ReadAll()
	if err != nil {
		s.t.Fatal(err)
	}
	names := lines[0]
	for _, line := range lines[1:] {
		if !strings.HasPrefix(line[0], "`") { // the names of the summary
			names = line
			continue
		}
		row := map[string]any{}
		for i, cell := range line {
			if !strings.HasPrefix(cell, "`") {
				s.t.Errorf("%s: cell %q of %v", target, cell, line)
			}
			row[names[i]] = strings.TrimPrefix(cell, "`")
		}
		rows = append(rows, row)
	}
	return rows[:len(rows)-1], rows[len(rows)-1]
}
