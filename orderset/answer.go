package orderset

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
)

// errConflict says that a header was not as the transaction expected it: some
// other writer was first. Read again, decide again.
var errConflict = errors.New("the envelope changed underneath")

// again reports whether the same transaction may simply be run once more.
func again(err error) bool { return errors.Is(err, errConflict) || mariadb.LostRace(err) }

// ReasonUnavailable is the reason of a BusyError when a SET's database was not
// heard or would not take writes.
const ReasonUnavailable = "set_unavailable"

const (
	retryAfterDown = time.Second
	retryAfterLock = 200 * time.Millisecond
	retryAfterGone = 30 * time.Second // of a SET that is back when people have corrected the settings
)

// answer turns what a transaction ended with into one of the classes of
// envelope/errors.go. Only faults that people must look at stay faults.
func (s *Set) answer(what string, err error) error {
	if err == nil || errors.Is(err, envelope.ErrNotFound) {
		s.health.worked() // a read that finds nothing was answered all the same
	}
	if err == nil || classified(err) {
		return err
	}
	switch {
	case errors.Is(err, mariadb.ErrCommitUnknown):
		return fmt.Errorf("SET %v: %s: %w: %w", s.number, what, envelope.ErrUnknownOutcome, err)
	case errors.Is(err, context.Canceled):
		return busy("canceled", retryAfterLock, s, what, err)
	case again(err):
		return busy("envelope_contended", retryAfterLock, s, what, err)
	case mariadb.Unavailable(err):
		s.health.failed()
		return busy(ReasonUnavailable, retryAfterDown, s, what, err)
	case mariadb.NoSuchTable(err):
		return busy("day_not_ready", retryAfterDown, s, what, err)
	}
	return fmt.Errorf("SET %v: %s: %w", s.number, what, err)
}

// classified reports whether err is one of the domain's answers already.
func classified(err error) bool {
	if _, busy := errors.AsType[*envelope.BusyError](err); busy {
		return true
	}
	for _, answer := range []error{envelope.ErrNotFound, envelope.ErrPaymentMismatch, envelope.ErrKeyReused, envelope.ErrPayoutHeld, envelope.ErrUnknownOutcome} {
		if errors.Is(err, answer) {
			return true
		}
	}
	return false
}

// busy keeps the cause for the log while the caller sees a BusyError.
func busy(reason string, after time.Duration, s *Set, what string, err error) error {
	return fmt.Errorf("SET %v: %s: %w: %w", s.number, what, &envelope.BusyError{Reason: reason, RetryAfter: after}, err)
}
