package payment

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongbao/envelope"
)

func TestBatchFailuresAreListedPageByPage(t *testing.T) {
	d := desk{batch: testBatch(envelope.PayoutBatchMax), status: "FINISHED", reasons: map[int]string{}}
	want := envelope.PayoutBatchStatus{No: d.batch.No, Progress: envelope.ProgressDone, ProviderNo: batchProviderNo, PaidAmount: d.batch.Total()}
	for i := 0; i < envelope.PayoutBatchMax; i += 2 {
		p := &d.batch.Payouts[i]
		d.failed, d.reasons[i] = append(d.failed, i), "ACCOUNT_FROZEN"
		want.PaidAmount -= p.Amount
		want.Refused = append(want.Refused, envelope.TransferStatus{No: p.No(), Progress: envelope.ProgressRefused, Amount: p.Amount, Code: "ACCOUNT_FROZEN"})
	}
	want.Paid = envelope.PayoutBatchMax - len(d.failed)
	slices.Reverse(d.failed) // an order is not promised
	var atOnce atomic.Int32
	turn := make(chan struct{}, 1)
	c := provider(t, func(r *http.Request, _ []byte) reply {
		if n := atOnce.Add(1); n > reasonsAtOnceMax {
			t.Errorf("%d questions at once, want at most %d", n, reasonsAtOnceMax)
		}
		defer atOnce.Add(-1)
		turn <- struct{}{}
		defer func() { <-turn }()
		return d.answer(t, r)
	})
	s, err := c.QueryBatch(context.Background(), d.batch)
	if diff := cmp.Diff(want, s); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if _, err := d.batch.Statuses(&s); err != nil {
		t.Error(err)
	}
	list := "need_query_detail=true&offset=%&limit=100&detail_status=FAIL"
	asked := []string{"need_query_detail=false"}
	for _, offset := range []string{"0", "100", "200"} {
		asked = append(asked, strings.ReplaceAll(list, "%", offset))
	}
	if diff := cmp.Diff(asked, d.asked); diff != "" {
		t.Error(diff)
	}
	if !c.metrics.calls.DeleteLabelValues("query_payout_batch", "ok") {
		t.Error("nothing was counted as query_payout_batch")
	}
}

// TestFailuresHaveTheBestReasonThereIs: the payout's, else the batch's (FG16, FG17).
func TestFailuresHaveTheBestReasonThereIs(t *testing.T) {
	long := strings.Repeat("A", codeBytesMax+1)
	for status, want := range map[string][]string{"FINISHED": {"OPENID_INVALID", long[1:], "FAIL"}, "CLOSED": {"OPENID_INVALID", long[1:], "OVERDUE_CLOSE"}} {
		d := desk{batch: testBatch(4), status: status, failed: []int{0, 1, 3}, reasons: map[int]string{0: "OPENID_INVALID", 1: long}}
		s, err := d.client(t).QueryBatch(context.Background(), d.batch)
		if err != nil || s.Paid != 1 || s.PaidAmount != d.batch.Payouts[2].Amount || len(s.Refused) != len(want) {
			t.Fatalf("%s: %+v, %v", status, s, err)
		}
		for i, r := range s.Refused {
			if r.Code != want[i] {
				t.Errorf("%s: %s was refused for %q, want %q", status, r.No, r.Code, want[i])
			}
		}
		if _, err := d.batch.Statuses(&s); err != nil {
			t.Error(err)
		}
	}
}

func TestBatchesOfFailuresAloneAreDone(t *testing.T) {
	d := desk{batch: testBatch(2), status: "CLOSED", failed: []int{0, 1}}
	s, err := d.client(t).QueryBatch(context.Background(), d.batch)
	if err != nil || s.Progress != envelope.ProgressDone || s.Paid != 0 || s.PaidAmount != 0 || len(s.Refused) != 2 {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestAnswersAboutOtherBatchesAreUnknown changes one thing of what is
// said about a batch of three, the second of which failed (FG5).
func TestAnswersAboutOtherBatchesAreUnknown(t *testing.T) {
	set := func(key string, value any) func(map[string]any) {
		return func(said map[string]any) { said[key] = value }
	}
	inBatch := func(key string, value any) func(map[string]any) {
		return func(said map[string]any) { said["transfer_batch"].(map[string]any)[key] = value }
	}
	listed := func(details ...map[string]any) func(map[string]any) { return set("transfer_detail_list", details) }
	batch := testBatch(3)
	own := func(i int, status string) map[string]any {
		return map[string]any{"out_detail_no": batch.Payouts[i].No(), "detail_status": status}
	}
	for what, changes := range map[string]map[string]func(map[string]any){
		"placed": {"number": set("out_batch_no", "X"), "status": set("batch_status", "DONE"), "no status": set("batch_status", nil),
			"no provider's number": set("batch_id", ""), "type": set("batch_id", 5)},
		"batch": {
			"merchant": set("mchid", "1900000002"), "no merchant": set("mchid", ""), "app": set("appid", "wx1"), "number": set("out_batch_no", payoutNo()),
			"no provider's number": set("batch_id", ""), "status": set("batch_status", "finished"), "no status": set("batch_status", ""),
			"one more": set("total_num", 4), "one less": set("total_num", 2), "a fen more": set("total_amount", 307), "a fraction": set("total_amount", 306.5),
			"one success more": set("success_num", 3), "one success less": set("success_num", 1), "no failure": set("fail_num", 0),
			"a fen of success more": set("success_amount", 205), "a fen of failure less": set("fail_amount", 101), "less than nothing": set("fail_num", -1),
			"a failure of nothing": func(said map[string]any) {
				said["success_amount"], said["fail_amount"] = 306, 0
			},
			"failed fen of nobody": func(said map[string]any) {
				said["success_num"], said["fail_num"] = 3, 0
			},
			"more than there is, and less": func(said map[string]any) {
				said["success_num"], said["fail_num"] = 4, -1
			},
		},
		"page": {
			"merchant": inBatch("mchid", "1900000002"), "number": inBatch("out_batch_no", "X"), "status": inBatch("batch_status", "PROCESSING"),
			"provider's number": inBatch("batch_id", "2"), "nothing listed": listed(), "too much listed": listed(own(1, "FAIL"), own(2, "FAIL")),
			"a stranger": listed(map[string]any{"out_detail_no": payoutNo(), "detail_status": "FAIL"}), "the wrong one": listed(own(2, "FAIL")),
			"a success": listed(own(1, "SUCCESS")), "neither": listed(own(1, "WAIT_PAY")), "no status": listed(own(1, "")),
		},
		"detail": {
			"merchant": set("mchid", "1900000002"), "app": set("appid", "wx1"), "batch": set("out_batch_no", "X"), "number": set("out_detail_no", payoutNo()),
			"amount": set("transfer_amount", 103), "payee": set("openid", "oOther"), "success": set("detail_status", "SUCCESS"),
			"neither": set("detail_status", "PROCESSING"), "no status": set("detail_status", ""),
		},
	} {
		for name, change := range changes {
			d := desk{batch: batch, status: "FINISHED", failed: []int{1}}
			d.spoil = func(said string, fields map[string]any) {
				if said == what {
					change(fields)
				}
			}
			if s, err := d.client(t).PlaceBatch(context.Background(), batch); !isUnknown(err) || !isNothing(s) {
				t.Errorf("%s, %s: %+v, %v, want an unknown outcome", what, name, s, err)
			}
		}
	}
}

// FG5.
func TestFailuresListedTwiceAreUnknown(t *testing.T) {
	d := desk{batch: testBatch(4), status: "FINISHED", failed: []int{1, 2}}
	d.spoil = func(what string, said map[string]any) {
		if list, ok := said["transfer_detail_list"].([]any); ok && what == "page" {
			list[1] = list[0]
		}
	}
	if s, err := d.client(t).QueryBatch(context.Background(), d.batch); !isUnknown(err) || !isNothing(s) {
		t.Errorf("%+v, %v, want an unknown outcome", s, err)
	}
}

// TestBatchesClosedUnaccountedAreUnknown: what is neither paid nor
// failed may still be either (FG5).
func TestBatchesClosedUnaccountedAreUnknown(t *testing.T) {
	d := desk{batch: testBatch(2), status: "CLOSED"}
	d.spoil = func(_ string, said map[string]any) { said["success_num"], said["success_amount"] = 1, 101 }
	if s, err := d.client(t).QueryBatch(context.Background(), d.batch); !isUnknown(err) || !isNothing(s) {
		t.Errorf("%+v, %v, want an unknown outcome", s, err)
	}
}

// TestBatchIsNotDoneWithoutEveryReason fails one of the questions that follow
// the first.
func TestBatchIsNotDoneWithoutEveryReason(t *testing.T) {
	for _, row := range []struct {
		status int
		code   string
		want   func(error) bool
	}{
		{404, "NOT_FOUND", isUnknown}, {404, "RESOURCE_NOT_EXISTS", isUnknown}, {400, "NEVER_HEARD_OF", isUnknown},
		{429, "FREQUENCY_LIMITED", isBusy}, {403, "FREQUENCY_LIMITED", isBusy},
		{403, "NO_AUTH", func(err error) bool { _, final := finalRefusal(err); return final }},
	} {
		for _, fails := range []string{"need_query_detail=true", "/details/"} {
			d := desk{batch: testBatch(30), status: "FINISHED", failed: []int{3, 7, 20}}
			turn := make(chan struct{}, 1)
			c := provider(t, func(r *http.Request, _ []byte) reply {
				turn <- struct{}{}
				defer func() { <-turn }()
				if strings.Contains(r.RequestURI, fails) {
					return reply{status: row.status, body: `{"code":"` + row.code + `"}`}
				}
				return d.answer(t, r)
			})
			if s, err := c.QueryBatch(context.Background(), d.batch); !row.want(err) || !isNothing(s) {
				t.Errorf("%s answered %d %s: %+v, %v", fails, row.status, row.code, s, err)
			}
		}
	}
}

// TestQueryOfABatchNeverPlacedIsAbsent: what counts is when it was placed (FS7).
func TestQueryOfABatchNeverPlacedIsAbsent(t *testing.T) {
	for _, code := range []string{"NOT_FOUND", "RESOURCE_NOT_EXISTS"} {
		c := provider(t, func(*http.Request, []byte) reply { return reply{status: 404, body: `{"code":"` + code + `"}`} })
		b := testBatch(2)
		for _, age := range []time.Duration{0, payoutMemory} {
			b.PlacedAt = noon().Add(-age)
			s, err := c.QueryBatch(context.Background(), b)
			if diff := cmp.Diff(envelope.PayoutBatchStatus{No: b.No, Progress: envelope.ProgressAbsent}, s); diff != "" || err != nil {
				t.Errorf("%s: %v %s", code, err, diff)
			}
		}
		b.PlacedAt = noon().Add(-payoutMemory - time.Second)
		if s, err := c.QueryBatch(context.Background(), b); !isUnknown(err) || !isNothing(s) {
			t.Errorf("%s of a month ago: %+v, %v, want an unknown outcome", code, s, err)
		}
	}
}
