package simulator

import "fmt"

const (
	detailsInBatchMax = 1000
	batchTextMax      = 32 // characters
)

// batchRequest is the provider's.
type batchRequest struct {
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

// checkBatch refuses what the provider would, as far as that can be said without
// the book.
func (s *Simulator) checkBatch(req *batchRequest) error {
	switch {
	case req.AppID != s.cfg.AppID:
		return errApp
	case !isTransferNo(req.No):
		return badParameter(wantTransferNo("out_batch_no"))
	case req.Name == "" || !fits(req.Name, batchTextMax) || req.Remark == "" || !fits(req.Remark, batchTextMax):
		return badParameter(fmt.Sprintf("batch_name, batch_remark: want 1 to %d characters", batchTextMax))
	case !isSceneID(req.SceneID):
		return errSceneID
	case req.NotifyURL != "" && !isNotifyURL(req.NotifyURL):
		return errNotifyURL
	case len(req.Details) < 1 || len(req.Details) > detailsInBatchMax:
		return badParameter(fmt.Sprintf("transfer_detail_list: want 1 to %d, have %d", detailsInBatchMax, len(req.Details)))
	}
	var all total
	seen := make(map[string]struct{}, len(req.Details))
	for i := range req.Details {
		d := &req.Details[i]
		why := s.checkPayout(&d.payoutRequest)
		if !isTransferNo(d.No) {
			why = wantTransferNo("out_detail_no")
		}
		if why != "" {
			return badParameter(fmt.Sprintf("transfer_detail_list[%d].%s", i, why))
		}
		seen[d.No] = struct{}{}
		all.add(d.AmountFen)
	}
	if len(seen) != len(req.Details) {
		return badParameter("transfer_detail_list: an out_detail_no comes twice")
	}
	if all.Count != req.TotalNum || all.Fen != req.TotalFen {
		return badParameter(fmt.Sprintf("total_num, total_amount: the details are %d of %d fen, have %d of %d", all.Count, all.Fen, req.TotalNum, req.TotalFen))
	}
	return nil
}

// terms are what is kept of a request that was checked.
func (req *batchRequest) terms() *batchTerms {
	t := &batchTerms{
		Name: req.Name, Remark: req.Remark, SceneID: req.SceneID, NotifyURL: req.NotifyURL, Details: make([]detail, len(req.Details)),
	}
	for i := range req.Details {
		d := &req.Details[i]
		t.Details[i] = detail{No: d.No, OpenID: d.OpenID, AmountFen: d.AmountFen, Remark: d.Remark}
	}
	return t
}
