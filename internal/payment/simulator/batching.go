package simulator

import (
	"context"
	"net/http"
	"slices"
	"time"

	"hongbao/internal/payment/simulator/refusal"
)

// batchAnswer is what a request to pay out a batch is told.
type batchAnswer struct {
	No         string `json:"out_batch_no"`
	BatchID    string `json:"batch_id"`
	CreateTime string `json:"create_time"`
	Status     string `json:"batch_status"`
}

func (a batchAnswer) withState(state string) any { a.Status = state; return a }

// payOutBatch takes a request to pay out a batch. A repeat gets it as it stands.
func (s *Simulator) payOutBatch(_ *http.Request, body []byte) (call, error) {
	var req batchRequest
	if err := refusal.ReadJSON(body, &req); err != nil {
		return call{}, err
	}
	if err := s.checkBatch(&req); err != nil {
		return call{}, err
	}
	want := req.terms()
	want.Account = s.payoutAccount()
	about := operation{kind: kindPayout, no: req.No}
	return call{about, true, func(ctx context.Context) (any, error) { return s.acceptBatch(ctx, about, want) }}, nil
}

func (s *Simulator) acceptBatch(ctx context.Context, about operation, want *batchTerms) (any, error) {
	var fresh bool
	err := s.journal.commit(ctx, func(b *book) (*record, error) {
		now := s.cfg.Now()
		r, err := b.acceptBatch(about.no, want, now)
		if fresh = r != nil; fresh {
			want.DueAt = now.Add(s.cfg.TransferAfter)
			if told, how := s.liar.tell(about, slowAcceptance); told != "" {
				want.DueAt = now.Add(milliseconds(how.LaterMS))
			}
		}
		return r, err
	})
	if err != nil {
		return nil, err
	}
	p, err := s.journal.book.batch(about.no)
	if err != nil {
		return nil, err
	}
	if fresh {
		s.awaitBatch(&p)
	}
	return batchAnswer{No: p.no, BatchID: p.id, CreateTime: wireTime(p.at), Status: p.state(s.cfg.Now())}, nil
}

// batchStatus is a batch in the provider's words, in an answer to a query.
type batchStatus struct {
	Batch   batchInfo    `json:"transfer_batch"`
	Details []detailInfo `json:"transfer_detail_list,omitzero"` // of a batch that has ended, when asked for
}

func (a batchStatus) withState(state string) any { a.Batch.Status = state; return a }

type batchInfo struct {
	MerchantID  string `json:"mchid"`
	No          string `json:"out_batch_no"`
	BatchID     string `json:"batch_id"`
	AppID       string `json:"appid"`
	Status      string `json:"batch_status"`
	Type        string `json:"batch_type"`
	Name        string `json:"batch_name"`
	Remark      string `json:"batch_remark"`
	CloseReason string `json:"close_reason,omitzero"`
	TotalFen    int64  `json:"total_amount"`
	TotalNum    int64  `json:"total_num"`
	CreateTime  string `json:"create_time"`
	UpdateTime  string `json:"update_time"`
	SuccessFen  int64  `json:"success_amount"`
	SuccessNum  int64  `json:"success_num"`
	FailFen     int64  `json:"fail_amount"`
	FailNum     int64  `json:"fail_num"`
	SceneID     string `json:"transfer_scene_id"`
}

type detailInfo struct {
	DetailID string `json:"detail_id"`
	No       string `json:"out_detail_no"`
	Status   string `json:"detail_status"`
}

// queryBatch says what became of a batch, and of the details on one page.
func (s *Simulator) queryBatch(r *http.Request, _ []byte) (call, error) {
	no := r.PathValue("no")
	p, err := s.recent(s.journal.book.batch(no))
	return s.tellBatch(r, no, &p, err)
}

// queryBatchID does so by our number.
func (s *Simulator) queryBatchID(r *http.Request, _ []byte) (call, error) {
	p, err := s.recent(s.journal.book.batchID(r.PathValue("id")))
	return s.tellBatch(r, p.no, &p, err)
}

func (s *Simulator) tellBatch(r *http.Request, no string, p *payoutBatch, err error) (call, error) {
	which, bad := readDetailPage(r.URL.Query())
	if bad != nil {
		return call{}, bad
	}
	return call{operation: operation{kind: kindPayout, no: no}, do: func(context.Context) (any, error) {
		if err != nil {
			return nil, err
		}
		return batchStatus{Batch: s.batchInfo(p), Details: which.of(p)}, nil
	}}, nil
}

// recent lets pass a batch that the provider still knows.
func (s *Simulator) recent(p payoutBatch, err error) (payoutBatch, error) {
	if err == nil && s.cfg.Now().Sub(p.at) > batchDaysMax*24*time.Hour {
		return p, refusal.ErrNoTransfer
	}
	return p, err
}

func (s *Simulator) batchInfo(p *payoutBatch) batchInfo {
	failed := p.unpaid()
	return batchInfo{
		MerchantID: s.cfg.MerchantID, No: p.no, BatchID: p.id, AppID: s.cfg.AppID, Status: p.state(s.cfg.Now()), Type: "API",
		Name: p.Name, Remark: p.Remark, CloseReason: p.closeReason(), TotalFen: p.all.Fen, TotalNum: p.all.Count,
		CreateTime: wireTime(p.at), UpdateTime: wireTime(p.updatedAt), SuccessFen: p.paid.Fen, SuccessNum: p.paid.Count,
		FailFen: failed.Fen, FailNum: failed.Count, SceneID: p.SceneID,
	}
}

// detailAnswer is one detail in the provider's words.
type detailAnswer struct {
	MerchantID   string `json:"mchid"`
	No           string `json:"out_batch_no"`
	BatchID      string `json:"batch_id"`
	AppID        string `json:"appid"`
	DetailNo     string `json:"out_detail_no"`
	DetailID     string `json:"detail_id"`
	Status       string `json:"detail_status"`
	AmountFen    int64  `json:"transfer_amount"`
	Remark       string `json:"transfer_remark"`
	FailReason   string `json:"fail_reason,omitzero"`
	OpenID       string `json:"openid"`
	InitiateTime string `json:"initiate_time"`
	UpdateTime   string `json:"update_time"`
}

func (a detailAnswer) withState(state string) any { a.Status = state; return a }

// queryDetail says what became of one detail, and why it failed.
func (s *Simulator) queryDetail(r *http.Request, _ []byte) (call, error) {
	p, err := s.recent(s.journal.book.batch(r.PathValue("no")))
	no := r.PathValue("detail")
	i := slices.IndexFunc(p.Details, func(d batchDetail) bool { return d.No == no })
	return s.tellDetail(no, &p, i, err)
}

// queryDetailID does so by our numbers.
func (s *Simulator) queryDetailID(r *http.Request, _ []byte) (call, error) {
	p, err := s.recent(s.journal.book.batchID(r.PathValue("id")))
	for i := range p.Details {
		if p.detailID(i) == r.PathValue("detail") {
			return s.tellDetail(p.Details[i].No, &p, i, err)
		}
	}
	return s.tellDetail("", &p, -1, err)
}

// tellDetail tells of the detail at a place in a batch; -1 is none.
func (s *Simulator) tellDetail(no string, p *payoutBatch, i int, err error) (call, error) {
	if err == nil && i < 0 {
		err = refusal.ErrNoTransfer
	}
	about := operation{kind: kindPayout, no: no}
	if err == nil {
		about.party = p.Details[i].OpenID
	}
	return call{operation: about, do: func(context.Context) (any, error) {
		if err != nil {
			return nil, err
		}
		d := &p.Details[i]
		a := detailAnswer{
			MerchantID: s.cfg.MerchantID, No: p.no, BatchID: p.id, AppID: s.cfg.AppID, DetailNo: d.No, DetailID: p.detailID(i),
			AmountFen: d.AmountFen, Remark: d.Remark, OpenID: d.OpenID, InitiateTime: wireTime(p.at), UpdateTime: wireTime(p.updatedAt),
		}
		a.Status, a.FailReason = p.outcome(i, s.cfg.Now())
		return a, nil
	}}, nil
}
