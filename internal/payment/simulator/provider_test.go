package simulator

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"hongbao/internal/payment/apiv3"
	"hongbao/internal/payment/simulator/certificate"
	"hongbao/internal/payment/simulator/ledger"
	"hongbao/internal/payment/simulator/wire"
)

// FS31: what has a number of the provider's is found by it, as by the merchant's,
// in this life and the next.
func TestProviderNumbersAreFound(t *testing.T) {
	d := openDesk(t, testConfig(t))
	d.paid("order-1", 1000)
	bill := d.post(transfersTarget, d.transferOf("payout1", 500)).said["transfer_bill_no"].(string)
	d.hear()
	batch := d.post(batchesTarget, d.batchOf("batch1", 3)).said["batch_id"].(string)
	d.hear()
	const details = "need_query_detail=true&detail_status=ALL&offset=0&limit=20"
	id := d.get(chargeTarget("order-1")).said["transaction_id"].(string)
	list := d.get(batchTarget("batch1") + "?" + details).said["transfer_detail_list"].([]any)
	detail := list[1].(object)["detail_id"].(string)
	ask := func(when string) {
		for _, pair := range [][2]string{
			{"/v3/pay/transactions/id/" + id + "?mchid=" + testMerchant, chargeTarget("order-1")},
			{transfersTarget + "/transfer-bill-no/" + bill, transferTarget("payout1")},
			{batchesTarget + "/batch-id/" + batch + "?" + details, batchTarget("batch1") + "?" + details},
			{batchesTarget + "/batch-id/" + batch + "/details/detail-id/" + detail, batchTarget("batch1") + "/details/out-detail-no/batch1x1"},
		} {
			theirs, ours := d.get(pair[0]), d.get(pair[1])
			if theirs.status != 200 || fmt.Sprint(theirs.said) != fmt.Sprint(ours.said) {
				t.Errorf("%s: %s: %+v, by the merchant's %+v", when, pair[0], theirs, ours)
			}
		}
	}
	ask("at once")
	d.stop()
	d.open()
	ask("after a restart")
	for target, want := range map[string]string{
		"/v3/pay/transactions/id/4200?mchid=" + testMerchant:              "ORDER_NOT_EXIST",
		"/v3/pay/transactions/id/" + id:                                   "PARAM_ERROR",
		transfersTarget + "/transfer-bill-no/1":                           "NOT_FOUND",
		batchesTarget + "/batch-id/1":                                     "NOT_FOUND",
		batchesTarget + "/batch-id/1/details/detail-id/" + detail:         "NOT_FOUND",
		batchesTarget + "/batch-id/" + batch + "/details/detail-id/" + id: "NOT_FOUND",
	} {
		if r := d.get(target); r.code() != want {
			t.Errorf("%s: %+v, want %s", target, r, want)
		}
	}
	// A lie about the merchant's number is told under the provider's, too.
	d.lie(`{"rules":[{"lie":"unknown_state","kind":"charge","no":"order-1","times":1}]}`)
	if r := d.get("/v3/pay/transactions/id/" + id + "?mchid=" + testMerchant); r.said["trade_state"] != stateNobodyKnows {
		t.Errorf("lied about: %+v", r)
	}
}

// FS31
func TestThePayerIsNamedOnceThereIsOne(t *testing.T) {
	d := openDesk(t, testConfig(t))
	placed := d.post(nativeTarget, d.chargeOf("order-1", 1000))
	if r := d.get(chargeTarget("order-1")); in(r.said, "payer.openid") != nil {
		t.Errorf("unpaid: %+v", r)
	}
	d.payAt(placed)
	if c := d.hear(); in(c.said, "payer.openid") != wire.PayerOpenID {
		t.Errorf("heard %+v", c)
	}
	if r := d.get(chargeTarget("order-1")); in(r.said, "payer.openid") != wire.PayerOpenID {
		t.Errorf("asked: %+v", r)
	}
}

// asked is a signed GET that names a serial, or none.
func (d *desk) asked(target, serial string) *httptest.ResponseRecorder {
	r := signedRequest(d.t.(*testing.T), http.MethodGet, target, "", d.cfg.Now())
	if serial != "" {
		r.Header.Set(apiv3.HeaderSerial, serial)
	}
	w := httptest.NewRecorder()
	d.s.Handler().ServeHTTP(w, r)
	return w
}

// platformCertificate fetches the certificate as an SDK does.
func (d *desk) platformCertificate() (*x509.Certificate, certificateInfo) {
	d.t.Helper()
	var said struct {
		Data []certificateInfo `json:"data"`
	}
	w := d.asked("/v3/certificates", "")
	if err := json.Unmarshal(w.Body.Bytes(), &said); err != nil || len(said.Data) != 1 {
		d.t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	info := said.Data[0]
	sealed := apiv3.Resource{
		Algorithm: info.Encrypted.Algorithm, Nonce: info.Encrypted.Nonce, AssociatedData: info.Encrypted.AssociatedData, Ciphertext: info.Encrypted.Ciphertext,
	}
	plain, err := sealed.Open(d.cfg.APIv3Key)
	if err != nil {
		d.t.Fatal(err)
	}
	block, rest := pem.Decode(plain)
	if block == nil || block.Type != "CERTIFICATE" || len(rest) != 0 {
		d.t.Fatalf("no certificate: %s", plain)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		d.t.Fatal(err)
	}
	if have := strings.ToUpper(fmt.Sprintf("%x", cert.SerialNumber)); have != info.Serial || len(have) != 2*certificate.SerialBytes {
		d.t.Errorf("serial_no %s, the certificate's is %s", info.Serial, have)
	}
	if w.Header().Get(apiv3.HeaderSerial) != info.Serial {
		d.t.Errorf("its own answer is signed under %s", w.Header().Get(apiv3.HeaderSerial))
	}
	d.verifies(cert, w.Header(), w.Body.Bytes())
	return cert, info
}

func (d *desk) verifies(cert *x509.Certificate, h http.Header, body []byte) {
	d.t.Helper()
	signature, err := base64.StdEncoding.DecodeString(h.Get(apiv3.HeaderSignature))
	if err != nil {
		d.t.Fatal(err)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n", h.Get(apiv3.HeaderTimestamp), h.Get(apiv3.HeaderNonce), body))
	if err := rsa.VerifyPKCS1v15(cert.PublicKey.(*rsa.PublicKey), crypto.SHA256, sum[:], signature); err != nil {
		d.t.Error(err)
	}
}

// FS31: an SDK that verifies with certificates gets one and is answered under it;
// one that knows the public key is answered under that.
func TestCertificatesSignAnswers(t *testing.T) {
	d := openDesk(t, testConfig(t))
	d.paid("order-1", 1000)
	target := chargeTarget("order-1")
	if have := d.asked(target, "").Header().Get(apiv3.HeaderSerial); have != testPlatform {
		t.Errorf("before anyone asked for certificates: under %s", have)
	}
	cert, info := d.platformCertificate()
	if now := d.cfg.Now(); now.Before(cert.NotBefore) || now.AddDate(1, 0, 0).After(cert.NotAfter) ||
		info.Effective != wire.Time(cert.NotBefore) || info.Expire != wire.Time(cert.NotAfter) {
		t.Errorf("from %v until %v, said %+v", cert.NotBefore, cert.NotAfter, info)
	}
	for named, want := range map[string]string{"": info.Serial, info.Serial: info.Serial, testPlatform: testPlatform} {
		w := d.asked(target, named)
		if w.Code != 200 || w.Header().Get(apiv3.HeaderSerial) != want {
			t.Errorf("naming %q: %d under %s, want %s", named, w.Code, w.Header().Get(apiv3.HeaderSerial), want)
		}
		d.verifies(cert, w.Header(), w.Body.Bytes())
	}
	if w := d.asked(target, "OTHER"); w.Code != 400 {
		t.Errorf("naming another: %d %s", w.Code, w.Body)
	}
	d.stop()
	d.open()
	if _, again := d.platformCertificate(); again.Serial != info.Serial {
		t.Errorf("after a restart %s, before it %s", again.Serial, info.Serial)
	}
}

// FS31: without a public key ID, everything is signed under the certificate.
func TestCertificateSignsNotificationsToo(t *testing.T) {
	cfg := testConfig(t)
	cfg.PlatformSerial = ""
	d := openDesk(t, cfg)
	heard := make(chan string, 1)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		heard <- r.Header.Get(apiv3.HeaderSerial)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer hook.Close()
	body := d.chargeOf("order-1", 1000)
	body["notify_url"] = hook.URL + "/hook"
	d.payAt(d.post(nativeTarget, body))
	_, info := d.platformCertificate()
	select {
	case have := <-heard:
		if have != info.Serial {
			t.Errorf("notified under %s, want %s", have, info.Serial)
		}
	case <-time.After(stateWaitMax):
		t.Error("not notified")
	}
}

// FS31: payouts are in the bill of the account they left, and of no other, and
// what was accepted keeps its account.
func TestPayoutsAreBilledWhereTheyLeft(t *testing.T) {
	cfg := testConfig(t)
	cfg.BillsAtOnce, cfg.PayoutAccount = true, ledger.AccountOperation
	d := openDesk(t, cfg)
	d.paid("order-1", 1000)
	d.post(transfersTarget, d.transferOf("payout1", 500))
	d.hear()
	d.post(batchesTarget, d.batchOf("batch1", 2))
	d.hear()
	d.stop()
	d.cfg.PayoutAccount = ledger.AccountBasic
	d.open()
	d.post(transfersTarget, d.transferOf("payout2", 30))
	d.hear()
	basic := d.fetch(d.get(fundTarget + today() + "&account_type=BASIC"))
	operation := d.fetch(d.get(fundTarget + today() + "&account_type=OPERATION"))
	for no, in := range map[string][2]int{"order-1": {1, 0}, "payout1": {0, 1}, "batch1x0": {0, 1}, "batch1x1": {0, 1}, "payout2": {1, 0}} {
		if have := [2]int{strings.Count(basic, no), strings.Count(operation, no)}; have != in {
			t.Errorf("%s: %v rows, want %v", no, have, in)
		}
	}
	// Each account has a balance of its own.
	for text, want := range map[string]string{basic: "`1000000009.70,`system", operation: "`999999994.97,`system"} {
		if !strings.Contains(text, want) {
			t.Errorf("no balance %s in %s", want, text)
		}
	}
	cfg.PayoutAccount, cfg.LedgerFile = ledger.AccountFees, t.TempDir()+"/ledger"
	if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), "PayoutAccount") {
		t.Errorf("FEES: %v", err)
	}
}
