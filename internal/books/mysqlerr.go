package books

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
	errShutdown         = 1053
	errInterrupted      = 1317 // somebody killed the statement
	errKilled           = 1927 // MariaDB: … or the connection
	errTimeMariaDB      = 1969 // max_statement_time
	errTimeMySQL        = 3024
)

// errCommitUnknown says that COMMIT was sent and nobody knows its answer.
var errCommitUnknown = errors.New("commit outcome unknown")

// ReasonUnavailable is the reason of a BusyError when a shard's database was not
// heard, or could not do it now.
const ReasonUnavailable = "books_unavailable"

const (
	retryAfterDown = time.Second
	retryAfterLock = 200 * time.Millisecond
)

func mysqlNumber(err error) uint16 {
	if my, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return my.Number
	}
	return 0
}

// contended reports whether a transaction lost a lock or a race.
func contended(err error) bool {
	switch mysqlNumber(err) {
	case errLockWait, errDeadlock, errRecordChanged, errDuplicateKey:
		return true
	}
	return false
}

// unavailable reports whether the server was not heard, or says that it cannot
// serve now, whatever the statement.
func unavailable(err error) bool {
	switch mysqlNumber(err) {
	case errTooManyConns, errUserTooManyConns, errReadOnly, errReadOnlyTx, errReadOnlyMode,
		errShutdown, errInterrupted, errKilled, errTimeMariaDB, errTimeMySQL:
		return true
	case 0:
		_, network := errors.AsType[net.Error](err)
		return network || errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) ||
			errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.DeadlineExceeded)
	}
	return false
}

// answer turns what the shard's database ended with into one of the classes of
// envelope/errors.go. Only faults that people must look at stay faults.
func (s *shard) answer(what string, err error) error {
	busy := func(reason string, after time.Duration) error {
		return fmt.Errorf("books: shard %d: %s: %w: %w", s.number, what, &envelope.BusyError{Reason: reason, RetryAfter: after}, err)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errCommitUnknown):
		return fmt.Errorf("books: shard %d: %s: %w: %w", s.number, what, envelope.ErrUnknownOutcome, err)
	case errors.Is(err, context.Canceled):
		return busy("canceled", retryAfterLock)
	case contended(err):
		return busy(ReasonUnavailable, retryAfterLock)
	case unavailable(err):
		return busy(ReasonUnavailable, retryAfterDown)
	}
	return fmt.Errorf("books: shard %d: %s: %w", s.number, what, err)
}
