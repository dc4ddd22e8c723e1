package wire

import (
	"fmt"

	"hongbao/internal/payment/simulator/ledger"
	"hongbao/internal/payment/simulator/refusal"
)

const batchTextMax = 32 // characters

// BatchRequest is the provider's.
type BatchRequest struct {
	AppID     string          `json:"appid"`
	No        string          `json:"out_batch_no"`
	Name      string          `json:"batch_name"`
	Remark    string          `json:"batch_remark"`
	TotalFen  int64           `json:"total_amount"`
	TotalNum  int64           `json:"total_num"`
	Details   []detailRequest `json:"transfer_detail_list"`
	SceneID   string          `json:"transfer_scene_id"`
	NotifyURL string          `json:"notify_url"`
}

type detailRequest struct {
	payoutRequest
	No string `json:"out_detail_no"`
}

// CheckBatch refuses what the provider would, as far as that can be said without
// the book.
func (u *Rules) CheckBatch(req *BatchRequest) error {
	switch {
	case req.AppID != u.AppID:
		return refusal.ErrApp
	case !isTransferNo(req.No):
		return refusal.BadField("/out_batch_no", req.No, wantTransferNo)
	case req.Name == "" || !fits(req.Name, batchTextMax):
		return refusal.BadField("/batch_name", req.Name, wantBatchText)
	case req.Remark == "" || !fits(req.Remark, batchTextMax):
		return refusal.BadField("/batch_remark", req.Remark, wantBatchText)
	case req.SceneID != "" && !isSceneID(req.SceneID): // without one it is the merchant's own
		return refusal.BadField("/transfer_scene_id", req.SceneID, wantSceneID)
	case req.NotifyURL != "" && !isNotifyURL(req.NotifyURL):
		return refusal.BadField("/notify_url", req.NotifyURL, wantNotifyURL)
	case len(req.Details) < 1 || len(req.Details) > ledger.DetailsInBatchMax:
		return refusal.BadField("/transfer_detail_list", nil, fmt.Sprintf("want 1 to %d, have %d", ledger.DetailsInBatchMax, len(req.Details)))
	}
	var all ledger.Total
	seen := make(map[string]struct{}, len(req.Details))
	for i := range req.Details {
		d := &req.Details[i]
		under := fmt.Sprintf("/transfer_detail_list/%d", i)
		if !isTransferNo(d.No) {
			return refusal.BadField(under+"/out_detail_no", d.No, wantTransferNo)
		}
		if err := u.checkPayout(&d.payoutRequest, under); err != nil {
			return err
		}
		seen[d.No] = struct{}{}
		all.Add(d.AmountFen)
	}
	if len(seen) != len(req.Details) {
		return refusal.BadField("/transfer_detail_list", nil, "an out_detail_no comes twice")
	}
	if all.Count != req.TotalNum || all.Fen != req.TotalFen {
		return refusal.BadField("/total_amount", req.TotalFen, fmt.Sprintf("the details are %d of %d fen, have total_num %d and total_amount %d", all.Count, all.Fen, req.TotalNum, req.TotalFen))
	}
	return nil
}

var wantBatchText = fmt.Sprintf("want 1 to %d characters", batchTextMax)

// Terms are what is kept of a request that was checked.
func (req *BatchRequest) Terms() *ledger.BatchTerms {
	t := &ledger.BatchTerms{
		Name: req.Name, Remark: req.Remark, SceneID: req.SceneID, NotifyURL: req.NotifyURL, Details: make([]ledger.BatchDetail, len(req.Details)),
	}
	for i := range req.Details {
		d := &req.Details[i]
		t.Details[i] = ledger.BatchDetail{No: d.No, OpenID: d.OpenID, AmountFen: d.AmountFen, Remark: d.Remark}
	}
	return t
}
