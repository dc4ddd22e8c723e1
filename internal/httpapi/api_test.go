package httpapi

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"hongbao/envelope"
	"hongbao/internal/httpapi/bearer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is when the tests take place, unless they say otherwise.
func noon() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

// bodyAtNoon is a body that a mint made at noon.
func bodyAtNoon() envelope.Body {
	return envelope.Body(noon().Sub(envelope.BodyEpoch()).Milliseconds() << (envelope.BodySequenceBits + envelope.BodyMachineBits))
}

func someID() envelope.ID { return bodyAtNoon().In(3) }

// stubTeller answers what the test put into it and remembers what it was asked.
type stubTeller struct {
	err     error
	sent    envelope.Sent
	outcome envelope.Outcome
	opening envelope.Opening
	details envelope.Details
	hold    func(context.Context) // runs inside every call

	order envelope.Order
	asked ask
	calls int
}

func (s *stubTeller) answer(ctx context.Context) error {
	s.calls++
	if s.hold != nil {
		s.hold(ctx)
	}
	return s.err
}

func (s *stubTeller) Send(ctx context.Context, o envelope.Order) (envelope.Sent, error) {
	s.order = o
	return s.sent, s.answer(ctx)
}

func (s *stubTeller) Grab(ctx context.Context, id envelope.ID, user envelope.UserID, ticket string) (envelope.Outcome, error) {
	s.asked = ask{id, user, ticket}
	return s.outcome, s.answer(ctx)
}

func (s *stubTeller) Open(ctx context.Context, req envelope.OpenRequest, ticket string) (envelope.Opening, error) {
	s.asked = ask{req.ID, req.User, ticket}
	return s.opening, s.answer(ctx)
}

func (s *stubTeller) Show(ctx context.Context, id envelope.ID, user envelope.UserID, ticket string) (envelope.Details, error) {
	s.asked = ask{id, user, ticket}
	return s.details, s.answer(ctx)
}

func (s *stubTeller) Payout(ctx context.Context, id envelope.ID, user envelope.UserID, ticket string) ([]envelope.Transfer, error) {
	s.asked = ask{id, user, ticket}
	return s.details.Payouts, s.answer(ctx)
}

var (
	errStubNotOurs    = errors.New("the number X is somebody else's")
	errStubUnreadable = errors.New("success_time is no time")
	errStubForged     = errors.New("signature of serial 5C3B does not verify")
	errStubInternal   = errors.New("dial tcp 10.1.2.3:3306: SELECT broke in /srv/hongbao/orderset/tx.go:17")
)

// notifiedStub takes notifications of the tests' own making.
func notifiedStub(teller Teller) func(context.Context, http.Header, []byte) error {
	return func(ctx context.Context, _ http.Header, body []byte) error {
		switch s, _ := teller.(*stubTeller); string(body) {
		case "paid":
			return s.answer(ctx)
		case "refund":
			return nil
		case "not ours":
			return errStubNotOurs
		case "unreadable":
			return errStubUnreadable
		}
		return errStubForged
	}
}

func hsKey() bearer.Key {
	return bearer.Key{ID: "hs-1", Algorithm: bearer.HS256, Secret: []byte("0123456789abcdef0123456789abcdef")}
}

func newAuth(t testing.TB, now func() time.Time, keys ...bearer.Key) *bearer.Authenticator {
	t.Helper()
	a, err := bearer.NewAuthenticator(bearer.Config{Keys: keys, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// newAPI is an API around a stub, and its log.
func newAPI(t testing.TB, teller Teller) (*API, *strings.Builder) {
	t.Helper()
	var logged strings.Builder
	a, err := New(stubConfig(t, teller, slog.New(slog.NewTextHandler(&logged, nil))))
	if err != nil {
		t.Fatal(err)
	}
	return a, &logged
}

func stubConfig(t testing.TB, teller Teller, log *slog.Logger) Config {
	return Config{
		Teller: teller, Auth: newAuth(t, noon, hsKey()), Notified: notifiedStub(teller),
		Refused: func(err error) Refused {
			return map[error]Refused{errStubForged: RefusedForged, errStubNotOurs: RefusedNotOurs, errStubUnreadable: RefusedUnreadable}[err]
		},
		Metrics: prometheus.NewRegistry(), Log: log,
		Now: time.Now,
	}
}

func tokenFor(t testing.TB, user envelope.UserID, scope string) string {
	t.Helper()
	s, err := bearer.Mint(hsKey(), user, scope, time.Hour, noon())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// request builds one; headers come in pairs and replace what was there.
func request(t testing.TB, method, path, body string, headers ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body == "" {
		r.Body = http.NoBody
	}
	r.Header.Set("Authorization", "Bearer "+tokenFor(t, "alice", ""))
	if strings.HasPrefix(path, "/v1/envelopes") && method == http.MethodPost && path == "/v1/envelopes" {
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Idempotency-Key", "k-1")
	}
	if strings.HasSuffix(path, "/grab") || strings.HasSuffix(path, "/open") || strings.HasSuffix(path, "/echo") {
		r.Header.Set("Envelope-Ticket", "T")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Del(headers[i])
		if headers[i+1] != "" {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	return r
}

// do serves a request and holds the answer to the API's own description.
func do(t testing.TB, a *API, r *http.Request) (*http.Response, string) {
	t.Helper()
	w := httptest.NewRecorder()
	a.Public().ServeHTTP(w, r)
	res := w.Result()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	conforms(t, r, res, body)
	return res, string(body)
}
