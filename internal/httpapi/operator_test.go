package httpapi

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"hongbao/envelope"
)

func operate(a *API, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	a.Operator().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w
}

func TestTheOperatorSeesHealthReadinessMetricsAndProfiles(t *testing.T) {
	a, _ := newAPI(t, &stubTeller{})
	do(t, a, request(t, "GET", "/v1/envelopes/"+string(someID()), "", "Authorization", ""))
	for path, want := range map[string]string{
		"/healthz": "ok\n", "/readyz": "ready\n",
		"/metrics":                       `hongbao_http_request_seconds_count{route="/v1/envelopes/:id",status="401"} 1`,
		"/debug/pprof/":                  "goroutine",
		"/debug/pprof/goroutine?debug=1": "goroutine profile",
		"/debug/pprof/cmdline":           "httpapi.test",
	} {
		if w := operate(a, path); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %.200s, want %q", path, w.Code, w.Body, want)
		}
		if res, _ := do(t, a, request(t, "GET", strings.Split(path, "?")[0], "")); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s is public: %d", path, res.StatusCode)
		}
	}
	if w := operate(a, "/v1/envelopes"); w.Code != http.StatusNotFound {
		t.Errorf("the public API answers on the operator's listener: %d", w.Code)
	}
}

func TestMetricsHaveNoLabelOfAUserOrAnEnvelope(t *testing.T) {
	a, _ := newAPI(t, &stubTeller{details: envelope.Details{Envelope: someEnvelope()}})
	for _, path := range []string{"/v1/envelopes/" + string(someID()), "/v1/envelopes/" + string(someID()) + "/open", "/made/up/path"} {
		do(t, a, request(t, "GET", path, "", "Envelope-Ticket", "s3cr3t"))
	}
	metrics := operate(a, "/metrics").Body.String()
	for _, word := range []string{string(someID()), "alice", "s3cr3t", "made"} {
		if strings.Contains(metrics, word) {
			t.Errorf("the metrics name %q", word)
		}
	}
}

func TestNotReadySaysWhy(t *testing.T) {
	a, _ := newAPI(t, &stubTeller{})
	a.cfg.Ready = func(context.Context) error { return errors.New("no SET is writable") }
	if w := operate(a, "/readyz"); w.Code != http.StatusServiceUnavailable || w.Body.String() != "not ready: no SET is writable\n" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	a.draining.Store(true)
	if w := operate(a, "/readyz"); w.Code != http.StatusServiceUnavailable || w.Body.String() != "not ready: draining\n" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := operate(a, "/healthz"); w.Code != http.StatusOK {
		t.Errorf("a draining process is unhealthy: %d", w.Code)
	}
}

func TestAnIncompleteConfigurationIsRefused(t *testing.T) {
	whole := stubConfig(t, &stubTeller{}, nil)
	for name, spoil := range map[string]func(*Config){
		"no log": func(*Config) {}, "no teller": func(c *Config) { c.Teller = nil },
		"no body bound":     func(c *Config) { c.BodyBytesMax = -1 },
		"no notification":   func(c *Config) { c.NotificationBytesMax = 1 },
		"no time to answer": func(c *Config) { c.AnswerMax = -1 },
	} {
		cfg := whole
		if name != "no log" {
			cfg.Log = discard()
		}
		spoil(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	cfg := whole
	cfg.Log = discard()
	if _, err := New(cfg); err != nil {
		t.Fatal(err)
	}
	if _, err := New(cfg); err == nil {
		t.Error("two APIs share one registry")
	}
}
