package mariadb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"

	"github.com/go-sql-driver/mysql"
)

// The numbers of the server's errors that mean something to us; MySQL 8 and
// MariaDB agree unless noted.
const (
	errTooManyConns     = 1040
	errShutdown         = 1053
	errDuplicateKey     = 1062
	errNoSuchGrant      = 1141
	errNoSuchTable      = 1146
	errCommitFailed     = 1180
	errUserTooManyConns = 1203
	errLockWait         = 1205
	errDeadlock         = 1213
	errReadOnly         = 1290
	errInterrupted      = 1317 // somebody killed the statement
	errReadOnlyTx       = 1792
	errReadOnlyMode     = 1836
	errRecordChanged    = 1020 // MariaDB, innodb_snapshot_isolation
	errKilled           = 1927 // MariaDB: somebody killed the connection
	errTimeMariaDB      = 1969 // max_statement_time
	errTimeMySQL        = 3024
)

// number is the server's number of err, 0 when the server did not say it.
func number(err error) uint16 {
	if said, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return said.Number
	}
	return 0
}

// Duplicate reports whether a unique key has the row already.
func Duplicate(err error) bool { return number(err) == errDuplicateKey }

// NoSuchTable reports whether a table that the statement names is not there.
func NoSuchTable(err error) bool { return number(err) == errNoSuchTable }

// NoSuchAccount reports whether the account of a SHOW GRANTS is not there.
func NoSuchAccount(err error) bool { return number(err) == errNoSuchGrant }

// LostRace reports whether a transaction lost a lock or a race: the same one may
// simply be run once more, on another connection.
func LostRace(err error) bool {
	switch number(err) {
	case errLockWait, errDeadlock, errRecordChanged:
		return true
	}
	return false
}

// CommitRefused reports whether the server itself said that a COMMIT had no
// effect. After any other error of a COMMIT nobody knows.
func CommitRefused(err error) bool {
	switch number(err) {
	case errReadOnly, errReadOnlyTx, errReadOnlyMode, errDeadlock, errCommitFailed:
		return true
	}
	return false
}

// Unavailable reports whether the server was not heard, or says that it cannot
// serve now, whatever the statement.
func Unavailable(err error) bool {
	switch number(err) {
	case errTooManyConns, errUserTooManyConns, errReadOnly, errReadOnlyTx, errReadOnlyMode,
		errShutdown, errInterrupted, errKilled, errTimeMariaDB, errTimeMySQL:
		return true
	case 0:
		return unheard(err)
	}
	return false
}

// unheard reports whether the server was refused, reset, timed out, or silent.
func unheard(err error) bool {
	if _, network := errors.AsType[net.Error](err); network {
		return true
	}
	for _, sign := range []error{
		mysql.ErrInvalidConn, driver.ErrBadConn, sql.ErrConnDone, io.EOF, io.ErrUnexpectedEOF, context.DeadlineExceeded,
	} {
		if errors.Is(err, sign) {
			return true
		}
	}
	return false
}
