package payment

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"hongbao/envelope"
	"hongbao/internal/payment/apiv3"
)

// eventOf wraps what the provider says about a transfer as it does.
func eventOf(t testing.TB, event, kind string, said map[string]any) []byte {
	t.Helper()
	resource, err := apiv3.SealResource(apiv3.Secret(testKey3), kind, marshal(t, said))
	if err != nil {
		t.Fatal(err)
	}
	return marshal(t, apiv3.Notification{ID: "EV-2", CreateTime: "2026-01-02T12:00:00+08:00", EventType: event,
		ResourceType: apiv3.ResourceTypeEncrypted, Summary: "s", Resource: resource})
}

func finishedPayout(state string) map[string]any {
	said := told(testPayout(), state)
	delete(said, "appid")
	if state == "FAIL" {
		said["fail_reason"] = "ACCOUNT_FROZEN"
	}
	return said
}

func endedRefund(status string) map[string]any {
	return map[string]any{
		"mchid": testMerchant, "out_trade_no": string(orderNo()), "transaction_id": "42000001", "out_refund_no": string(orderNo()) + "R",
		"refund_id": "5030", "refund_status": status, "success_time": "2026-01-02T12:00:00+08:00", "user_received_account": "支付用户零钱",
		"amount": map[string]any{"total": 10000, "refund": 9000, "payer_total": 10000, "payer_refund": 9000},
	}
}

func TestTransferNoticesAreStatuses(t *testing.T) {
	payout, refund := payoutNo(), string(orderNo())+"R"
	for _, row := range []struct {
		event, kind string
		said        map[string]any
		want        envelope.TransferStatus
	}{
		{apiv3.EventPayoutFinished, apiv3.ResourceKindPayout, finishedPayout("SUCCESS"), envelope.TransferStatus{No: payout, Progress: envelope.ProgressDone, Amount: 250, ProviderNo: "1330000000001"}},
		{apiv3.EventPayoutFinished, apiv3.ResourceKindPayout, finishedPayout("FAIL"), envelope.TransferStatus{No: payout, Progress: envelope.ProgressRefused, Amount: 250, ProviderNo: "1330000000001", Code: "ACCOUNT_FROZEN"}},
		{apiv3.EventPayoutFinished, apiv3.ResourceKindPayout, finishedPayout("CANCELLED"), envelope.TransferStatus{No: payout, Progress: envelope.ProgressRefused, Amount: 250, ProviderNo: "1330000000001", Code: "CANCELLED"}},
		{apiv3.EventRefundSuccess, apiv3.ResourceKindRefund, endedRefund("SUCCESS"), envelope.TransferStatus{No: refund, Progress: envelope.ProgressDone, Amount: 9000, ProviderNo: "5030"}},
		{apiv3.EventRefundAbnormal, apiv3.ResourceKindRefund, endedRefund("ABNORMAL"), envelope.TransferStatus{No: refund, Progress: envelope.ProgressStuck, Amount: 9000, ProviderNo: "5030", Code: "ABNORMAL"}},
		{apiv3.EventRefundClosed, apiv3.ResourceKindRefund, endedRefund("CLOSED"), envelope.TransferStatus{No: refund, Progress: envelope.ProgressRefused, Amount: 9000, ProviderNo: "5030", Code: "CLOSED"}},
	} {
		c := newClient(t, nil)
		body := eventOf(t, row.event, row.kind, row.said)
		got, err := c.ParseNotice(stamped(t, body), body)
		if diff := cmp.Diff(Notice{Transfer: &row.want}, got); diff != "" || err != nil {
			t.Errorf("%s %v: %v %s", row.event, row.want.Progress, err, diff)
		}
		if n := testutil.ToFloat64(c.metrics.notifications.WithLabelValues("transfer")); n != 1 {
			t.Errorf("counted %v transfers, want 1", n)
		}
	}
}

// notUsed reports that an authentic notification was refused, and not as forged
// or as one about a row that is missing.
func notUsed(err error) bool {
	return (errors.Is(err, ErrNotOurs) || errors.Is(err, ErrUnreadable)) && !errors.Is(err, ErrForged) && !errors.Is(err, envelope.ErrNotFound)
}

// FS29: what the provider says about another merchant's number is not forged.
func TestNotificationsAboutOthersAreNotOurs(t *testing.T) {
	c := newClient(t, nil)
	others := func(set func(map[string]any)) map[string][]byte {
		payout, refund, batch := finishedPayout("SUCCESS"), endedRefund("SUCCESS"), batchNews(desk{batch: testBatch(2), status: "CLOSED"})
		payment := map[string]any{}
		if err := json.Unmarshal(marshal(t, paid()), &payment); err != nil {
			t.Fatal(err)
		}
		for _, said := range []map[string]any{payout, refund, batch, payment} {
			set(said)
		}
		return map[string][]byte{
			"payout": eventOf(t, apiv3.EventPayoutFinished, apiv3.ResourceKindPayout, payout), "refund": eventOf(t, apiv3.EventRefundSuccess, apiv3.ResourceKindRefund, refund),
			"batch":   eventOf(t, eventPayoutBatchClosed, apiv3.ResourceKindPayout, batch),
			"payment": eventOf(t, apiv3.EventTransactionSuccess, apiv3.ResourceKindTransaction, payment),
		}
	}
	for what, bodies := range map[string]map[string][]byte{
		"number": others(func(said map[string]any) {
			for _, key := range []string{"out_bill_no", "out_refund_no", "out_batch_no", "out_trade_no"} {
				if said[key] != nil {
					said[key] = "SHOP-2026-17"
				}
			}
		}),
		"merchant": others(func(said map[string]any) {
			for _, key := range []string{"mch_id", "mchid"} {
				if said[key] != nil {
					said[key] = "1900000002"
				}
			}
		}),
	} {
		for name, body := range bodies {
			if n, err := c.ParseNotice(stamped(t, body), body); !errors.Is(err, ErrNotOurs) || errors.Is(err, ErrForged) || errors.Is(err, ErrUnreadable) {
				t.Errorf("another %s of a %s: %+v, %v, want ErrNotOurs", what, name, n, err)
			}
		}
	}
	if n := testutil.ToFloat64(c.metrics.notifications.WithLabelValues("not_ours")); n != 8 {
		t.Errorf("counted %v, want 8", n)
	}
}

// TestTransfersThatAreNotOursAreRefused changes the content and not the signer (FF5).
func TestTransfersThatAreNotOursAreRefused(t *testing.T) {
	c := newClient(t, nil)
	refuse := func(event, kind string, said map[string]any, what string, value any) {
		body := eventOf(t, event, kind, said)
		if n, err := c.ParseNotice(stamped(t, body), body); !notUsed(err) || n != (Notice{}) {
			t.Errorf("%s with %s %v: %+v, %v, want it not used", event, what, value, n, err)
		}
	}
	for _, change := range []struct {
		key   string
		value any
	}{
		{"mch_id", "1900000002"}, {"mch_id", ""}, {"out_bill_no", "X"}, {"out_bill_no", string(orderNo())}, {"out_bill_no", string(orderNo()) + "R"},
		{"out_bill_no", string(orderNo()) + "P7"}, {"transfer_amount", 0}, {"transfer_amount", -1}, {"transfer_amount", payoutFenMax + 1}, {"transfer_amount", 2.5},
		{"state", "PROCESSING"}, {"state", "WAIT_USER_CONFIRM"}, {"state", "DONE"}, {"state", ""}, {"transfer_bill_no", ""},
	} {
		said := finishedPayout("SUCCESS")
		said[change.key] = change.value
		refuse(apiv3.EventPayoutFinished, apiv3.ResourceKindPayout, said, change.key, change.value)
	}
	for _, change := range []struct {
		key   string
		value any
	}{
		{"mchid", "1900000002"}, {"out_trade_no", string(envelope.Body(1<<40 + 8).In(3))}, {"out_refund_no", payoutNo()}, {"out_refund_no", ""},
		{"refund_status", "PROCESSING"}, {"refund_status", "CLOSED"}, {"refund_status", ""}, {"refund_id", "a b"},
		{"amount", map[string]any{"refund": 0, "total": 10000}}, {"amount", nil},
	} {
		said := endedRefund("SUCCESS")
		said[change.key] = change.value
		refuse(apiv3.EventRefundSuccess, apiv3.ResourceKindRefund, said, change.key, change.value)
	}
	refuse(apiv3.EventPayoutFinished, apiv3.ResourceKindRefund, finishedPayout("SUCCESS"), "kind", apiv3.ResourceKindRefund)
	refuse(apiv3.EventRefundSuccess, apiv3.ResourceKindPayout, endedRefund("SUCCESS"), "kind", apiv3.ResourceKindPayout)
	refuse(apiv3.EventTransactionSuccess, apiv3.ResourceKindTransaction, endedRefund("SUCCESS"), "event", apiv3.EventTransactionSuccess)
}

// batchNews is what a notification says about a batch.
func batchNews(d desk) map[string]any {
	said := d.told()
	for _, key := range []string{"appid", "batch_type", "batch_name", "batch_remark", "create_time", "transfer_scene_id"} {
		delete(said, key)
	}
	return said
}

// TestBatchNotificationsAreDoneOrUnknown: a notification does not say
// which of the payouts failed.
func TestBatchNotificationsAreDoneOrUnknown(t *testing.T) {
	b := testBatch(3)
	paid := envelope.PayoutBatchStatus{No: b.No, Progress: envelope.ProgressDone, ProviderNo: batchProviderNo, Count: 3, Total: b.Total(), Paid: 3, PaidAmount: b.Total()}
	ask := func(said ...int) envelope.PayoutBatchStatus {
		s := envelope.PayoutBatchStatus{No: b.No, Progress: envelope.ProgressUnknown, ProviderNo: batchProviderNo, Count: 3, Total: b.Total(), Paid: len(said)}
		for _, i := range said {
			s.PaidAmount += b.Payouts[i].Amount
		}
		return s
	}
	unaccounted := batchNews(desk{batch: b, status: "CLOSED"})
	unaccounted["success_num"], unaccounted["success_amount"] = 1, int(b.Payouts[0].Amount)
	for name, row := range map[string]struct {
		event string
		said  map[string]any
		want  envelope.PayoutBatchStatus
	}{
		"paid":              {eventPayoutBatchFinished, batchNews(desk{batch: b, status: "FINISHED"}), paid},
		"one failed":        {eventPayoutBatchFinished, batchNews(desk{batch: b, status: "FINISHED", failed: []int{1}}), ask(0, 2)},
		"paid, and closed":  {eventPayoutBatchClosed, batchNews(desk{batch: b, status: "CLOSED"}), paid},
		"closed":            {eventPayoutBatchClosed, batchNews(desk{batch: b, status: "CLOSED", failed: []int{0, 1, 2}}), ask()},
		"closed, and which": {eventPayoutBatchClosed, unaccounted, ask(0)},
	} {
		c := newClient(t, nil)
		body := eventOf(t, row.event, apiv3.ResourceKindPayout, row.said)
		got, err := c.ParseNotice(stamped(t, body), body)
		if diff := cmp.Diff(Notice{Batch: &row.want}, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", name, err, diff)
		}
		if n := testutil.ToFloat64(c.metrics.notifications.WithLabelValues("payout_batch")); n != 1 {
			t.Errorf("counted %v batches, want 1", n)
		}
	}
}

// TestBatchesThatAreNotOursAreRefused changes the content and not the signer (FF5).
func TestBatchesThatAreNotOursAreRefused(t *testing.T) {
	c := newClient(t, nil)
	for _, change := range []map[string]any{
		{"mchid": "1900000002"}, {"mchid": ""}, {"out_batch_no": "X"}, {"out_batch_no": payoutNo()}, {"out_batch_no": testBatch(1).No + "0"},
		{"batch_id": ""}, {"batch_id": "a b"}, {"batch_status": "CLOSED"}, {"batch_status": "PROCESSING"}, {"batch_status": ""},
		{"total_num": 0}, {"total_num": -3}, {"total_num": 2}, {"total_num": 4}, {"total_num": envelope.PayoutBatchMax + 1}, {"total_num": 3.5},
		{"total_amount": 0}, {"total_amount": 305}, {"total_amount": 307}, {"success_num": 2}, {"success_num": 4}, {"success_amount": 307}, {"success_amount": 305},
		{"fail_num": 1}, {"fail_num": -1}, {"fail_amount": 1}, {"fail_amount": -1}, {"success_num": 4, "fail_num": -1}, {"success_amount": 305, "fail_amount": 1},
		{"success_amount": 307, "fail_amount": -1}, {"success_num": 2, "fail_num": 1}, {"success_num": 2, "success_amount": 203},
		{"total_num": 0, "success_num": 0, "total_amount": 0, "success_amount": 0}, {"total_amount": 3 * (payoutFenMax + 1), "success_amount": 3 * (payoutFenMax + 1)},
	} {
		said := batchNews(desk{batch: testBatch(3), status: "FINISHED"})
		for key, value := range change {
			said[key] = value
		}
		for event, kind := range map[string]string{eventPayoutBatchFinished: apiv3.ResourceKindPayout, apiv3.EventPayoutFinished: apiv3.ResourceKindPayout, eventPayoutBatchClosed: apiv3.ResourceKindRefund} {
			body := eventOf(t, event, kind, said)
			if n, err := c.ParseNotice(stamped(t, body), body); !notUsed(err) || n != (Notice{}) {
				t.Errorf("%s with %v: %+v, %v, want it not used", event, change, n, err)
			}
		}
	}
}

func TestRoundsHaveTheirOwnNumbers(t *testing.T) {
	c := newClient(t, nil)
	said := finishedPayout("SUCCESS")
	said["out_bill_no"] = envelope.TransferNo(orderNo(), 7, 2)
	body := eventOf(t, apiv3.EventPayoutFinished, apiv3.ResourceKindPayout, said)
	n, err := c.ParseNotice(stamped(t, body), body)
	if err != nil || n.Transfer == nil || n.Transfer.No != envelope.TransferNo(orderNo(), 7, 2) {
		t.Fatalf("%+v, %v", n, err)
	}
	if _, err := testPayout().Apply(*n.Transfer); !errors.Is(err, envelope.ErrTransferConflict) {
		t.Errorf("the first round takes the second's word: %v", err)
	}
}

// TestMutatedNotificationsAreRefused changes one to three bytes anywhere in
// what is signed, or in the signature (FF3).
func TestMutatedNotificationsAreRefused(t *testing.T) {
	const mutations = 100_000
	c := newClient(t, nil)
	body := eventOf(t, apiv3.EventPayoutFinished, apiv3.ResourceKindPayout, finishedPayout("SUCCESS"))
	header := stamped(t, body)
	dice := rand.New(rand.NewPCG(3, 3))
	names := []string{apiv3.HeaderSignature, apiv3.HeaderNonce, apiv3.HeaderTimestamp, apiv3.HeaderSerial}
	for i := range mutations {
		changed, said := header.Clone(), append([]byte(nil), body...)
		for range 1 + dice.IntN(3) {
			target := said
			name := ""
			if n := dice.IntN(8); n < len(names) {
				name = names[n]
				target = []byte(changed[name][0])
			}
			target[dice.IntN(len(target))] ^= byte(1 + dice.IntN(255))
			if name != "" {
				changed[name] = []string{string(target)}
			}
		}
		if string(said) == string(body) && cmp.Equal(changed, header) {
			continue // two changes undid each other
		}
		if n, err := c.ParseNotice(changed, said); !errors.Is(err, ErrForged) {
			t.Fatalf("mutation %d passes: %+v, %v", i, n, err)
		}
	}
	if _, err := c.ParseNotice(header, body); err != nil {
		t.Errorf("unchanged: %v", err)
	}
}

// TestResendsPassAndReplaysEnd: the provider signs every delivery anew, a
// captured one can be used for five minutes (FF4).
func TestResendsPassAndReplaysEnd(t *testing.T) {
	now := noon()
	c := newClient(t, func(cfg *Config) { cfg.Now = func() time.Time { return now } })
	body := eventOf(t, apiv3.EventRefundSuccess, apiv3.ResourceKindRefund, endedRefund("SUCCESS"))
	first := stamped(t, body)
	for range 16 {
		resent := http.Header{}
		if err := apiv3.Stamp(resent, platformKey(), testSerial, now, body); err != nil {
			t.Fatal(err)
		}
		if _, err := c.ParseNotice(resent, body); err != nil {
			t.Errorf("%v later, signed anew: %v", now.Sub(noon()), err)
		}
		if _, err := c.ParseNotice(first, body); (err == nil) != (now.Sub(noon()) <= apiv3.ClockSkewMax) {
			t.Errorf("%v later, as captured: %v", now.Sub(noon()), err)
		}
		now = now.Add(2 * time.Minute)
	}
}

// BenchmarkParseNotice shows what a flood costs (FF10): one that is refused for
// its clock, one that has to be verified, and the truth.
func BenchmarkParseNotice(b *testing.B) {
	c := newClient(b, nil)
	body := eventOf(b, apiv3.EventPayoutFinished, apiv3.ResourceKindPayout, finishedPayout("SUCCESS"))
	header := stamped(b, body)
	stale, forged := header.Clone(), header.Clone()
	stale.Set(apiv3.HeaderTimestamp, strconv.FormatInt(noon().Add(-time.Hour).Unix(), 10))
	forged.Set(apiv3.HeaderNonce, "another")
	for name, h := range map[string]http.Header{"stale": stale, "forged": forged, "authentic": header} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := c.ParseNotice(h, body); (err == nil) != (name == "authentic") {
					b.Fatal(err)
				}
			}
		})
	}
}
