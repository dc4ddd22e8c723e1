package wire

import "hongbao/internal/payment/simulator/states"

// The events of refunds and payouts; payment has that of charges.
const (
	EventRefundSuccess    = "REFUND.SUCCESS"
	EventRefundAbnormal   = "REFUND.ABNORMAL"
	EventRefundClosed     = "REFUND.CLOSED"
	EventTransferFinished = "MCHTRANSFER.BILL.FINISHED"
	EventBatchFinished    = "MCHTRANSFER.BATCH.FINISHED"
	EventBatchClosed      = "MCHTRANSFER.BATCH.CLOSED"

	ResourceKindRefund   = "refund"
	ResourceKindTransfer = "mch_payment"
)

// TransferNotification is the plaintext of a payout's notification.
type TransferNotification struct {
	No         string `json:"out_bill_no"`
	BillNo     string `json:"transfer_bill_no"`
	State      string `json:"state"`
	MerchantID string `json:"mch_id"`
	AmountFen  int64  `json:"transfer_amount"`
	OpenID     string `json:"openid"`
	FailReason string `json:"fail_reason,omitzero"`
	CreateTime string `json:"create_time"`
	UpdateTime string `json:"update_time"`
}

// OffByOne is about one fen more.
func (n TransferNotification) OffByOne() any { n.AmountFen++; return n }

// Contrary takes back that money moved.
func (n TransferNotification) Contrary() (string, any) {
	if n.State != states.Transferred {
		return "", nil
	}
	n.State, n.FailReason = states.Failed, states.ReasonClosed
	return EventTransferFinished, n
}

// TransferAnswer answers a request to pay out, or to cancel.
type TransferAnswer struct {
	No          string `json:"out_bill_no"`
	BillNo      string `json:"transfer_bill_no"`
	CreateTime  string `json:"create_time,omitzero"`
	UpdateTime  string `json:"update_time,omitzero"`
	State       string `json:"state"`
	FailReason  string `json:"fail_reason,omitzero"`
	PackageInfo string `json:"package_info,omitzero"` // the payee's page, while it is up to the payee
}

// WithState is the same answer with another state.
func (a TransferAnswer) WithState(state string) any { a.State = state; return a }

// TransferStatus is a transfer in the provider's words, in an answer to a query.
type TransferStatus struct {
	MerchantID string `json:"mch_id"`
	AppID      string `json:"appid"`
	No         string `json:"out_bill_no"`
	BillNo     string `json:"transfer_bill_no"`
	State      string `json:"state"`
	AmountFen  int64  `json:"transfer_amount"`
	Remark     string `json:"transfer_remark"`
	FailReason string `json:"fail_reason,omitzero"`
	OpenID     string `json:"openid"`
	CreateTime string `json:"create_time"`
	UpdateTime string `json:"update_time"`
}

// WithState is the same answer with another state.
func (a TransferStatus) WithState(state string) any { a.State = state; return a }
