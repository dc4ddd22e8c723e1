package payment

import (
	"context"
	"errors"
	"testing"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"

	"hongbao/envelope"
)

// TestNoUnknownCodeEndsATransfer looks for a code or a state that is taken
// for final and is on no list (FG5).
func TestNoUnknownCodeEndsATransfer(t *testing.T) {
	words := rapid.OneOf(rapid.StringMatching(`[A-Z_]{0,24}`), rapid.String(),
		rapid.SampledFrom([]string{"PARAM_ERRORS", "PAYEE_ACCOUNT", "param_error", "NOTENOUGH", "FAIL", "SUCCESS ", "success", "DONE"}))
	rapid.Check(t, func(t *rapid.T) {
		word, status := words.Draw(t, "code"), rapid.IntRange(201, 499).Draw(t, "status")
		listed := final(word) || refusesPayee(word) || word == codeNoResource || word == codeNotEnough || status == 204
		a := answer{status: status, body: []byte(`{"code":"` + word + `"}`)}
		for _, moves := range []bool{false, true} {
			_, err := settle(context.Background(), call{moves: moves}, a, nil)
			_, ended := finalRefusal(err)
			if !listed && (err == nil || ended) {
				t.Fatalf("%d %q is final: %v", status, word, err)
			}
		}
		payout, err := (&payoutBill{No: "1", ProviderNo: "1", State: word}).status()
		if err == nil && !knownPayoutState(word) {
			t.Fatalf("payout state %q is %+v", word, payout)
		}
		refund, err := (&refundBill{No: "1", ProviderNo: "1", Amount: refundAmount{Refund: 1}}).status(word)
		if err == nil && word != "PROCESSING" && word != "SUCCESS" && word != "ABNORMAL" && word != "CLOSED" {
			t.Fatalf("refund status %q is %+v", word, refund)
		}
		if ended, err := (&payoutBatch{No: "1", ProviderNo: "1", Status: word}).ended("1"); ended && (err != nil || word != "FINISHED" && word != "CLOSED") {
			t.Fatalf("batch status %q ends it, %v", word, err)
		}
	})
}

func knownPayoutState(s string) bool {
	switch s {
	case "ACCEPTED", "PROCESSING", "WAIT_USER_CONFIRM", "TRANSFERING", "SUCCESS", "FAIL", "CANCELING", "CANCELLED":
		return true
	}
	return false
}

// FuzzTransferAnswers: whatever a signed answer says, what is believed is about
// the transfer that was asked about.
func FuzzTransferAnswers(f *testing.F) {
	for _, t := range []envelope.Transfer{testPayout(), testRefund()} {
		for _, state := range []string{"SUCCESS", "FAIL", "WAIT_USER_CONFIRM", "PROCESSING", "CLOSED", ""} {
			f.Add(marshal(f, told(t, state)), t.IsRefund())
		}
	}
	f.Add([]byte(`{"state":"SUCCESS","STATE":"FAIL","out_bill_no":null}`), false)
	c := newClient(f, nil)
	f.Fuzz(func(t *testing.T, body []byte, refund bool) {
		transfer := testPayout()
		if refund {
			transfer = testRefund()
		}
		w, err := c.wire(&transfer)
		if err != nil {
			t.Fatal(err)
		}
		s, err := c.statusOf("fuzz", &transfer, body, w.read)
		switch {
		case err != nil && (s != envelope.TransferStatus{} || !errors.Is(err, envelope.ErrUnknownOutcome)):
			t.Errorf("%+v comes with %v", s, err)
		case err == nil && (s.No != transfer.No() || s.Amount != 0 && s.Amount != transfer.Amount || s.Progress == "" || s.ProviderNo == ""):
			t.Errorf("believed %+v", s)
		}
	})
}

// FuzzPayoutBatchAnswers: what is believed about a batch is about the one that
// was asked about, and adds up to it.
func FuzzPayoutBatchAnswers(f *testing.F) {
	b := testBatch(3)
	for _, status := range []string{"ACCEPTED", "FINISHED", "CLOSED", ""} {
		d := desk{batch: b, status: status}
		f.Add(marshal(f, d.told()))
		d.failed = []int{1}
		f.Add(marshal(f, d.told()))
	}
	c := newClient(f, nil)
	f.Fuzz(func(t *testing.T, body []byte) {
		var said payoutBatch
		if json.Unmarshal(body, &said) != nil || c.checkBatch(&b, &said) != nil {
			return
		}
		ended, err := said.ended(b.No)
		if err != nil || said.MerchantID != testMerchant || said.AppID != testApp || said.TotalNum != 3 || said.TotalAmount != int64(b.Total()) ||
			said.SuccessNum < 0 || said.FailNum < 0 || ended && (said.SuccessNum+said.FailNum != 3 || said.SuccessAmount+said.FailAmount != int64(b.Total())) {
			t.Errorf("believed %+v, %v", said, err)
		}
	})
}
