package main_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"hongbao/internal/cluster"
)

// metrics reads /metrics of a daemon.
func (s *service) metrics() string {
	s.t.Helper()
	status, body, err := s.ask(s.Listen.Operator, "/metrics", "")
	if err != nil || status != http.StatusOK {
		s.t.Fatalf("metrics: %d %v", status, err)
	}
	return body
}

// TestMetricsAndLogSayWhatIsTheCase is FS33: names that promtool takes, what
// operators watch, and each fact of the database from one of two daemons.
func TestMetricsAndLogSayWhatIsTheCase(t *testing.T) {
	s := newService(t)
	s.admin("INSERT INTO pause (topic, paused, reason, paused_at) VALUES ('event', TRUE, 'x', UTC_TIMESTAMP(3))")
	s.serve()
	s.wants(http.StatusOK, "ready")
	const paused = `hongbao_relay_paused{set="000",topic="event"} 1`
	for _, want := range []string{
		"hongbao_build_info{", paused, `hongbao_relay_stuck{set="000",topic="dispute"} 0`, `hongbao_relay_pending{set="000",topic="outbox"} 0`,
		`hongbao_set_unfit{set="000"} 0`, `hongbao_set_day_tables_left_seconds{set="000"} `, "hongbao_machine_lease_remaining_seconds 1",
		`hongbao_set_paid_fen_total{set="000"} 0`, `hongbao_set_envelopes_total{set="000",state="active"} 0`, `hongbao_shed_refusing{set="000"} 0`,
	} {
		s.await(want, func() error { return wantIn(s.metrics(), want) })
	}
	problems, err := promlint.New(strings.NewReader(s.metrics())).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v %v", problems, err)
	}

	own := *s.Settings
	own.Listen.Public, own.Listen.Operator = freeAddress(t), freeAddress(t)
	second := &service{deployment: &deployment{Settings: &own, dir: s.dir, bin: s.bin}, t: t}
	second.save(t)
	t.Cleanup(second.stop)
	second.serve()
	second.wants(http.StatusOK, "ready")
	second.await("its own metrics", func() error { return wantIn(second.metrics(), "hongbao_machine_lease_remaining_seconds 1") })
	if strings.Contains(second.metrics(), "hongbao_relay_pending{") {
		t.Error("a second daemon reports what the first one does")
	}
	if err := s.daemon.Kill(); err != nil {
		t.Fatal(err)
	}
	s.daemon = nil
	second.await("it takes over", func() error { return wantIn(second.metrics(), paused) })
	if log := s.log(); strings.Contains(log, "[mysql]") || !strings.HasPrefix(log, "{") {
		t.Errorf("the log is not one format:\n%s", log)
	}
}

func wantIn(text, part string) error {
	if !strings.Contains(text, part) {
		return fmt.Errorf("no %q in it", part)
	}
	return nil
}

func freeAddress(t *testing.T) string {
	t.Helper()
	ports, err := cluster.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", ports[0])
}
