package httpapi

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"hongbao/envelope"
)

func TestMetricsHaveNoUserOrEnvelopeLabels(t *testing.T) {
	a, _ := newAPI(t, &stubTeller{details: envelope.Details{Envelope: someEnvelope()}})
	for _, path := range []string{"/v1/envelopes/" + string(someID()), "/v1/envelopes/" + string(someID()) + "/open", "/made/up/path"} {
		do(t, a, request(t, "GET", path, "", "Envelope-Ticket", "s3cr3t"))
	}
	w := httptest.NewRecorder()
	promhttp.HandlerFor(a.cfg.Metrics, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	metrics := w.Body.String()
	if !strings.Contains(metrics, `hongbao_http_request_seconds_count{route="/v1/envelopes/:id",status="200"} 1`) {
		t.Errorf("the metrics say nothing of a request: %s", metrics)
	}
	for _, word := range []string{string(someID()), "alice", "s3cr3t", "made"} {
		if strings.Contains(metrics, word) {
			t.Errorf("the metrics name %q", word)
		}
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
