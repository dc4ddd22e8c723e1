package payment_test

import (
	"bytes"
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"hongbao/envelope"
	"hongbao/internal/payment"
	"hongbao/internal/payment/apiv3"
	"hongbao/internal/payment/bill"
	"hongbao/internal/payment/simulator"
)

const (
	merchantID     = "1900000001"
	appID          = "wx8888888888888888"
	merchantSerial = "MERCHANT1"
	platformSerial = "PUB_KEY_ID_SIMULATOR"
	// patience is how long something may take that takes milliseconds.
	patience = 30 * time.Second
)

// now is the clock of both sides: bills are of its day whenever the tests run.
func now() time.Time { return time.Date(2026, 1, 2, 4, 0, 0, 0, time.UTC) }

// keyring is what both sides know of each other.
type keyring struct {
	merchant, platform *rsa.PrivateKey
	apiv3              apiv3.Secret
}

// keys are those of all tests of a run, because making them is slow.
var keys = sync.OnceValues(func() (k keyring, err error) {
	dir, err := os.MkdirTemp("", "payment-keys-")
	if err != nil {
		return k, err
	}
	defer os.RemoveAll(dir)
	files, err := simulator.GenerateKeys(dir)
	if err != nil {
		return k, err
	}
	var errs [3]error
	k.merchant, errs[0] = apiv3.LoadPrivateKey(files.MerchantPrivate)
	k.platform, errs[1] = apiv3.LoadPrivateKey(files.PlatformPrivate)
	k.apiv3, errs[2] = apiv3.LoadAPIv3Key(files.APIv3)
	return k, errors.Join(errs[:]...)
})

// world is a simulated provider, a client of it, and what the provider says of
// its own accord.
type world struct {
	t      *testing.T
	base   string
	config payment.Config
	client *payment.Client
	web    *http.Client // a payer's, a payee's, a tool's

	payments  chan envelope.Payment
	transfers chan envelope.TransferStatus
	batches   chan envelope.PayoutBatchStatus
	refused   atomic.Int32 // notifications
}

func newWorld(t *testing.T, change func(*simulator.Config)) *world {
	t.Helper()
	k, err := keys()
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, base: "http://" + ln.Addr().String(), web: &http.Client{Transport: &http.Transport{}},
		payments: make(chan envelope.Payment, 64), transfers: make(chan envelope.TransferStatus, 64),
		batches: make(chan envelope.PayoutBatchStatus, 64),
	}
	server := httptest.NewServer(http.HandlerFunc(w.notified))
	t.Cleanup(server.Close)
	w.config = payment.Config{
		BaseURL: w.base, MerchantID: merchantID, AppID: appID, MerchantSerial: merchantSerial, MerchantKey: k.merchant, APIv3Key: k.apiv3,
		PlatformKeys: map[string]*rsa.PublicKey{platformSerial: &k.platform.PublicKey}, NotifyURL: server.URL, Now: now, Timeout: patience,
	}
	w.client = w.newClient(nil)
	cfg := simulator.Config{
		MerchantID: merchantID, AppID: appID, MerchantSerial: merchantSerial, MerchantKey: &k.merchant.PublicKey, PlatformSerial: platformSerial,
		PlatformKey: k.platform, APIv3Key: k.apiv3, LedgerFile: filepath.Join(t.TempDir(), "ledger.jsonl"), PublicURL: w.base, BillsAtOnce: true,
		RefundAfter: time.Millisecond, ConfirmAfter: time.Millisecond, TransferAfter: time.Millisecond, Now: now, Log: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&cfg)
	}
	s, err := simulator.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, ln) }()
	t.Cleanup(func() {
		w.web.CloseIdleConnections()
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the simulator ended: %v", err)
		}
	})
	return w
}

func (w *world) newClient(change func(*payment.Config)) *payment.Client {
	w.t.Helper()
	cfg := w.config
	if change != nil {
		change(&cfg)
	}
	c, err := payment.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(c.Close)
	return c
}

func (w *world) notified(res http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	n, err := w.client.ParseNotice(r.Header, body)
	switch {
	case err != nil:
		w.refused.Add(1)
		res.WriteHeader(http.StatusUnauthorized)
		return
	case n.Payment != nil:
		w.payments <- *n.Payment
	case n.Batch != nil:
		w.batches <- *n.Batch
	default:
		w.transfers <- *n.Transfer
	}
	res.WriteHeader(http.StatusNoContent)
}

// next is what the provider says next.
func next[T any](t *testing.T, said <-chan T) (word T) {
	t.Helper()
	select {
	case word = <-said:
	case <-time.After(patience):
		t.Fatal("no notification")
	}
	return word
}

func orderNo(n int) envelope.ID { return envelope.Body(int64(n+1) << 40).In(0) }

func payout(n, seq int) envelope.Transfer {
	return envelope.Transfer{OrderNo: orderNo(n), Seq: seq, Round: 1, Payee: "oPayee", Amount: 1234, Charged: 10000, State: envelope.Pending, CreatedAt: now()}
}

func refund(n int, amount envelope.Fen) envelope.Transfer {
	return envelope.Transfer{OrderNo: orderNo(n), Round: 1, Payee: "oSender", Amount: amount, Charged: 10000, State: envelope.Pending, CreatedAt: now()}
}

// paid places a charge of 100 yuan, presses the payer's button, and takes the
// notification.
func (w *world) paid(n int) envelope.Payment {
	w.t.Helper()
	url, err := w.client.Prepay(context.Background(), envelope.Charge{OrderNo: orderNo(n), Amount: 10000, ExpiresAt: now().Add(15 * time.Minute)})
	if err != nil {
		w.t.Fatal(err)
	}
	res, err := w.web.Post(url, "", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	res.Body.Close()
	said := next(w.t, w.payments)
	if said.OrderNo != orderNo(n) || said.Amount != 10000 {
		w.t.Fatalf("notified of %+v", said)
	}
	return said
}

// lie has the provider lie about one call that the rule names.
func (w *world) lie(lie, kind string) {
	w.t.Helper()
	doc := fmt.Sprintf(`{"rules":[{"lie":%q,"kind":%q,"times":1,"later_ms":1}]}`, lie, kind)
	req, err := http.NewRequest(http.MethodPut, w.base+"/simulator/lies", bytes.NewBufferString(doc))
	if err != nil {
		w.t.Fatal(err)
	}
	res, err := w.web.Do(req)
	if err != nil || res.StatusCode >= 300 {
		w.t.Fatal(lie, res, err)
	}
	res.Body.Close()
}

type movement struct {
	Kind       string       `json:"kind"`
	No         string       `json:"no"`
	ProviderNo string       `json:"provider_no"`
	AmountFen  envelope.Fen `json:"amount_fen"`
}

// movements is the provider's ledger.
func (w *world) movements() []movement {
	w.t.Helper()
	res, err := w.web.Get(w.base + "/simulator/ledger")
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	var page struct {
		Movements []movement `json:"movements"`
	}
	if err := json.UnmarshalRead(res.Body, &page); err != nil {
		w.t.Fatal(err)
	}
	return page.Movements
}

// carryOut does what a relay does: asks, places what the provider does not know,
// and asks again, until there is an end to it.
func (w *world) carryOut(t envelope.Transfer) envelope.TransferStatus {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for ctx.Err() == nil {
		status, err := w.client.Query(ctx, t)
		if err == nil && status.Progress == envelope.ProgressAbsent {
			status, err = w.client.Place(ctx, t)
		}
		if err == nil && (status.Progress == envelope.ProgressDone || status.Progress == envelope.ProgressRefused) {
			return status
		}
	}
	w.t.Fatalf("%s does not end", t.No())
	return envelope.TransferStatus{}
}

func TestMoneyInAndOutStandsInTheBills(t *testing.T) {
	w, ctx := newWorld(t, nil), context.Background()
	payment1 := w.paid(1)
	if s, err := w.client.QueryCharge(ctx, orderNo(1)); err != nil || s.State != envelope.ChargePaid || s.Payment != payment1 {
		t.Errorf("%+v, %v", s, err)
	}
	if err := w.client.CloseCharge(ctx, orderNo(1)); !errors.Is(err, envelope.ErrChargePaid) {
		t.Errorf("a paid charge is closed: %v", err)
	}
	for _, transfer := range []envelope.Transfer{payout(1, 1), payout(1, 2), refund(1, 7532)} {
		first, err := w.client.Place(ctx, transfer)
		if err != nil || first.Progress == envelope.ProgressRefused || first.No != transfer.No() {
			t.Fatalf("%s: %+v, %v", transfer.No(), first, err)
		}
		said := next(t, w.transfers)
		if said.No != transfer.No() || said.Progress != envelope.ProgressDone || said.Amount != transfer.Amount {
			t.Fatalf("%s: notified of %+v", transfer.No(), said)
		}
		again, err := w.client.Place(ctx, transfer)
		asked, askErr := w.client.Query(ctx, transfer)
		if err != nil || askErr != nil || again.Progress != envelope.ProgressDone || asked != said || again.ProviderNo != first.ProviderNo {
			t.Errorf("%s again: %+v, %v; asked: %+v, %v", transfer.No(), again, err, asked, askErr)
		}
	}
	if s, err := w.client.QueryCharge(ctx, orderNo(1)); err != nil || s.State != envelope.ChargeRefunded {
		t.Errorf("%+v, %v", s, err)
	}
	w.checkBills(4)
}

// checkBills compares both bills with the provider's own ledger.
func (w *world) checkBills(want int) {
	w.t.Helper()
	moved := w.movements()
	if len(moved) != want {
		w.t.Fatalf("%d movements, want %d: %+v", len(moved), want, moved)
	}
	day := envelope.DayOf(now())
	trade, err := w.client.TradeBill(context.Background(), day)
	if err != nil {
		w.t.Fatal(err)
	}
	flow, err := w.client.FundFlowBill(context.Background(), day)
	if err != nil {
		w.t.Fatal(err)
	}
	noPayouts := slices.DeleteFunc(slices.Clone(moved), func(m movement) bool { return m.Kind == "payout" })
	for name, pair := range map[string][2][]movement{"fund flow": {moved, entries(flow)}, "trade": {noPayouts, entries(trade)}} {
		if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
			w.t.Errorf("the %s bill and the ledger: %s", name, diff)
		}
	}
}

// FS31: payouts are found in the bill of the account they leave from, which the
// client asks for, and charges and refunds in the trade bill wherever that is.
func TestPayoutsAreFoundInTheirAccountsBill(t *testing.T) {
	for account, inFlow := range map[string][]string{"": {"charge", "refund", "payout"}, "BASIC": {"charge", "refund", "payout"}, "OPERATION": {"payout"}} {
		w, ctx := newWorld(t, func(c *simulator.Config) { c.PayoutAccount = account }), context.Background()
		w.client.Close()
		w.client = w.newClient(func(c *payment.Config) { c.BillAccount = account })
		w.paid(1)
		for _, transfer := range []envelope.Transfer{refund(1, 2500), payout(1, 1)} {
			if _, err := w.client.Place(ctx, transfer); err != nil {
				t.Fatal(err)
			}
			next(t, w.transfers)
		}
		day, moved := envelope.DayOf(now()), w.movements()
		trade, err1 := w.client.TradeBill(ctx, day)
		flow, err2 := w.client.FundFlowBill(ctx, day)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		for what, pair := range map[string][2][]movement{
			"trade":     {of(moved, "charge", "refund"), entries(trade)},
			"fund flow": {of(moved, inFlow...), entries(flow)},
		} {
			if diff := cmp.Diff(pair[0], pair[1]); diff != "" || len(pair[0]) == 0 {
				t.Errorf("%q: the %s bill and the ledger: %s", account, what, diff)
			}
		}
	}
}

// of picks the movements of some kinds.
func of(moved []movement, kinds ...string) []movement {
	return slices.DeleteFunc(slices.Clone(moved), func(m movement) bool { return !slices.Contains(kinds, m.Kind) })
}

func entries(rows []bill.Entry) []movement {
	var all []movement
	for _, e := range rows {
		all = append(all, movement{string(e.Kind), e.No, e.ProviderNo, e.Amount})
	}
	return all
}

func TestClosingIsRepeatableAndForGood(t *testing.T) {
	w, ctx := newWorld(t, nil), context.Background()
	charge := envelope.Charge{OrderNo: orderNo(1), Amount: 10000, ExpiresAt: now().Add(15 * time.Minute)}
	if _, err := w.client.Prepay(ctx, charge); err != nil {
		t.Fatal(err)
	}
	for _, no := range []envelope.ID{orderNo(1), orderNo(1), orderNo(2)} { // the last was never placed
		if err := w.client.CloseCharge(ctx, no); err != nil {
			t.Errorf("%s: %v", no, err)
		}
	}
	if s, err := w.client.QueryCharge(ctx, orderNo(1)); err != nil || s.State != envelope.ChargeClosed {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := w.client.TradeBill(ctx, envelope.DayOf(now())); !errors.Is(err, payment.ErrNoStatement) {
		t.Errorf("the bill of a day without movements: %v", err)
	}
}

// TestLiesAreUnknownAndMoneyMovesOnce tells each lie about placing a payout
// and a refund, executed or not, and then carries the transfer out as a relay
// does (FG1).
func TestLiesAreUnknownAndMoneyMovesOnce(t *testing.T) {
	w := newWorld(t, nil)
	w.paid(1)
	hasty := w.newClient(func(cfg *payment.Config) { cfg.Timeout = 500 * time.Millisecond })
	unknown := func(err error) bool {
		_, busy := errors.AsType[*envelope.BusyError](err)
		return errors.Is(err, envelope.ErrUnknownOutcome) && !busy
	}
	funds := func(err error) bool {
		busy, ok := errors.AsType[*envelope.BusyError](err)
		return ok && busy.Reason == "payment_funds"
	}
	lies := []string{"timeout_after", "timeout_before", "timeout_later", "execute_later", "unknown_code", "unknown_code_after", "outage",
		"unknown_state", "unsigned_answer", "wrongly_signed_answer", "not_enough"}
	var placed []envelope.Transfer
	for i, lie := range lies {
		for _, transfer := range []envelope.Transfer{payout(1, i+1), refund(i+2, 100)} {
			kind := "payout"
			if transfer.IsRefund() {
				kind = "refund"
				w.paid(i + 2)
			}
			want := unknown
			if lie == "not_enough" {
				want = funds
			}
			w.lie(lie, kind)
			if s, err := hasty.Place(context.Background(), transfer); !want(err) {
				t.Errorf("%s of a %s: %+v, %v", lie, kind, s, err)
			}
			if s := w.carryOut(transfer); s.Progress != envelope.ProgressDone || s.Amount != transfer.Amount {
				t.Errorf("%s of a %s: ends as %+v", lie, kind, s)
			}
			placed = append(placed, transfer)
		}
	}
	w.checkBills(1 + len(lies) + len(placed))
	for _, transfer := range placed {
		times := 0
		for _, m := range w.movements() {
			if m.No == transfer.No() {
				times++
			}
		}
		if times != 1 {
			t.Errorf("%s: moved %d times", transfer.No(), times)
		}
	}
}

// FG16, FG17.
func TestFinalRefusalsAreStatuses(t *testing.T) {
	w := newWorld(t, nil)
	w.paid(1)
	for i, row := range []struct {
		lie      string
		transfer envelope.Transfer
		code     string
	}{
		{"refuse_limit", payout(1, 1), "REALNAME_ACCOUNT_RECEIVED_QUOTA_EXCEED"},
		{"refuse_closed", payout(1, 2), "PAYEE_ACCOUNT_ABNORMAL"},
		{"refuse_refund", refund(1, 1000), "CLOSED"},
	} {
		w.lie(row.lie, map[bool]string{true: "refund", false: "payout"}[row.transfer.IsRefund()])
		s := w.carryOut(row.transfer)
		if said := next(t, w.transfers); s.Progress != envelope.ProgressRefused || s.Code != row.code || said != s {
			t.Errorf("%d: %+v, notified of %+v", i, s, said)
		}
		released := row.transfer // by two people
		released.Round++
		s = w.carryOut(released)
		if said := next(t, w.transfers); s.Progress != envelope.ProgressDone || said != s {
			t.Errorf("%d, next round: %+v, notified of %+v", i, s, said)
		}
	}
	w.checkBills(4)
}

// A refund that is abnormal first ends under its number: it is never refused
// before, and its end is told like any (FS8).
func TestAnAbnormalRefundEndsUnderItsNumber(t *testing.T) {
	w := newWorld(t, nil)
	w.paid(1)
	for i, row := range []struct {
		end  string // that the merchant presses for
		want envelope.Progress
	}{{"SUCCESS", envelope.ProgressDone}, {"CLOSED", envelope.ProgressRefused}} {
		transfer := refund(1, 1000)
		transfer.Round += i
		w.lie("refuse_closed", "refund")
		if s, err := w.client.Place(t.Context(), transfer); err != nil || s.Progress != envelope.ProgressUnderWay && s.Progress != envelope.ProgressStuck {
			t.Fatalf("%d: %+v, %v", i, s, err)
		}
		if said := next(t, w.transfers); said.Progress != envelope.ProgressStuck || said.Code != "ABNORMAL" || said.No != transfer.No() {
			t.Errorf("%d: notified of %+v", i, said)
		}
		if s, err := w.client.Query(t.Context(), transfer); err != nil || s.Progress != envelope.ProgressStuck || s.Code != "ABNORMAL" {
			t.Errorf("%d: asked, it says %+v, %v", i, s, err)
		}
		res, err := w.web.Post(w.base+"/simulator/refunds/"+transfer.No()+"/finish?end="+row.end, "", nil)
		if err != nil || res.StatusCode != http.StatusNoContent {
			t.Fatal(res, err)
		}
		res.Body.Close()
		said := next(t, w.transfers)
		s, err := w.client.Query(t.Context(), transfer)
		if err != nil || s.Progress != row.want || said != s {
			t.Errorf("%d: %+v, %v, notified of %+v", i, s, err, said)
		}
	}
	w.checkBills(2)
}

func TestCancelledPayoutsDoNotMove(t *testing.T) {
	w, ctx := newWorld(t, func(cfg *simulator.Config) { cfg.ConfirmAfter = simulator.Never }), context.Background()
	s, err := w.client.Place(ctx, payout(1, 1))
	if err != nil || s.Progress != envelope.ProgressAwaiting || s.Hint == "" {
		t.Fatalf("%+v, %v", s, err)
	}
	if s, err := w.client.CancelTransfer(ctx, payout(1, 1)); err != nil || s.Progress == envelope.ProgressDone {
		t.Errorf("%+v, %v", s, err)
	}
	if said := next(t, w.transfers); said.Progress != envelope.ProgressRefused || said.Code != "CANCELLED" {
		t.Errorf("notified of %+v", said)
	}
	if moved := w.movements(); len(moved) != 0 {
		t.Errorf("moved: %+v", moved)
	}
}

// TestPayeesConfirmWithTheHint: package_info is what the payee's wallet needs,
// and placing the payout again gives it again.
func TestPayeesConfirmWithTheHint(t *testing.T) {
	w, ctx := newWorld(t, func(cfg *simulator.Config) { cfg.ConfirmAfter = simulator.Never }), context.Background()
	first, err := w.client.Place(ctx, payout(1, 1))
	again, err2 := w.client.Place(ctx, payout(1, 1))
	if err != nil || err2 != nil || first.Hint == "" || again != first {
		t.Fatalf("%+v, %v; again %+v, %v", first, err, again, err2)
	}
	res, err := w.web.Post(first.Hint, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if said := next(t, w.transfers); said.Progress != envelope.ProgressDone {
		t.Errorf("notified of %+v", said)
	}
}

// TestOtherTermsUnderANumberGetTheFirst: a deployment that changes its
// remark while a payout is unknown must not believe the refusal it gets (FG2).
func TestOtherTermsUnderANumberGetTheFirst(t *testing.T) {
	w := newWorld(t, nil)
	if s := w.carryOut(payout(1, 1)); s.Progress != envelope.ProgressDone {
		t.Fatalf("%+v", s)
	}
	changed := w.newClient(func(cfg *payment.Config) { cfg.Payouts.Remark = "another" })
	if s, err := changed.Place(context.Background(), payout(1, 1)); err != nil || s.Progress != envelope.ProgressDone {
		t.Errorf("%+v, %v, want what became of the first", s, err)
	}
	other := payout(1, 1)
	other.Amount++
	if s, err := changed.Place(context.Background(), other); !errors.Is(err, envelope.ErrUnknownOutcome) {
		t.Errorf("another amount: %+v, %v, want an unknown outcome", s, err)
	}
}

// TestLyingCallbacksChangeNothing: what is forged is refused, what is wrong
// is not the transfer's, and the truth comes after (FF3).
func TestLyingCallbacksChangeNothing(t *testing.T) {
	w := newWorld(t, nil)
	for i, lie := range []string{"forged_callback", "probe_callback", "wrong_amount", "duplicate_callback"} {
		w.lie(lie, "payout")
		transfer := payout(1, i+1)
		if _, err := w.client.Place(context.Background(), transfer); err != nil {
			t.Fatal(err)
		}
		heard, conflicts := transfer, 0
		for heard.State == envelope.Pending {
			said := next(t, w.transfers)
			after, err := heard.Apply(said)
			if err != nil {
				conflicts++
			}
			if (err == nil) != (said.Amount == transfer.Amount) || err != nil && after != heard {
				t.Errorf("%s: %+v makes it %+v, %v", lie, said, after, err)
			}
			heard = after
		}
		if lie == "duplicate_callback" {
			if after, err := heard.Apply(next(t, w.transfers)); err != nil || after != heard {
				t.Errorf("a duplicate makes it %+v, %v", after, err)
			}
		}
		if heard.State != envelope.Posted || conflicts != map[string]int{"wrong_amount": 1}[lie] {
			t.Errorf("%s: %+v after %d conflicts", lie, heard, conflicts)
		}
	}
	if n := w.refused.Load(); n != 2 {
		t.Errorf("%d notifications were refused, want the forged one and the probe", n)
	}
}
