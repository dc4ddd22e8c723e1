package simulator

import (
	"context"
	"net/http"
	"slices"
	"time"

	"hongbao/internal/payment/simulator/ledger"
	"hongbao/internal/payment/simulator/lies"
	"hongbao/internal/payment/simulator/refusal"
	"hongbao/internal/payment/simulator/wire"
)

// payOutBatch takes a request to pay out a batch. A repeat gets it as it stands.
func (s *Simulator) payOutBatch(_ *http.Request, body []byte) (call, error) {
	var req wire.BatchRequest
	if err := refusal.ReadJSON(body, &req); err != nil {
		return call{}, err
	}
	if err := s.rules.CheckBatch(&req); err != nil {
		return call{}, err
	}
	want := req.Terms()
	want.Account = s.payoutAccount()
	about := lies.Operation{Kind: ledger.KindPayout, No: req.No}
	return call{about, true, func(ctx context.Context) (any, error) { return s.acceptBatch(ctx, about, want) }}, nil
}

func (s *Simulator) acceptBatch(ctx context.Context, about lies.Operation, want *ledger.BatchTerms) (any, error) {
	var fresh bool
	err := s.journal.Commit(ctx, func(b *ledger.Book) (*ledger.Record, error) {
		now := s.cfg.Now()
		r, err := b.AcceptBatch(about.No, want, now)
		if fresh = r != nil; fresh {
			want.DueAt = now.Add(s.cfg.TransferAfter)
			if told, how := s.liar.Tell(about, lies.SlowAcceptance); told != "" {
				want.DueAt = now.Add(lies.Milliseconds(how.LaterMS))
			}
		}
		return r, err
	})
	if err != nil {
		return nil, err
	}
	p, err := s.journal.Book.Batch(about.No)
	if err != nil {
		return nil, err
	}
	if fresh {
		s.awaitBatch(&p)
	}
	return wire.BatchAnswer{No: p.No, BatchID: p.ID, CreateTime: wire.Time(p.At), Status: p.State(s.cfg.Now())}, nil
}

// queryBatch says what became of a batch, and of the details on one page.
func (s *Simulator) queryBatch(r *http.Request, _ []byte) (call, error) {
	no := r.PathValue("no")
	p, err := s.recent(s.journal.Book.Batch(no))
	return s.tellBatch(r, no, &p, err)
}

// queryBatchID does so by our number.
func (s *Simulator) queryBatchID(r *http.Request, _ []byte) (call, error) {
	p, err := s.recent(s.journal.Book.BatchByID(r.PathValue("id")))
	return s.tellBatch(r, p.No, &p, err)
}

func (s *Simulator) tellBatch(r *http.Request, no string, p *ledger.PayoutBatch, err error) (call, error) {
	which, bad := wire.ReadDetailPage(r.URL.Query())
	if bad != nil {
		return call{}, bad
	}
	return call{Operation: lies.Operation{Kind: ledger.KindPayout, No: no}, do: func(context.Context) (any, error) {
		if err != nil {
			return nil, err
		}
		return wire.BatchStatus{Batch: s.batchInfo(p), Details: which.Of(p)}, nil
	}}, nil
}

// recent lets pass a batch that the provider still knows.
func (s *Simulator) recent(p ledger.PayoutBatch, err error) (ledger.PayoutBatch, error) {
	if err == nil && s.cfg.Now().Sub(p.At) > batchDaysMax*24*time.Hour {
		return p, refusal.ErrNoTransfer
	}
	return p, err
}

func (s *Simulator) batchInfo(p *ledger.PayoutBatch) wire.BatchInfo {
	failed := p.Unpaid()
	return wire.BatchInfo{
		MerchantID: s.cfg.MerchantID, No: p.No, BatchID: p.ID, AppID: s.cfg.AppID, Status: p.State(s.cfg.Now()), Type: "API",
		Name: p.Name, Remark: p.Remark, CloseReason: p.CloseReason(), TotalFen: p.All.Fen, TotalNum: p.All.Count,
		CreateTime: wire.Time(p.At), UpdateTime: wire.Time(p.UpdatedAt), SuccessFen: p.Paid.Fen, SuccessNum: p.Paid.Count,
		FailFen: failed.Fen, FailNum: failed.Count, SceneID: p.SceneID,
	}
}

// queryDetail says what became of one detail, and why it failed.
func (s *Simulator) queryDetail(r *http.Request, _ []byte) (call, error) {
	p, err := s.recent(s.journal.Book.Batch(r.PathValue("no")))
	no := r.PathValue("detail")
	i := slices.IndexFunc(p.Details, func(d ledger.BatchDetail) bool { return d.No == no })
	return s.tellDetail(no, &p, i, err)
}

// queryDetailID does so by our numbers.
func (s *Simulator) queryDetailID(r *http.Request, _ []byte) (call, error) {
	p, err := s.recent(s.journal.Book.BatchByID(r.PathValue("id")))
	for i := range p.Details {
		if p.DetailID(i) == r.PathValue("detail") {
			return s.tellDetail(p.Details[i].No, &p, i, err)
		}
	}
	return s.tellDetail("", &p, -1, err)
}

// tellDetail tells of the detail at a place in a batch; -1 is none.
func (s *Simulator) tellDetail(no string, p *ledger.PayoutBatch, i int, err error) (call, error) {
	if err == nil && i < 0 {
		err = refusal.ErrNoTransfer
	}
	about := lies.Operation{Kind: ledger.KindPayout, No: no}
	if err == nil {
		about.Party = p.Details[i].OpenID
	}
	return call{Operation: about, do: func(context.Context) (any, error) {
		if err != nil {
			return nil, err
		}
		d := &p.Details[i]
		a := wire.DetailAnswer{
			MerchantID: s.cfg.MerchantID, No: p.No, BatchID: p.ID, AppID: s.cfg.AppID, DetailNo: d.No, DetailID: p.DetailID(i),
			AmountFen: d.AmountFen, Remark: d.Remark, OpenID: d.OpenID, InitiateTime: wire.Time(p.At), UpdateTime: wire.Time(p.UpdatedAt),
		}
		a.Status, a.FailReason = p.Outcome(i, s.cfg.Now())
		return a, nil
	}}, nil
}

// batchDaysMax is how long a batch can be asked about.
const batchDaysMax = 30
