package setdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
)

// ErrConflict says that a row was not as the transaction expected it (the optimistic
// lock failed): another writer was first. Read again, decide again.
var ErrConflict = errors.New("the row changed underneath")

// Retry reports whether the same transaction may simply be run once more.
func Retry(err error) bool { return errors.Is(err, ErrConflict) || mariadb.LostRace(err) }

const (
	retryAfterDown = time.Second
	retryAfterLock = 200 * time.Millisecond
)

// Answer turns what a transaction or a read ended with into one of the classes of
// envelope/errors.go. Only faults that people must look at stay faults.
func (d *DB) Answer(what string, err error) error {
	if err == nil || errors.Is(err, envelope.ErrNotFound) {
		d.health.worked() // a read that finds nothing was answered all the same
	}
	if err == nil || classified(err) {
		return err
	}
	// The cause stays in the error for the log; the caller sees a BusyError.
	busy := func(reason envelope.Reason, after time.Duration) error {
		return fmt.Errorf("SET %v: %s: %w: %w", d.cfg.Number, what, &envelope.BusyError{Reason: reason, RetryAfter: after}, err)
	}
	switch {
	case errors.Is(err, mariadb.ErrCommitUnknown):
		return fmt.Errorf("SET %v: %s: %w: %w", d.cfg.Number, what, envelope.ErrUnknownOutcome, err)
	case errors.Is(err, ErrFenced):
		return busy(envelope.ReasonSetUnavailable, retryAfterLock)
	case errors.Is(err, context.Canceled):
		return busy(envelope.ReasonCanceled, retryAfterLock)
	case Retry(err):
		return busy(envelope.ReasonContended, retryAfterLock)
	case mariadb.Unavailable(err):
		d.health.failed()
		return busy(envelope.ReasonSetUnavailable, retryAfterDown)
	case mariadb.NoSuchTable(err):
		return busy(envelope.ReasonDayNotReady, retryAfterDown)
	}
	return fmt.Errorf("SET %v: %s: %w", d.cfg.Number, what, err)
}

// Decided is Answer for what people decide: a refusal stays the bare rule.
func (d *DB) Decided(what string, err error) error {
	if invalid, ok := errors.AsType[*envelope.InvalidError](err); ok {
		return invalid
	}
	return d.Answer(what, err)
}

// classified reports whether err is one of the domain's answers already.
func classified(err error) bool {
	if _, busy := errors.AsType[*envelope.BusyError](err); busy {
		return true
	}
	if _, invalid := errors.AsType[*envelope.InvalidError](err); invalid {
		return true
	}
	for _, answer := range []error{envelope.ErrNotFound, envelope.ErrPaymentMismatch, envelope.ErrKeyReused, envelope.ErrPayoutHeld, envelope.ErrUnknownOutcome} {
		if errors.Is(err, answer) {
			return true
		}
	}
	return false
}
