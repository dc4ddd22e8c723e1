package operator

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hongbao/envelope"
)

// FS19
func TestAProfileHasABound(t *testing.T) {
	for _, query := range []string{"seconds=0", "seconds=-1", "seconds=61", "seconds=86400", "seconds=1e9", "seconds=99999999999999999999", "seconds=NaN", "seconds=0.5",
		"seconds=", "seconds=1&seconds=2", "second=1", "debug=3", "debug=x", "gc=-1"} {
		for _, profile := range []string{"profile", "trace", "heap", "goroutine"} {
			a, _ := newAPI(t, nil)
			name, _, _ := strings.Cut(query, "=")
			wantProblem(t, profile+"?"+query, do(a, request(t, "GET", "/debug/pprof/"+profile+"?"+query, "")), 400, "invalid_field", `"`+name+`"`)
		}
	}
	a, _ := newAPI(t, nil)
	wantProblem(t, "no such profile", do(a, request(t, "GET", "/debug/pprof/secrets", "")), 404, "not_found")
}

func TestProfilesAndMetricsAreThere(t *testing.T) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "hongbao_test"}, func() float64 { return 7 }))
	a, _ := newAPI(t, func(cfg *Config) { cfg.Metrics = registry })
	for path, want := range map[string]string{
		"/healthz": "ok\n", "/metrics": "hongbao_test 7\n", "/debug/pprof/": "goroutine", "/debug/pprof/goroutine?debug=1": "goroutine profile",
		"/debug/pprof/cmdline": "operator.test", "/debug/pprof/profile?seconds=1": "\x1f\x8b", "/debug/pprof/heap?gc=1": "\x1f\x8b",
	} {
		if w := do(a, request(t, "GET", path, "")); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %.200s, want %q", path, w.Code, w.Body, want)
		}
	}
}

// FS24
func TestReadyzTellsServingFromMinting(t *testing.T) {
	var mint error
	draining := false
	a, sets := newAPI(t, func(cfg *Config) {
		cfg.Mint, cfg.Draining = func() error { return mint }, func() bool { return draining }
	})
	look := func(status int) (ready Readiness) {
		t.Helper()
		w := do(a, request(t, "GET", "/readyz", "", "Authorization", ""))
		if err := json.Unmarshal(w.Body.Bytes(), &ready); err != nil || w.Code != status || len(ready.Sets) != 2 || ready.Ready != (status == 200) {
			t.Errorf("%d %v %s, want %d", w.Code, err, w.Body, status)
		}
		if status != 200 {
			wantProblem(t, "not ready", w, status, "not_ready")
			if w.Header().Get("Retry-After") == "" {
				t.Error("not ready without Retry-After")
			}
		}
		return ready
	}
	mint = errors.New("no machine number is leased")
	if r := look(503); r.Mint.OK || !r.Serve.OK || !strings.Contains(r.Mint.Why, "cannot mint: no machine number") {
		t.Errorf("just started: %+v", r)
	}
	mint = nil
	if r := look(200); !r.Mint.OK || !r.Serve.OK {
		t.Errorf("started: %+v", r)
	}
	mint = errors.New("the clock stepped back")
	if r := look(200); r.Mint.OK || !r.Serve.OK {
		t.Errorf("cannot mint any more: %+v", r)
	}
	mint = nil
	sets[0].err = &envelope.BusyError{Reason: "set_unavailable"}
	sets[1].on = true
	if r := look(200); r.Sets[0].Error == "" || r.Sets[1].Refusing != "draining" || !r.Serve.OK {
		t.Errorf("one SET is down, the other refuses: %+v", r)
	}
	sets[1].err = errors.New("SET 001: the schema is of another version")
	if r := look(503); r.Serve.OK || !r.Mint.OK || !strings.Contains(r.Serve.Why, "cannot serve") || !strings.Contains(r.Serve.Why, "another version") {
		t.Errorf("no SET: %+v", r)
	}
	sets[0].err, sets[1].err, draining = nil, nil, true
	if r := look(503); !r.Draining {
		t.Errorf("draining: %+v", r)
	}
	wantProblem(t, "a parameter", do(a, request(t, "GET", "/readyz?verbose=1", "")), 400, "invalid_field", "verbose")
	wantProblem(t, "a method", do(a, request(t, "POST", "/readyz", "")), 405, "method_not_allowed")
}

func TestProcessWithoutMintingServes(t *testing.T) {
	a, _ := newAPI(t, func(cfg *Config) { cfg.Mint = func() error { return errors.New("no machine number is leased") } })
	a.started = time.Now().Add(-mintGrace - time.Second)
	if w := do(a, request(t, "GET", "/readyz", "")); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "cannot mint") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
