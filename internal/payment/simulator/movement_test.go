package simulator

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
			Movements []movement `json:"movements"`
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

// TestLedgerOfMoneyThatCannotHaveMovedIsRefused has the arrows, one by one, as
// lines of a file that nobody wrote.
func TestLedgerOfMoneyThatCannotHaveMovedIsRefused(t *testing.T) {
	line := func(kind, no, rest string) string {
		return `{"kind":"` + kind + `","order_no":"` + no + `","at":"2026-01-01T00:00:00Z"` + rest + "}\n"
	}
	charge := line(placed, "c", `,"order":{"token":"t","amount_fen":10}`)
	money := charge + line(paid, "c", `,"transaction_id":"4"`)
	back := line(refundAccepted, "r", `,"transaction_id":"5","refund":{"out_trade_no":"c","amount_fen":6,"total_fen":10}`)
	out := line(transferAccepted, "p", `,"transaction_id":"6","transfer":{"openid":"u","amount_fen":1,"token":"t"}`)
	word := line(transferConfirmed, "p", "")
	for what, content := range map[string]string{
		"paid after it closed":       charge + line(closed, "c", "") + line(paid, "c", `,"transaction_id":"4"`),
		"closed after it was paid":   money + line(closed, "c", ""),
		"refunded unpaid":            charge + back,
		"refunded twice":             money + back + back,
		"refunded too much":          money + back + line(refundAccepted, "s", `,"transaction_id":"5","refund":{"out_trade_no":"c","amount_fen":6}`),
		"ended twice":                money + back + line(refundEnded, "r", `,"end":"SUCCESS"`) + line(refundEnded, "r", `,"end":"SUCCESS"`),
		"a refund of nothing ended":  money + line(refundEnded, "r", `,"end":"SUCCESS"`),
		"notified before its end":    money + back + line(refundNotified, "r", ""),
		"paid out twice":             out + word + line(transferEnded, "p", `,"end":"SUCCESS"`) + line(transferEnded, "p", `,"end":"SUCCESS"`),
		"paid out unconfirmed":       out + line(transferEnded, "p", `,"end":"SUCCESS"`),
		"paid out canceling":         out + line(transferCanceling, "p", "") + line(transferEnded, "p", `,"end":"SUCCESS"`),
		"cancelled but confirmed":    out + word + line(transferEnded, "p", `,"end":"CANCELLED"`),
		"canceling but confirmed":    out + word + line(transferCanceling, "p", ""),
		"confirmed out of nothing":   word,
		"accepted twice":             out + out,
		"told of a payout too early": out + line(transferNotified, "p", ""),
	} {
		name := filepath.Join(t.TempDir(), "ledger.jsonl")
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if j, err := openJournal(name); err == nil {
			j.file.Close()
			t.Errorf("%s: accepted", what)
		}
	}
}

// TestTruncationOfTheLedgerGivesAPrefixOfTheMovements cuts a file with every kind
// of record at many places: no cut is unreadable, and none moves money that the
// whole does not.
func TestTruncationOfTheLedgerGivesAPrefixOfTheMovements(t *testing.T) {
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
	const stride = 53 // every byte has its turn in TestEveryTruncationOfTheLedgerIsReadBack
	for n := len(whole); n >= 0; n -= stride {
		if err := os.WriteFile(name, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := openJournal(name)
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		j.file.Close()
		if have := spell(j.book.movements); !strings.HasPrefix(want, have) || n == len(whole) && have != want {
			t.Fatalf("%d bytes: moved %s, want a prefix of %s", n, have, want)
		}
	}
}
