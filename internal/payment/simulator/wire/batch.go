package wire

import "hongbao/internal/payment/simulator/states"

// BatchAnswer answers a request to pay out a batch.
type BatchAnswer struct {
	No         string `json:"out_batch_no"`
	BatchID    string `json:"batch_id"`
	CreateTime string `json:"create_time"`
	Status     string `json:"batch_status"`
}

// WithState is the same answer with another state.
func (a BatchAnswer) WithState(state string) any { a.Status = state; return a }

// BatchStatus is a batch in the provider's words, in an answer to a query.
type BatchStatus struct {
	Batch   BatchInfo    `json:"transfer_batch"`
	Details []detailInfo `json:"transfer_detail_list,omitzero"` // of a batch that has ended, when asked for
}

// WithState is the same answer with another state.
func (a BatchStatus) WithState(state string) any { a.Batch.Status = state; return a }

// BatchInfo is the batch itself.
type BatchInfo struct {
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

// DetailAnswer is one detail in the provider's words.
type DetailAnswer struct {
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

// WithState is the same answer with another state.
func (a DetailAnswer) WithState(state string) any { a.Status = state; return a }

// BatchNotification is the plaintext of a batch's notification. It does not say which of
// the details failed.
type BatchNotification struct {
	MerchantID  string `json:"mchid"`
	No          string `json:"out_batch_no"`
	BatchID     string `json:"batch_id"`
	Status      string `json:"batch_status"`
	CloseReason string `json:"close_reason,omitzero"`
	TotalFen    int64  `json:"total_amount"`
	TotalNum    int64  `json:"total_num"`
	SuccessFen  int64  `json:"success_amount"`
	SuccessNum  int64  `json:"success_num"`
	FailFen     int64  `json:"fail_amount"`
	FailNum     int64  `json:"fail_num"`
	UpdateTime  string `json:"update_time"`
}

// OffByOne is about one fen more.
func (n BatchNotification) OffByOne() any {
	if n.TotalFen++; n.SuccessNum > 0 {
		n.SuccessFen++
	} else {
		n.FailFen++
	}
	return n
}

// Contrary takes back that money moved.
func (n BatchNotification) Contrary() (string, any) {
	if n.SuccessNum == 0 {
		return "", nil
	}
	n.Status, n.CloseReason = states.Closed, states.ReasonOverdue
	n.SuccessFen, n.SuccessNum, n.FailFen, n.FailNum = 0, 0, n.TotalFen, n.TotalNum
	return EventBatchClosed, n
}
