package mariadb

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// Unsafe is one setting of a server under which a promise of ours is not true.
type Unsafe struct{ Variable, Have, Want, Why string }

func (u Unsafe) String() string {
	return fmt.Sprintf("%s is %q, want %s: %s", u.Variable, u.Have, u.Want, u.Why)
}

// UnsafeError lists all settings of a server that make it unfit to serve.
type UnsafeError struct{ Settings []Unsafe }

func (e *UnsafeError) Error() string {
	all := make([]string, len(e.Settings))
	for i, u := range e.Settings {
		all[i] = u.String()
	}
	return strings.Join(all, "; ")
}

// wanted are the settings without which our promises are not true, each with the
// reason an operator reads.
var wanted = [...]struct{ variable, value, why string }{
	{"sync_binlog", "1", "a crash would lose acknowledged shares (I3)"},
	{"innodb_flush_log_at_trx_commit", "1", "a crash would lose acknowledged shares (I3)"},
	{"binlog_format", "ROW", "READ COMMITTED and replication need row events"},
	{"log_bin", "ON", "a replica could not follow"},
	{"character_set_server", "utf8mb4", "greetings would be cut"},
	{"time_zone", "+00:00", "expiry is decided by the database's clock"},
	{"transaction_isolation", "READ-COMMITTED", "a snapshot must never decide"},
}

// CheckSettings is an *[UnsafeError] with every setting of the server that makes
// our promises untrue. It reads those of the session, which are what transactions
// get: q is to connect as [Account.Config] says.
func CheckSettings(ctx context.Context, q Queryer) error {
	have, err := settings(ctx, q)
	if err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	if have["transaction_isolation"] == "" {
		have["transaction_isolation"] = have["tx_isolation"] // MariaDB before 11.1
	}
	var found []Unsafe
	for _, w := range wanted {
		if got := have[w.variable]; !strings.EqualFold(got, w.value) {
			found = append(found, Unsafe{w.variable, got, fmt.Sprintf("%q", w.value), w.why})
		}
	}
	mode := have["sql_mode"]
	if !strings.Contains(mode, "STRICT_ALL_TABLES") {
		found = append(found, Unsafe{"sql_mode", mode, "STRICT_ALL_TABLES in it", "numbers would be cut silently"})
	}
	if strings.Contains(mode, "NO_BACKSLASH_ESCAPES") {
		found = append(found, Unsafe{"sql_mode", mode, "no NO_BACKSLASH_ESCAPES in it", "texts are escaped with backslashes"})
	}
	if len(found) > 0 {
		return &UnsafeError{found}
	}
	return nil
}

// settings are the session's variables that matter here.
func settings(ctx context.Context, q Queryer) (map[string]string, error) {
	names := []string{"'tx_isolation'", "'sql_mode'"}
	for _, w := range wanted {
		names = append(names, "'"+w.variable+"'")
	}
	have := map[string]string{}
	err := Each(ctx, q, func(rows *sql.Rows) error {
		var name, value string
		err := rows.Scan(&name, &value)
		have[name] = value
		return err
	}, "SHOW SESSION VARIABLES WHERE variable_name IN ("+strings.Join(names, ", ")+")")
	return have, err
}
