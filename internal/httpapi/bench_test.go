package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"testing"

	"hongbao/envelope"
	"hongbao/queue"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// sink is a ResponseWriter that costs as little as the server's own.
type sink struct {
	header http.Header
	status int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(status int)      { s.status = status }
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }

// quickTeller opens at once.
type quickTeller struct {
	stubTeller
	opening envelope.Opening
	refusal error
}

func (q *quickTeller) Open(context.Context, envelope.OpenRequest, string) (envelope.Opening, error) {
	return q.opening, q.refusal
}

func benchmarkOpen(b *testing.B, teller *quickTeller, status int) {
	cfg := stubConfig(b, teller, discard())
	a, err := New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	r := request(b, "POST", "/v1/envelopes/"+string(someID())+"/open", "", "Envelope-Ticket", "AQEBAQEBAQEBAQEBAQEBAQEB")
	w := &sink{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		a.Public().ServeHTTP(w, r)
	}
	if w.status != status {
		b.Fatalf("status %d, want %d", w.status, status)
	}
}

func BenchmarkOpen(b *testing.B) {
	benchmarkOpen(b, &quickTeller{opening: envelope.Opening{Outcome: envelope.Opened, Share: envelope.Share{Seq: 7, Amount: 123}}}, 200)
}

func BenchmarkOpenRefused(b *testing.B) {
	benchmarkOpen(b, &quickTeller{refusal: &queue.BusyError{Reason: queue.ReasonQueueFull, RetryAfter: 1}}, 429)
}

func BenchmarkDecodeOrder(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decodeOrder([]byte(lucky)); err != nil {
			b.Fatal(err)
		}
	}
}

// TestOpenStaysLean keeps the hot path from growing unnoticed.
func TestOpenStaysLean(t *testing.T) {
	const allocsMax = 10
	a, err := New(stubConfig(t, &quickTeller{opening: envelope.Opening{Outcome: envelope.Drained}}, discard()))
	if err != nil {
		t.Fatal(err)
	}
	r := call(t, "open")
	w := &sink{header: http.Header{}}
	if allocs := testing.AllocsPerRun(100, func() { a.Public().ServeHTTP(w, r) }); allocs > allocsMax {
		t.Errorf("%v allocations an open, want at most %d", allocs, allocsMax)
	}
}
