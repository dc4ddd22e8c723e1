package orderset_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"hongbao/internal/cluster"
)

// onMySQL reports whether the server under test is MySQL's.
func onMySQL(t testing.TB) bool {
	t.Helper()
	program, err := cluster.FindDatabase()
	if err != nil {
		t.Fatal(err)
	}
	return program.MySQL
}

// upTo is a table of seq from 1 to n, at most ten thousand.
func upTo(n int) string {
	digit := "(SELECT 0 n UNION ALL SELECT " + strings.Join([]string{"1", "2", "3", "4", "5", "6", "7", "8", "9"}, " UNION ALL SELECT ") + ")"
	return fmt.Sprintf("(SELECT a.n + 10 * b.n + 100 * c.n + 1000 * d.n + 1 AS seq FROM %s a, %[1]s b, %[1]s c, %[1]s d HAVING seq <= %d) numbers", digit, n)
}

// withoutChecks lets a connection store what the CHECKs of its database refuse. MySQL
// can only forget the CHECKs themselves.
func withoutChecks(t testing.TB, conn *sql.Conn) {
	t.Helper()
	run := func(statement string) {
		if _, err := conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	if !onMySQL(t) {
		run("SET SESSION check_constraint_checks = 0")
		return
	}
	rows, err := conn.QueryContext(t.Context(), `SELECT CONCAT('ALTER TABLE ', table_name, ' DROP CHECK ', constraint_name)
		FROM information_schema.table_constraints WHERE constraint_schema = DATABASE() AND constraint_type = 'CHECK'`)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for rows.Next() {
		var statement string
		if err := rows.Scan(&statement); err != nil {
			t.Fatal(err)
		}
		all = append(all, statement)
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	for _, statement := range all {
		run(statement)
	}
}

// holdCommits has every commit wait for a replica that is not there, until let go.
func holdCommits(t testing.TB, admin *sql.DB) (letGo func()) {
	t.Helper()
	name := "rpl_semi_sync_master"
	if onMySQL(t) {
		name = "rpl_semi_sync_source"
		exec(t, admin, "INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'")
	}
	exec(t, admin, "SET GLOBAL "+name+"_timeout = 600000", "SET GLOBAL "+name+"_enabled = ON")
	return func() { exec(t, admin, "SET GLOBAL "+name+"_enabled = OFF") }
}
