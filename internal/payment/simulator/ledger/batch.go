package ledger

import (
	"iter"
	"slices"
	"time"

	"hongbao/internal/payment/simulator/refusal"
	"hongbao/internal/payment/simulator/states"
)

const (
	// DetailsInBatchMax bounds the payouts of one batch.
	DetailsInBatchMax = 1000
	// BatchBytesMax bounds the request for one: DetailsInBatchMax details with
	// everything as long as it may be, names encrypted under a key of 4096 bits.
	BatchBytesMax = 1400 * DetailsInBatchMax
)

// BatchTerms are what the merchant asked for. A repeat has to ask for the same.
type BatchTerms struct {
	Name      string        `json:"name"`
	Remark    string        `json:"remark"`
	SceneID   string        `json:"scene_id"`
	NotifyURL string        `json:"notify_url,omitzero"` // may be absent: then there is no notification
	Details   []BatchDetail `json:"details"`
	Account   string        `json:"account,omitzero"` // ours: what it leaves from; empty is BASIC
	DueAt     time.Time     `json:"due_at"`           // ours: when it is carried out
}

// BatchDetail is one payout of a batch.
type BatchDetail struct {
	No        string `json:"no"` // the merchant's, once in a batch
	OpenID    string `json:"openid"`
	AmountFen int64  `json:"amount_fen"`
	Remark    string `json:"remark"`
}

// Failure is a detail that was not paid.
type Failure struct {
	Detail int    `json:"detail"` // its place in the batch, from 0
	Reason string `json:"reason"`
}

func (t *BatchTerms) same(o *BatchTerms) bool {
	return t.Name == o.Name && t.Remark == o.Remark && t.SceneID == o.SceneID && t.NotifyURL == o.NotifyURL &&
		slices.Equal(t.Details, o.Details)
}

// PayoutBatch is payouts that were asked for together, as they stand. None of
// them has a life of its own: they wait together and end together.
type PayoutBatch struct {
	BatchTerms
	No        string
	ID        string
	first     int64 // of all details of the ledger: the number of its own first
	At        time.Time
	UpdatedAt time.Time
	End       string // the state it ended in; empty before
	failed    []Failure
	All, Paid Total
	notified  bool
}

// State is where the batch is on its way.
func (p *PayoutBatch) State(now time.Time) string {
	switch {
	case p.End != "":
		return p.End
	case now.Sub(p.At) < p.DueAt.Sub(p.At)/2:
		return states.Accepted
	}
	return states.Processing
}

// Outcomes has, of a batch that has ended, every detail's place and why it was
// not paid; empty is paid.
func (p *PayoutBatch) Outcomes() iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		failed := p.failed
		for i := range p.Details {
			reason := ""
			if len(failed) > 0 && failed[0].Detail == i {
				reason, failed = failed[0].Reason, failed[1:]
			}
			if !yield(i, reason) {
				return
			}
		}
	}
}

// Outcome is the state of one detail, and why it failed.
func (p *PayoutBatch) Outcome(i int, now time.Time) (state, reason string) {
	if p.End == "" {
		if state = p.State(now); state == states.Accepted {
			state = states.DetailWaiting
		}
		return state, ""
	}
	if at, failed := slices.BinarySearchFunc(p.failed, i, func(f Failure, i int) int { return f.Detail - i }); failed {
		reason = p.failed[at].Reason
	}
	return DetailEnd(reason), reason
}

// DetailEnd is the state of a detail that ended for a reason; none is paid.
func DetailEnd(reason string) (state string) {
	if reason != "" {
		return states.Failed
	}
	return states.Transferred
}

// Unpaid is what the details come to that failed.
func (p *PayoutBatch) Unpaid() Total {
	if p.End == "" {
		return Total{}
	}
	return Total{Count: p.All.Count - p.Paid.Count, Fen: p.All.Fen - p.Paid.Fen}
}

// CloseReason is why a batch was closed; empty for one that was not.
func (p *PayoutBatch) CloseReason() string {
	if p.End == states.Closed {
		return states.ReasonOverdue
	}
	return ""
}

// DetailID is the provider's number of a detail.
func (p *PayoutBatch) DetailID(i int) string { return providerNo("1040", p.At, p.first+int64(i)) }

func (b *Book) applyBatch(r *Record) (possible bool) {
	p := b.Batches[r.No]
	switch {
	case r.Kind == batchAccepted && p == nil && r.Batch != nil && r.ProviderNo != "":
		p = &PayoutBatch{BatchTerms: *r.Batch, No: r.No, ID: r.ProviderNo, first: b.details + 1, At: r.At, UpdatedAt: r.At}
		for i := range p.Details {
			p.All.Add(p.Details[i].AmountFen)
		}
		b.Batches[p.No], b.batchIDs[p.ID] = p, p
		b.details += p.All.Count
	case p == nil:
		return false
	case r.Kind == BatchEnded && p.End == "" && p.mayEnd(r):
		p.End, p.failed, p.UpdatedAt, p.notified = r.End, r.Failed, r.At, p.NotifyURL == ""
		b.payOut(p, r.TwiceOf)
	case r.Kind == BatchNotified && p.End != "":
		p.notified = true
	default:
		return false
	}
	return true
}

// mayEnd holds that every detail ends once.
func (p *PayoutBatch) mayEnd(r *Record) bool {
	last := -1
	for _, f := range r.Failed {
		if f.Detail <= last || f.Detail >= len(p.Details) || f.Reason == "" {
			return false
		}
		last = f.Detail
	}
	return r.End == states.BatchFinished || r.End == states.Closed
}

// payOut moves the money of every detail that did not fail.
func (b *Book) payOut(p *PayoutBatch, twiceOf []int) {
	b.movements = slices.Grow(b.movements, len(p.Details))
	for i, reason := range p.Outcomes() {
		if reason != "" {
			continue
		}
		d := &p.Details[i]
		_, again := slices.BinarySearch(twiceOf, i)
		b.add(Movement{At: p.UpdatedAt, Kind: KindPayout, No: d.No, ProviderNo: p.DetailID(i), AmountFen: d.AmountFen, Party: d.OpenID, Account: p.Account}, again)
		p.Paid.Add(d.AmountFen)
	}
}

// AcceptBatch decides what a request to pay out a batch does: nil, nil is a
// repeat.
func (b *Book) AcceptBatch(no string, want *BatchTerms, now time.Time) (*Record, error) {
	if p := b.Batches[no]; p != nil {
		if !p.same(want) {
			return nil, refusal.Invalid("商家批次单号已存在，且与之前请求的参数不一致")
		}
		return nil, nil
	}
	if len(b.Batches) >= b.max || b.details+int64(len(want.Details)) > detailsMax {
		return nil, refusal.ErrFull
	}
	id := providerNo("1030", now, int64(len(b.Batches))+1)
	return &Record{Kind: batchAccepted, No: no, At: now, ProviderNo: id, Batch: want}, nil
}
