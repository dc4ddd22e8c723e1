package envelope

import (
	"context"
	"time"
)

// Charge asks the payer for the money of one envelope. Its number is the order
// ID, for ever: placing it again is a repeat, never a second charge (I7).
type Charge struct {
	OrderNo     ID
	Amount      Fen
	Description string
	ExpiresAt   time.Time // the provider closes it unpaid then
}

// Payment is what the provider says has been paid.
type Payment struct {
	OrderNo       ID
	TransactionID string // the provider's number
	Amount        Fen
	PaidAt        time.Time
}

// Provider takes the payer's money.
type Provider interface {
	// Prepay places a charge and returns the address at which the payer's
	// wallet pays it (code_url). A repeat under the same number returns an
	// address of the same charge. An error that is not a [BusyError] or
	// [ErrUnknownOutcome] is final.
	Prepay(ctx context.Context, c Charge) (codeURL string, err error)
}
