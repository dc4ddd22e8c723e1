package envelope_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hongbao/envelope"
)

const batchOrder = envelope.ID("02504704131072000010032")

func payoutBatch(amounts ...envelope.Fen) envelope.PayoutBatch {
	b := envelope.PayoutBatch{No: envelope.PayoutBatchNo(envelope.TransferNo(batchOrder, 1, 1))}
	for i, amount := range amounts {
		b.Payouts = append(b.Payouts, envelope.Transfer{OrderNo: batchOrder, Seq: i + 1, Round: 1, Amount: amount, State: envelope.Pending})
	}
	return b
}

func TestBatchNumbersLeadToTheirOrder(t *testing.T) {
	longest := envelope.PayoutBatchNo(envelope.TransferNo(batchOrder, 500, envelope.RoundMax))
	for _, no := range []string{longest, payoutBatch(1).No} {
		if id, err := envelope.ParsePayoutBatchNo(no); err != nil || id != batchOrder {
			t.Errorf("ParsePayoutBatchNo(%q) = %q, %v", no, id, err)
		}
	}
	if len(longest) > 32 {
		t.Errorf("%q has %d characters, and the provider takes 32", longest, len(longest))
	}
	first := payoutBatch(1).No
	for _, no := range []string{
		"", "B", "B2", first[1:], first[:len(first)-1], first + "0", "b" + first[1:], "B" + first, envelope.PayoutBatchNo(string(batchOrder) + "R"),
	} {
		if id, err := envelope.ParsePayoutBatchNo(no); err == nil {
			t.Errorf("ParsePayoutBatchNo(%q) = %q", no, id)
		}
	}
}

func TestBatchSaysWhatBecameOfEachPayout(t *testing.T) {
	b := payoutBatch(5, 7, 11)
	refused := b.Payouts[1].No()
	heard, err := b.Statuses(&envelope.PayoutBatchStatus{No: b.No, Progress: envelope.ProgressDone, ProviderNo: "1030", Paid: 2, PaidAmount: 16,
		Refused: []envelope.TransferStatus{{No: refused, Code: "ACCOUNT_FROZEN"}}})
	if err != nil {
		t.Fatal(err)
	}
	want := []envelope.TransferStatus{
		{No: b.Payouts[0].No(), Progress: envelope.ProgressDone, Amount: 5},
		{No: refused, Progress: envelope.ProgressRefused, Amount: 7, Code: "ACCOUNT_FROZEN"},
		{No: b.Payouts[2].No(), Progress: envelope.ProgressDone, Amount: 11},
	}
	if diff := cmp.Diff(want, heard); diff != "" {
		t.Error(diff)
	}
}

func TestBatchThatDoesNotAddUpSaysNothing(t *testing.T) {
	b := payoutBatch(5, 7)
	done := envelope.PayoutBatchStatus{No: b.No, Progress: envelope.ProgressDone, Paid: 2, PaidAmount: 12}
	if _, err := b.Statuses(&done); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*envelope.PayoutBatchStatus){
		"another batch":     func(s *envelope.PayoutBatchStatus) { s.No = strings.Replace(s.No, "P001", "P002", 1) },
		"not at its end":    func(s *envelope.PayoutBatchStatus) { s.Progress = envelope.ProgressUnderWay },
		"one too few":       func(s *envelope.PayoutBatchStatus) { s.Paid = 1 },
		"a fen too much":    func(s *envelope.PayoutBatchStatus) { s.PaidAmount++ },
		"a stranger":        func(s *envelope.PayoutBatchStatus) { s.Refused = []envelope.TransferStatus{{No: "X"}} },
		"refused, and paid": func(s *envelope.PayoutBatchStatus) { s.Refused = []envelope.TransferStatus{{No: b.Payouts[0].No()}} },
	} {
		s := done
		s.Refused = slices.Clone(done.Refused)
		spoil(&s)
		if _, err := b.Statuses(&s); !errors.Is(err, envelope.ErrTransferConflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
