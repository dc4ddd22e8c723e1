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

// The numbers of the server's errors that mean something to us; MySQL and MariaDB
// agree unless noted.
const (
	errTooManyConns      = 1040
	errOutOfResources    = 1041
	errAccessDenied      = 1045
	errShutdown          = 1053
	errDuplicateKey      = 1062
	errHostBlocked       = 1129 // too many connections of this host were broken off
	errNoThread          = 1135
	errNoSuchGrant       = 1141
	errNoSuchTable       = 1146
	errNetRead           = 1158
	errNetReadTimeout    = 1159
	errNetWrite          = 1160
	errNetWriteTimeout   = 1161
	errCommitFailed      = 1180
	errUserTooManyConns  = 1203
	errLockWait          = 1205
	errDeadlock          = 1213
	errUserLimit         = 1226 // of connections or statements an hour
	errReadOnly          = 1290
	errInterrupted       = 1317 // the statement was killed
	errReadOnlyTx        = 1792
	errReadOnlyMode      = 1836
	errPasswordExpired   = 1862
	errRecordChanged     = 1020 // MariaDB, innodb_snapshot_isolation
	errKilled            = 1927 // MariaDB: the connection was killed
	errTimeMariaDB       = 1969 // max_statement_time
	errTimeMySQL         = 3024
	errOffline           = 3032 // MySQL: offline_mode keeps all but administrators out
	errLockedMySQL       = 3118 // the account is locked, which fences a server
	errInsecureTransport = 3159 // MySQL: require_secure_transport; MariaDB says 1045
	errNotYet            = 3168 // MySQL: the server is not ready
	errSessionKilled     = 3169 // MySQL
	errNoWaitMySQL       = 3572 // FOR UPDATE NOWAIT; MariaDB says 1205
	errSilentTooLong     = 4031 // MySQL: wait_timeout ran out
	errLockedMariaDB     = 4151
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
	case errLockWait, errDeadlock, errRecordChanged, errNoWaitMySQL:
		return true
	}
	return false
}

// CommitRefused reports whether the server itself said that a COMMIT had no
// effect. After any other error of a COMMIT it is unknown.
func CommitRefused(err error) bool {
	switch number(err) {
	case errReadOnly, errReadOnlyTx, errReadOnlyMode, errDeadlock, errCommitFailed:
		return true
	}
	return false
}

// Unavailable reports whether the server was not heard, or says that it cannot
// serve now, whatever the statement, or that it is unfit to.
func Unavailable(err error) bool {
	if _, unfit := errors.AsType[*UnfitError](err); unfit {
		return true
	}
	switch number(err) {
	case errTooManyConns, errUserTooManyConns, errReadOnly, errReadOnlyTx, errReadOnlyMode,
		errOutOfResources, errHostBlocked, errNoThread, errUserLimit,
		errNetRead, errNetReadTimeout, errNetWrite, errNetWriteTimeout,
		errShutdown, errInterrupted, errKilled, errSessionKilled, errTimeMariaDB, errTimeMySQL,
		errOffline, errLockedMySQL, errLockedMariaDB, errInsecureTransport, errNotYet, errSilentTooLong:
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
