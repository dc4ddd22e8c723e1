package books

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
)

const (
	retryAfterDown = time.Second
	retryAfterLock = 200 * time.Millisecond
)

// contended reports whether the same rows are worth another try: the transaction
// lost a lock or a race, or inserted as fresh a row that exists.
func contended(err error) bool { return mariadb.LostRace(err) || mariadb.Duplicate(err) }

// answer turns what the shard's database ended with into one of the classes of
// envelope/errors.go. Only faults that people must look at stay faults.
func (s *shard) answer(what string, err error) error {
	busy := func(reason envelope.Reason, after time.Duration) error {
		return fmt.Errorf("books: shard %d: %s: %w: %w", s.number, what, &envelope.BusyError{Reason: reason, RetryAfter: after}, err)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, mariadb.ErrCommitUnknown):
		return fmt.Errorf("books: shard %d: %s: %w: %w", s.number, what, envelope.ErrUnknownOutcome, err)
	case errors.Is(err, context.Canceled):
		return busy(envelope.ReasonCanceled, retryAfterLock)
	case contended(err):
		return busy(envelope.ReasonBooksUnavailable, retryAfterLock)
	case mariadb.Unavailable(err):
		return busy(envelope.ReasonBooksUnavailable, retryAfterDown)
	}
	return fmt.Errorf("books: shard %d: %s: %w", s.number, what, err)
}
