package simulator

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hongbao/internal/payment/simulator/ledger"
)

func TestMovementsArePagedByID(t *testing.T) {
	d := openDesk(t, testConfig(t))
	for _, no := range []string{"order-1", "order-2", "order-3"} {
		d.paid(no, 1000)
	}
	for query, want := range map[string]string{
		"":                  "1 charge order-1 1000, 2 charge order-2 1000, 3 charge order-3 1000",
		"?after=1&limit=1":  "2 charge order-2 1000",
		"?after=2":          "3 charge order-3 1000",
		"?after=3":          "",
		"?after=1000000000": "",
	} {
		var page struct {
			Movements []ledger.Movement `json:"movements"`
		}
		if d.tool("GET", "/simulator/ledger"+query, "", &page); spell(page.Movements) != want || page.Movements == nil {
			t.Errorf("%q: %s, want %s", query, spell(page.Movements), want)
		}
	}
	for _, query := range []string{"?after=-1", "?after=x", "?limit=0", "?limit=10001"} {
		if code := d.tool("GET", "/simulator/ledger"+query, "", nil); code != 400 {
			t.Errorf("%q: %d", query, code)
		}
	}
}

func TestToolsAreForLoopbackOnly(t *testing.T) {
	s := running(t)
	for _, target := range []string{"GET /simulator/ledger", "GET /simulator/totals", "GET /simulator/lies", "PUT /simulator/lies", "DELETE /simulator/lies"} {
		method, path, _ := strings.Cut(target, " ")
		for from, seen := range map[string]bool{"127.0.0.1:1": true, "[::1]:1": true, "[::ffff:127.0.0.1]:1": true, "10.0.0.1:1": false, "[2001:db8::1]:1": false, "": false} {
			r := httptest.NewRequest(method, path, nil)
			r.RemoteAddr = from
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, r)
			if (w.Code != http.StatusNotFound) != seen {
				t.Errorf("%s from %q: %d", target, from, w.Code)
			}
		}
	}
}

// TestTruncatedLedgerGivesAPrefix cuts a file with every kind of record at many
// places: no cut is unreadable, and none moves money that the whole does not.
func TestTruncatedLedgerGivesAPrefix(t *testing.T) {
	cfg := testConfig(t)
	cfg.ConfirmAfter = Never
	d := openDesk(t, cfg)
	d.paid("order-1", 1000)
	placed := d.post(transfersTarget, d.transferOf("payout1", 500))
	d.tool("POST", strings.TrimPrefix(placed.said["package_info"].(string), d.base), "", nil)
	d.hear()
	d.payout("payout2")
	d.post(transferTarget("payout2")+"/cancel", nil)
	d.hear()
	d.post(refundsTarget, d.refundOf("refund-1", "order-1", 600, 1000))
	d.hear()
	d.post(nativeTarget, d.chargeOf("order-2", 1))
	d.post("/v3/pay/transactions/out-trade-no/order-2/close", object{"mchid": testMerchant})
	d.lie(`{"rules": [{"lie": "refuse_limit", "no": "batch1x1", "times": 1}, {"lie": "twice", "no": "batch1x2", "times": 1}]}`)
	d.payOutBatch("batch1", 3)
	d.hear()
	want := spell(d.movements())
	d.stop()
	whole, err := os.ReadFile(cfg.LedgerFile)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "ledger.jsonl")
	const stride = 53 // every byte has its turn in TestEveryTruncatedLedgerIsReadBack
	for n := len(whole); n >= 0; n -= stride {
		if err := os.WriteFile(name, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := ledger.Open(name)
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		j.Close()
		moved, _, _ := j.Book.Movements()
		if have := spell(moved); !strings.HasPrefix(want, have) || n == len(whole) && have != want {
			t.Fatalf("%d bytes: moved %s, want a prefix of %s", n, have, want)
		}
	}
}
