package envelope

import (
	"context"
	"errors"
	"time"
)

// Charge asks the payer for the money of one envelope. Its number is the order
// ID, for ever: placing it again is a repeat, never a second charge (I7).
type Charge struct {
	OrderNo   ID
	Amount    Fen
	ExpiresAt time.Time // the provider closes it unpaid then
}

// Payment is what the provider says has been paid.
type Payment struct {
	OrderNo       ID
	TransactionID string // the provider's number
	Amount        Fen
	PaidAt        time.Time // by the provider's clock
}

// ChargeState is what has become of a charge.
type ChargeState string

// The states of a charge.
const (
	ChargeNotFound ChargeState = "not_found" // never placed, as far as the provider knows today
	ChargeUnpaid   ChargeState = "unpaid"
	ChargePaid     ChargeState = "paid"
	ChargeRefunded ChargeState = "refunded" // paid, and since then some or all went back
	ChargeClosed   ChargeState = "closed"   // can not be paid any more
)

// ChargeStatus is the provider's answer about one charge.
type ChargeStatus struct {
	State   ChargeState
	Payment Payment // when paid or refunded
}

// ErrChargePaid refuses to close a charge, or to place it again, because it has
// been paid. QueryCharge has the payment.
var ErrChargePaid = errors.New("the charge has been paid already")

// ErrChargeClosed refuses to place a charge again that can not be paid any more.
var ErrChargeClosed = errors.New("the charge is closed")

// Provider takes the payer's money. Here and in [Cashier] an error is a
// [BusyError], an [ErrUnknownOutcome], one of the sentinels above, or final: a
// [RefusedError], or a fault of our own. The first two may wrap a RefusedError too:
// what was said when nothing could be learned from it.
type Provider interface {
	// Prepay places a charge and returns the address at which the payer's
	// wallet pays it (code_url). A repeat under the same number returns an
	// address of the same charge.
	Prepay(ctx context.Context, c Charge) (codeURL string, err error)
}

// Cashier is the rest of what a provider does: it says what became of a charge,
// ends one, and moves money out.
type Cashier interface {
	QueryCharge(ctx context.Context, no ID) (ChargeStatus, error)
	// CloseCharge makes an unpaid charge unpayable; a repeat and a charge never
	// placed are fine. ErrChargePaid: too late.
	CloseCharge(ctx context.Context, no ID) error
	// Place asks for a payout or a refund under its number. A repeat is told what
	// became of the first. A final refusal is a status, not an error: refused when
	// it is about the payee, rejected when it is about the request.
	Place(ctx context.Context, t Transfer) (TransferStatus, error)
	// Query asks what became of it.
	Query(ctx context.Context, t Transfer) (TransferStatus, error)
	// PlaceBatch asks for a batch of payouts under its number. A repeat is told
	// what became of the first.
	PlaceBatch(ctx context.Context, b PayoutBatch) (PayoutBatchStatus, error)
	// QueryBatch asks what became of it, and of each payout that was refused.
	QueryBatch(ctx context.Context, b PayoutBatch) (PayoutBatchStatus, error)
}
