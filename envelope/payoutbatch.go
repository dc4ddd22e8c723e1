package envelope

import (
	"fmt"
	"strings"
	"time"
)

// PayoutBatch is payouts that the provider is asked for together, under a number
// of the batch's own: one signature for all of them. Nothing joins a batch or
// leaves it while it is pending, so that placing it again is a repeat (I7).
type PayoutBatch struct {
	No        string
	Payouts   []Transfer // 1 to PayoutBatchMax, in the order of their numbers
	Placed    bool       // the provider has been asked to carry it out
	Attempts  int        // calls about it so far
	CreatedAt time.Time  // when the first of them was owed
	PlacedAt  time.Time  // when the provider was first asked to carry it out; zero if never
}

// PayoutBatchMax is how many payouts a batch has at most; the provider takes 1000.
const PayoutBatchMax = 500

// PayoutBatchNo names a batch after a payout: "B", and its number. A payout is at
// the head of one batch at most, so no two batches are named after the same one.
func PayoutBatchNo(payoutNo string) string { return "B" + payoutNo }

// Tiers of amounts, by which payouts are carried out when there is more to do
// than can be done: 0 from 100.00, 1 from 10.00, 2 below. A batch is in that of its
// largest payout.
const Tiers = 3

// ParsePayoutBatchNo reads a number back, as far as the order that the first
// payout is of. Anything that PayoutBatchNo would not make is an error.
func ParsePayoutBatchNo(no string) (ID, error) {
	payout, ok := strings.CutPrefix(no, "B")
	id, seq, _, err := ParseTransferNo(payout)
	if !ok || err != nil || seq == 0 {
		return "", fmt.Errorf("batch number %q: want B and the number of a payout", cutString(no))
	}
	return id, nil
}

// Total is what the batch pays out, in fen.
func (b *PayoutBatch) Total() (sum Fen) {
	for i := range b.Payouts {
		sum += b.Payouts[i].Amount
	}
	return sum
}

// PayoutBatchStatus is the provider's word about one batch.
type PayoutBatchStatus struct {
	No string
	// Progress is unknown, absent, under_way, stuck, rejected, or done: every payout
	// has come to its end, and what follows says to which. An unknown word may still
	// say some of it, which must not contradict what is recorded.
	Progress   Progress
	Code       string // stuck or rejected: why
	ProviderNo string
	Count      int // of the whole batch; 0 when the provider does not say
	Total      Fen
	Paid       int
	PaidAmount Fen
	Refused    []TransferStatus // by number, each with its code
}

// PayoutBatchUpdate is what is to be recorded of a batch that has not ended, and
// when to ask again.
type PayoutBatchUpdate struct {
	PayoutBatchStatus
	Wait    time.Duration
	Attempt int // the claim that the status answers, as its Attempts
}

// Hear is what a status that is done says of each payout of the batch, in their
// order: not the provider's own numbers of them, which it tells one by one only.
// It is ErrTransferConflict when that does not add up to the batch.
func (b *PayoutBatch) Statuses(s *PayoutBatchStatus) ([]TransferStatus, error) {
	if s.No != b.No || s.Progress != ProgressDone {
		return nil, fmt.Errorf("batch %s: the provider speaks of %s, %s: %w", b.No, s.No, s.Progress, ErrTransferConflict)
	}
	refused := make(map[string]string, len(s.Refused))
	for _, r := range s.Refused {
		refused[r.No] = r.Code
	}
	heard, paid, amount := make([]TransferStatus, len(b.Payouts)), 0, Fen(0)
	for i := range b.Payouts {
		t := &b.Payouts[i]
		word := TransferStatus{No: t.No(), Progress: ProgressDone, Amount: t.Amount}
		if code, no := refused[word.No]; no {
			word.Progress, word.Code = ProgressRefused, code
			delete(refused, word.No)
		} else {
			paid, amount = paid+1, amount+t.Amount
		}
		heard[i] = word
	}
	if paid != s.Paid || amount != s.PaidAmount || len(refused) > 0 {
		return nil, fmt.Errorf("batch %s of %d payouts, %d fen, less those that were refused: the provider has paid %d, %d fen, and refused %d: %w",
			b.No, len(b.Payouts), b.Total(), s.Paid, s.PaidAmount, len(s.Refused), ErrTransferConflict)
	}
	return heard, nil
}
