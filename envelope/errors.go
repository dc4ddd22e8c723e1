package envelope

import (
	"errors"
	"fmt"
	"time"
)

// An answer is one of five classes. An outcome is a value ([Outcome]). A
// refusal is one of the sentinels below or an [InvalidError]. Busy is a
// [BusyError]. An unknown outcome wraps [ErrUnknownOutcome]. Everything else
// is a fault. One table in internal/httpapi turns them into HTTP.
var (
	// ErrNotFound is the one answer for an envelope that does not exist and for
	// one the caller may not know of.
	ErrNotFound = errors.New("no such envelope")
	// ErrUnknownSet is ErrNotFound because no SET of that number is in the topology.
	// Of an ID that is known to be ours it says that this server does not know of
	// the SET (yet, or any more), and not that the envelope is absent.
	ErrUnknownSet = fmt.Errorf("the SET is not in the topology: %w", ErrNotFound)
	// ErrNotActive refuses to open an unpaid envelope.
	ErrNotActive = errors.New("the envelope is not paid")
	// ErrKeyReused refuses an idempotency key that came before with another
	// request: the caller has mixed up two sends.
	ErrKeyReused = errors.New("the idempotency key was used for a different request")
	// ErrPaymentMismatch refuses a payment whose amount or number is not the
	// envelope's. Nothing becomes active; people look at it.
	ErrPaymentMismatch = errors.New("the payment does not match the envelope")
	// ErrPayoutHeld refuses to begin a payout anew: it waits for people to decide.
	ErrPayoutHeld = errors.New("the payout is held")
	// ErrUnknownOutcome says that it is not known yet whether the request took
	// effect. Asking again with the same request finds out; it never means
	// failed.
	ErrUnknownOutcome = errors.New("the outcome is not known yet")
)

// InvalidError refuses a request and names the field and the rule it broke.
type InvalidError struct {
	Field string // as the API spells it
	Why   string // the rule, for people
}

func (e *InvalidError) Error() string { return e.Field + ": " + e.Why }

func invalid(field, format string, args ...any) error {
	return &InvalidError{Field: field, Why: fmt.Sprintf(format, args...)}
}

// BusyError says no for now, without an effect: the same request may pass
// after RetryAfter.
type BusyError struct {
	Reason     Reason
	RetryAfter time.Duration
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("busy: %s, retry after %v", e.Reason, e.RetryAfter)
}

// RefusedError is a no of the payment provider to what it was asked.
type RefusedError struct {
	Status  int    // HTTP
	Code    string // the provider's
	Message string // the provider's, for people
	Final   bool   // a repeat gets the same, until people change something
	// Setup says that the no is to our requests as such, in form or by contract, and
	// not to what this one asks for.
	Setup bool
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("the provider answers %d %q: %q", e.Status, e.Code, e.Message)
}
