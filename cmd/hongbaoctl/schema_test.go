package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hongbao/internal/settest"
)

// TestSchemaVerbsReportWhatApplyKeeps holds FS21: apply makes what is missing,
// and what differs is a finding and not a success.
func TestSchemaVerbsReportWhatApplyKeeps(t *testing.T) {
	p := settest.Playground(t)
	wantSaid(t, p, 0, words("schema apply"), "✓ SET 000", "✓ SET 001", "✓ books 0")
	wantSaid(t, p, 0, words("schema verify"), "every database is as this program would make it")

	db := p.Admin(t, 0)
	plant := func(statements ...string) {
		t.Helper()
		for _, s := range statements {
			if _, err := db.Exec(s); err != nil {
				t.Fatalf("%s: %v", s, err)
			}
		}
	}
	plant("ALTER TABLE dispute ADD note TEXT", "SET GLOBAL sync_binlog = 0", "SET GLOBAL innodb_flush_log_at_trx_commit = 2", "DROP TABLE pause")
	wrong := []string{"server setting sync_binlog", "server setting innodb_flush_log_at_trx_commit", "hb_000.dispute `note`"}
	wantSaid(t, p, 1, words("schema verify"), append(wrong, "hb_000.pause")...)
	for _, args := range [][]string{words("schema apply"), words("--json schema apply")} {
		out := wantSaid(t, p, 1, args, wrong...)
		if strings.Contains(out, "hb_000.pause") {
			t.Errorf("%v: what apply has made is reported as missing: %s", args, out)
		}
	}
	if s := verb(t, p, nil, "schema", "apply"); strings.Contains(s.err, "✓ SET 000") || !strings.Contains(s.err, "✗ SET 000") || !strings.Contains(s.err, "✓ SET 001") {
		t.Errorf("the SET that differs is marked: %s", s.err)
	}

	t.Run("a server that is down hides none of the others", func(t *testing.T) {
		file := filepath.Join(p.Dir, "hongbao.yaml")
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		dead := strings.Replace(string(raw), "primary: 127.0.0.1:", "primary: 127.0.0.1:1 #", 1) // that of the first SET
		if err := os.WriteFile(file, []byte(dead), 0o600); err != nil {
			t.Fatal(err)
		}
		other := p.Admin(t, 1)
		_, err1 := other.Exec("ALTER TABLE dispute ADD note TEXT")
		wantSaid(t, p, 1, words("schema verify"), "SET 000", "connection refused", "hb_001.dispute `note`")
		wantSaid(t, p, 1, words("schema apply"), "✗ SET 000", "connection refused", "hb_001.dispute `note`")
		_, err2 := other.Exec("ALTER TABLE dispute DROP note")
		if err := os.WriteFile(file, raw, 0o600); err1 != nil || err2 != nil || err != nil {
			t.Fatal(err1, err2, err)
		}
	})

	plant("ALTER TABLE dispute DROP note", "SET GLOBAL sync_binlog = 1", "SET GLOBAL innodb_flush_log_at_trx_commit = 1")
	wantSaid(t, p, 0, words("schema verify"))
}
