package states

// The states of a batch and of its details, besides those of a transfer and of
// an order, in the provider's words.
const (
	BatchFinished = "FINISHED"
	DetailWaiting = "INIT"
)

// The states of an order, in the provider's words.
const (
	Unpaid   = "NOTPAY"
	Paid     = "SUCCESS"
	Returned = "REFUND" // paid, and since then some or all goes back
	Closed   = "CLOSED"
)

// The states of a refund, in the provider's words.
const (
	RefundProcessing = "PROCESSING"
	RefundSuccess    = "SUCCESS"
	RefundAbnormal   = "ABNORMAL" // the payer's account does not take it; the merchant has to act
	RefundClosed     = "CLOSED"   // it never happened
)

// The states of a transfer, in the provider's words.
const (
	Accepted     = "ACCEPTED"
	Processing   = "PROCESSING"
	Waiting      = "WAIT_USER_CONFIRM"
	Transferring = "TRANSFERING"
	Transferred  = "SUCCESS"
	Failed       = "FAIL"
	Canceling    = "CANCELING"
	Cancelled    = "CANCELLED"
)

// Why a transfer failed, in the provider's words.
const (
	ReasonLimit   = "REALNAME_ACCOUNT_RECEIVED_QUOTA_EXCEED" // the payee's account takes no more
	ReasonClosed  = "PAYEE_ACCOUNT_ABNORMAL"                 // the payee's account takes nothing
	ReasonOverdue = "OVERDUE_CLOSE"                          // not confirmed within confirmWaitMax, or its batch closed
)
