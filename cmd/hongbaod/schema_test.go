package main_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestSchemaOfAnotherVersionIsReported is FS21: at the start, and when the
// database comes up later.
func TestSchemaOfAnotherVersionIsReported(t *testing.T) {
	s := newService(t)
	s.admin("ALTER TABLE outbox CHANGE touched was MEDIUMTEXT CHARACTER SET ascii COLLATE ascii_bin NOT NULL", "ALTER TABLE dispute ADD note INT")
	_, said, code := s.run(t, "serve")
	if code != 1 || !strings.Contains(said, "hb_000") || !strings.Contains(said, "touched") && !strings.Contains(said, "note") {
		t.Errorf("exit %d: %s", code, said)
	}
	s.killDatabase()
	s.serve()
	s.startDatabase()
	s.wants(http.StatusServiceUnavailable, "hb_000", "another version")
	s.admin("ALTER TABLE outbox CHANGE was touched MEDIUMTEXT CHARACTER SET ascii COLLATE ascii_bin NOT NULL", "ALTER TABLE dispute DROP note")
	s.wants(http.StatusOK, "ready")
}
