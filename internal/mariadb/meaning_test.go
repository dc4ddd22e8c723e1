package mariadb_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"hongbao/internal/mariadb"
)

// meanings are the names of all functions here that say yes to err.
func meanings(err error) []string {
	var all []string
	for _, meaning := range []struct {
		name string
		is   func(error) bool
	}{
		{"Duplicate", mariadb.Duplicate},
		{"NoSuchTable", mariadb.NoSuchTable},
		{"NoSuchAccount", mariadb.NoSuchAccount},
		{"LostRace", mariadb.LostRace},
		{"CommitRefused", mariadb.CommitRefused},
		{"Unavailable", mariadb.Unavailable},
	} {
		if meaning.is(err) {
			all = append(all, meaning.name)
		}
	}
	return all
}

func wantMeanings(t *testing.T, err error, want string) {
	t.Helper()
	if got := meanings(err); !slices.Equal(got, strings.Fields(want)) {
		t.Errorf("%v means %q, want %q", err, got, want)
	}
}

func TestWrappedErrorsKeepTheirMeaning(t *testing.T) {
	for number, want := range map[uint16]string{
		1062: "Duplicate",
		1146: "NoSuchTable",
		1141: "NoSuchAccount",
		1205: "LostRace", 3572: "LostRace",
		1020: "LostRace",
		1213: "LostRace CommitRefused",
		1180: "CommitRefused",
		1290: "CommitRefused Unavailable",
		1792: "CommitRefused Unavailable",
		1836: "CommitRefused Unavailable",
		1040: "Unavailable", 1203: "Unavailable",
		1053: "Unavailable", 1317: "Unavailable", 1927: "Unavailable",
		1969: "Unavailable", 3024: "Unavailable",
		3032: "Unavailable", 4031: "Unavailable", 3118: "Unavailable", 4151: "Unavailable", 3159: "Unavailable", 3168: "Unavailable", 3169: "Unavailable",
		1041: "Unavailable", 1129: "Unavailable", 1135: "Unavailable", 1226: "Unavailable",
		1158: "Unavailable", 1159: "Unavailable", 1160: "Unavailable", 1161: "Unavailable",
		1045: "", 1054: "", 1064: "", 1142: "", 4025: "", 3819: "", // faults: of the grants, of a statement, of a CHECK
	} {
		said := &mysql.MySQLError{Number: number, Message: "Deadlock found"}
		for _, err := range []error{
			said, fmt.Errorf("open: %w", said), errors.Join(errors.New("rolled back"), said),
			errors.Join(said, context.DeadlineExceeded), // what the server said counts, whatever came later
		} {
			wantMeanings(t, err, want)
		}
	}
}

func TestSilentServerIsOnlyUnavailable(t *testing.T) {
	for _, err := range []error{
		mysql.ErrInvalidConn, driver.ErrBadConn, sql.ErrConnDone, io.EOF, io.ErrUnexpectedEOF,
		context.DeadlineExceeded, os.ErrDeadlineExceeded, &net.OpError{Op: "dial", Err: errors.New("connection refused")},
	} {
		wantMeanings(t, err, "Unavailable")
		wantMeanings(t, fmt.Errorf("commit: %w", err), "Unavailable")
	}
}

func TestWhatIsNotOfTheServerMeansNothing(t *testing.T) {
	for _, err := range []error{nil, context.Canceled, sql.ErrNoRows, sql.ErrTxDone, errors.New("Error 1062: Duplicate entry")} {
		wantMeanings(t, err, "")
	}
}
