package orderset

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/go-sql-driver/mysql"

	"hongbao/envelope"
)

// The numbers of the server's errors that mean something to us; MySQL 8 and
// MariaDB agree unless noted.
const (
	errDuplicateKey     = 1062
	errTooManyConns     = 1040
	errUserTooManyConns = 1203
	errLockWait         = 1205 // only the statement is rolled back: we roll back the rest
	errDeadlock         = 1213
	errRecordChanged    = 1020 // MariaDB, innodb_snapshot_isolation
	errReadOnly         = 1290
	errReadOnlyTx       = 1792
	errReadOnlyMode     = 1836
	errNoSuchTable      = 1146
	errCheckMariaDB     = 4025
	errCheckMySQL       = 3819
	errCommitFailed     = 1180
	errShutdown         = 1053
	errInterrupted      = 1317 // somebody killed the statement
	errKilled           = 1927 // MariaDB: … or the connection
	errTimeMariaDB      = 1969 // max_statement_time
	errTimeMySQL        = 3024
)

// errNotCommitted wraps the reason why a transaction had no effect.
var errNotCommitted = errors.New("not committed")

// errCommitUnknown says that COMMIT was sent and nobody knows its answer.
var errCommitUnknown = errors.New("commit outcome unknown")

// errConflict says that a header was not as the transaction expected it: some
// other writer was first. Read again, decide again.
var errConflict = errors.New("the envelope changed underneath")

func mysqlNumber(err error) uint16 {
	if my, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return my.Number
	}
	return 0
}

func isDuplicate(err error) bool { return mysqlNumber(err) == errDuplicateKey }

// again reports whether the same transaction may simply be run once more.
func again(err error) bool {
	if errors.Is(err, errConflict) {
		return true
	}
	switch mysqlNumber(err) {
	case errLockWait, errDeadlock, errRecordChanged:
		return true
	}
	return false
}

// refusedAtCommit reports whether the server itself said that a COMMIT had no
// effect. A lost connection, a shutdown or a killed thread says nothing.
func refusedAtCommit(err error) bool {
	switch mysqlNumber(err) {
	case errReadOnly, errReadOnlyTx, errReadOnlyMode, errDeadlock, errCommitFailed:
		return true
	}
	return false
}

// ReasonUnavailable is the reason of a BusyError when a SET's database was not
// heard or would not take writes.
const ReasonUnavailable = "set_unavailable"

const (
	retryAfterDown = time.Second
	retryAfterLock = 200 * time.Millisecond
)

// unreachable reports whether the server was not heard: refused, reset, timed
// out, or silent.
func unreachable(err error) bool {
	_, network := errors.AsType[net.Error](err)
	return network || errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.DeadlineExceeded)
}

// unavailable reports whether the server says that it cannot serve now, whatever
// the statement.
func unavailable(number uint16) bool {
	switch number {
	case errTooManyConns, errUserTooManyConns, errReadOnly, errReadOnlyTx, errReadOnlyMode,
		errShutdown, errInterrupted, errKilled, errTimeMariaDB, errTimeMySQL:
		return true
	}
	return false
}

// answer turns what a transaction ended with into one of the classes of
// envelope/errors.go. Only faults that people must look at stay faults.
func (s *Set) answer(what string, err error) error {
	if err == nil || errors.Is(err, envelope.ErrNotFound) {
		s.health.worked() // a read that finds nothing was answered all the same
	}
	if err == nil || classified(err) {
		return err
	}
	switch n := mysqlNumber(err); {
	case errors.Is(err, errCommitUnknown):
		return fmt.Errorf("SET %v: %s: %w: %w", s.number, what, envelope.ErrUnknownOutcome, err)
	case errors.Is(err, context.Canceled):
		return busy("canceled", retryAfterLock, s, what, err)
	case again(err):
		return busy("envelope_contended", retryAfterLock, s, what, err)
	case unavailable(n), n == 0 && unreachable(err):
		s.health.failed()
		return busy(ReasonUnavailable, retryAfterDown, s, what, err)
	case n == errNoSuchTable:
		return busy("day_not_ready", retryAfterDown, s, what, err)
	}
	return fmt.Errorf("SET %v: %s: %w", s.number, what, err)
}

// classified reports whether err is one of the domain's answers already.
func classified(err error) bool {
	if _, busy := errors.AsType[*envelope.BusyError](err); busy {
		return true
	}
	for _, answer := range []error{envelope.ErrNotFound, envelope.ErrPaymentMismatch, envelope.ErrKeyReused, envelope.ErrUnknownOutcome} {
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
