package main_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestDatabaseIsCheckedWheneverItComesUp is FS22: down at the start and up with
// fsync off, put right, and restarted with fsync off again.
func TestDatabaseIsCheckedWheneverItComesUp(t *testing.T) {
	s := newService(t)
	s.killDatabase()
	s.serve()
	s.wants(http.StatusServiceUnavailable, "000")

	s.startDatabase("--sync-binlog=0")
	s.wants(http.StatusServiceUnavailable, "sync_binlog", "000")
	if n := strings.Count(s.log(), "a SET is not served"); n != 1 {
		t.Errorf("the log says it %d times, want once:\n%s", n, s.log())
	}
	s.admin("SET GLOBAL sync_binlog = 1")
	s.wants(http.StatusOK, "ready")

	s.killDatabase()
	s.startDatabase("--innodb-flush-log-at-trx-commit=2")
	s.wants(http.StatusServiceUnavailable, "innodb_flush_log_at_trx_commit")
	s.admin("SET GLOBAL innodb_flush_log_at_trx_commit = 1")
	s.wants(http.StatusOK, "ready")
	if log := s.log(); !strings.Contains(log, "a SET is served") {
		t.Errorf("the log does not say that it is served again:\n%s", log)
	}
}
