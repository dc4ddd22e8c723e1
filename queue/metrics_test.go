package queue_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"hongbao/queue"
)

func TestMetricsAreShownWithoutKeys(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	var l *lane
	synctest.Test(t, func(t *testing.T) {
		s := &server{hold: make(chan struct{})}
		l = newLane(t, queue.LaneConfig{QueueMax: 3}, s.serve)
		for i := range 5 {
			ask(t.Context(), l, "secret-key", i)
		}
		time.Sleep(500 * time.Microsecond)
		close(s.hold)
		closeLane(t, l)
	})
	g := quietGate(t, queue.GateConfig{Store: newLocalStore(t)})
	enter(t, g, "secret-key")
	s := quietShedder(t, new(dials), queue.ShedConfig{})
	s.Drain(true)
	wantRefused(t, s, queue.ReasonDraining)

	for i, part := range []interface {
		Register(prometheus.Registerer) error
	}{l, g, s} {
		// Two of each, told apart by the caller.
		for _, name := range []string{"7", "8"} {
			if err := part.Register(prometheus.WrapRegistererWith(prometheus.Labels{"lane": name}, reg)); err != nil {
				t.Errorf("part %d: %v", i, err)
			}
		}
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v %v", problems, err)
	}
	page := httptest.NewRecorder()
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	text := page.Body.String()
	for _, want := range []string{
		`hongbao_lane_served_total{lane="7"} 4`,
		`hongbao_lane_refused_total{lane="8",reason="queue_full"} 1`,
		`hongbao_lane_batch_size_bucket{lane="7",le="1"} 1`,
		`hongbao_lane_batch_size_bucket{lane="7",le="3"} 2`,
		`hongbao_lane_batch_size_sum{lane="7"} 4`,
		`hongbao_lane_wait_seconds_count{lane="7"} 4`,
		`hongbao_gate_permits{lane="7"} 1`,
		`hongbao_gate_granted_total{lane="7"} 1`,
		`hongbao_shed_refused_total{lane="7",reason="draining"} 1`,
		`hongbao_shed_refusing{lane="7"} 1`, // FS24
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("no line %s", want)
		}
	}
	if strings.Contains(text, "secret-key") {
		t.Error("a key is shown")
	}
	if t.Failed() {
		t.Log(text)
	}
}
