package apiv3

// Notification is the body of a callback.
type Notification struct {
	ID           string   `json:"id"`
	CreateTime   string   `json:"create_time"` // RFC 3339
	EventType    string   `json:"event_type"`
	ResourceType string   `json:"resource_type"`
	Summary      string   `json:"summary"`
	Resource     Resource `json:"resource"`
}

// The events of notifications. A finished payout is one that succeeded, failed or
// was cancelled; EventPayoutBatch goes on with the status that the batch ended with.
const (
	EventTransactionSuccess = "TRANSACTION.SUCCESS"
	EventRefundSuccess      = "REFUND.SUCCESS"
	EventRefundAbnormal     = "REFUND.ABNORMAL"
	EventRefundClosed       = "REFUND.CLOSED"
	EventPayoutFinished     = "MCHTRANSFER.BILL.FINISHED"
	EventPayoutBatch        = "MCHTRANSFER.BATCH."
)

// The types of resources, and what kinds of them there are.
const (
	ResourceTypeEncrypted   = "encrypt-resource"
	ResourceKindTransaction = "transaction"
	ResourceKindRefund      = "refund"
	ResourceKindPayout      = "mch_payment" // of a batch too
)
