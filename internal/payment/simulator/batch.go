package simulator

import (
	"context"
	"iter"
	"slices"
	"time"

	"hongbao/internal/payment/simulator/refusal"
)

// batchDaysMax is how long a batch can be asked about.
const batchDaysMax = 30

// batchTerms are what the merchant asked for. A repeat has to ask for the same.
type batchTerms struct {
	Name      string        `json:"name"`
	Remark    string        `json:"remark"`
	SceneID   string        `json:"scene_id"`
	NotifyURL string        `json:"notify_url,omitzero"` // may be absent: then nobody is notified
	Details   []batchDetail `json:"details"`
	Account   string        `json:"account,omitzero"` // ours: what it leaves from; empty is BASIC
	DueAt     time.Time     `json:"due_at"`           // ours: when it is carried out
}

// batchDetail is one payout of a batch.
type batchDetail struct {
	No        string `json:"no"` // the merchant's, once in a batch
	OpenID    string `json:"openid"`
	AmountFen int64  `json:"amount_fen"`
	Remark    string `json:"remark"`
}

// failure is a detail that was not paid.
type failure struct {
	Detail int    `json:"detail"` // its place in the batch, from 0
	Reason string `json:"reason"`
}

func (t *batchTerms) same(o *batchTerms) bool {
	return t.Name == o.Name && t.Remark == o.Remark && t.SceneID == o.SceneID && t.NotifyURL == o.NotifyURL &&
		slices.Equal(t.Details, o.Details)
}

// payoutBatch is payouts that were asked for together, as they stand. None of
// them has a life of its own: they wait together and end together.
type payoutBatch struct {
	batchTerms
	no        string
	id        string
	first     int64 // of all details of the ledger: the number of its own first
	at        time.Time
	updatedAt time.Time
	end       string // the state it ended in; empty before
	failed    []failure
	all, paid total
	notified  bool
}

// The states of a batch and of its details, besides those of a transfer and of
// an order, in the provider's words.
const (
	batchFinished = "FINISHED"
	detailWaiting = "INIT"
)

func (p *payoutBatch) state(now time.Time) string {
	switch {
	case p.end != "":
		return p.end
	case now.Sub(p.at) < p.DueAt.Sub(p.at)/2:
		return stateAccepted
	}
	return stateProcessing
}

// outcomes has, of a batch that has ended, every detail's place and why it was
// not paid; empty is paid.
func (p *payoutBatch) outcomes() iter.Seq2[int, string] {
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

// outcome is the state of one detail, and why it failed.
func (p *payoutBatch) outcome(i int, now time.Time) (state, reason string) {
	if p.end == "" {
		if state = p.state(now); state == stateAccepted {
			state = detailWaiting
		}
		return state, ""
	}
	if at, failed := slices.BinarySearchFunc(p.failed, i, func(f failure, i int) int { return f.Detail - i }); failed {
		reason = p.failed[at].Reason
	}
	return detailEnd(reason), reason
}

func detailEnd(reason string) (state string) {
	if reason != "" {
		return stateFailed
	}
	return stateTransferred
}

// unpaid is what the details come to that failed.
func (p *payoutBatch) unpaid() total {
	if p.end == "" {
		return total{}
	}
	return total{Count: p.all.Count - p.paid.Count, Fen: p.all.Fen - p.paid.Fen}
}

func (p *payoutBatch) closeReason() string {
	if p.end == stateClosed {
		return reasonOverdue
	}
	return ""
}

// detailID is the provider's number of a detail.
func (p *payoutBatch) detailID(i int) string { return providerNo("1040", p.at, p.first+int64(i)) }

func (b *book) applyBatch(r *record) (possible bool) {
	p := b.batches[r.No]
	switch {
	case r.Kind == batchAccepted && p == nil && r.Batch != nil && r.ProviderNo != "":
		p = &payoutBatch{batchTerms: *r.Batch, no: r.No, id: r.ProviderNo, first: b.details + 1, at: r.At, updatedAt: r.At}
		for i := range p.Details {
			p.all.add(p.Details[i].AmountFen)
		}
		b.batches[p.no], b.batchIDs[p.id] = p, p
		b.details += p.all.Count
	case p == nil:
		return false
	case r.Kind == batchEnded && p.end == "" && p.mayEnd(r):
		p.end, p.failed, p.updatedAt, p.notified = r.End, r.Failed, r.At, p.NotifyURL == ""
		b.payOut(p, r.TwiceOf)
	case r.Kind == batchNotified && p.end != "":
		p.notified = true
	default:
		return false
	}
	return true
}

// mayEnd holds that every detail ends once.
func (p *payoutBatch) mayEnd(r *record) bool {
	last := -1
	for _, f := range r.Failed {
		if f.Detail <= last || f.Detail >= len(p.Details) || f.Reason == "" {
			return false
		}
		last = f.Detail
	}
	return r.End == batchFinished || r.End == stateClosed
}

// payOut moves the money of every detail that did not fail.
func (b *book) payOut(p *payoutBatch, twiceOf []int) {
	b.movements = slices.Grow(b.movements, len(p.Details))
	for i, reason := range p.outcomes() {
		if reason != "" {
			continue
		}
		d := &p.Details[i]
		_, again := slices.BinarySearch(twiceOf, i)
		b.add(movement{At: p.updatedAt, Kind: kindPayout, No: d.No, ProviderNo: p.detailID(i), AmountFen: d.AmountFen, Party: d.OpenID, Account: p.Account}, again)
		p.paid.add(d.AmountFen)
	}
}

// acceptBatch decides what a request to pay out a batch does: nil, nil is a
// repeat.
func (b *book) acceptBatch(no string, want *batchTerms, now time.Time) (*record, error) {
	if p := b.batches[no]; p != nil {
		if !p.same(want) {
			return nil, refusal.Invalid("商家批次单号已存在，且与之前请求的参数不一致")
		}
		return nil, nil
	}
	if len(b.batches) >= b.max || b.details+int64(len(want.Details)) > detailsMax {
		return nil, refusal.ErrFull
	}
	id := providerNo("1030", now, int64(len(b.batches))+1)
	return &record{Kind: batchAccepted, No: no, At: now, ProviderNo: id, Batch: want}, nil
}

// awaitBatch has a batch carried out when it is due.
func (s *Simulator) awaitBatch(p *payoutBatch) {
	no := p.no
	s.moves.at(s.in(p.DueAt.Sub(p.at), p.at), func(ctx context.Context) { s.endBatch(ctx, no) })
}

// endBatch takes all of a batch to its end, and queues its notification.
func (s *Simulator) endBatch(ctx context.Context, no string) {
	s.end(ctx, event{kindBatch, no}, func(b *book) *record {
		p := b.batches[no]
		if p.end != "" {
			return nil
		}
		r := &record{Kind: batchEnded, No: no, At: s.cfg.Now(), End: batchFinished}
		decided := len(p.Details)
		if s.liar.tells(operation{kind: kindPayout, no: no}, batchClosed) {
			r.End, decided = stateClosed, decided/2
		}
		for i := range p.Details {
			reason, again := reasonOverdue, false
			if i < decided {
				reason, again = s.luck(operation{kindPayout, p.Details[i].No, p.Details[i].OpenID})
			}
			if reason != "" {
				r.Failed = append(r.Failed, failure{i, reason})
			}
			if again {
				r.TwiceOf = append(r.TwiceOf, i)
			}
		}
		return r
	})
}
