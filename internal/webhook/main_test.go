package webhook

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hongbao/envelope"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is the instant the facts happened at.
func noon() time.Time { return time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC) }

// secretOf is a secret of 32 equal bytes.
func secretOf(b byte) Secret {
	return Secret("whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(b), 32))))
}

func tickets(t testing.TB) *envelope.Tickets {
	t.Helper()
	keys, err := envelope.NewTickets(envelope.TicketKey{Number: 1, Secret: []byte(strings.Repeat("t", 32))})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func testConfig(t testing.TB) Config {
	return Config{
		URL: "https://im.example/events", Secrets: []Secret{secretOf('a')}, Tickets: tickets(t), Now: time.Now,
	}
}

func newSender(t testing.TB, change func(*Config)) *Sender {
	t.Helper()
	cfg := testConfig(t)
	change(&cfg)
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// request is one that an endpoint got.
type request struct {
	method string
	header http.Header
	body   []byte
}

// endpoint is a server that notes what it gets and then answers.
type endpoint struct {
	*httptest.Server
	mu  sync.Mutex
	got []request
}

func newEndpoint(t testing.TB, answer http.HandlerFunc) *endpoint {
	t.Helper()
	e := &endpoint{}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		e.mu.Lock()
		e.got = append(e.got, request{r.Method, r.Header.Clone(), body})
		e.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) requests() []request {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.got
}

// sender speaks to the endpoint from inside the house.
func (e *endpoint) sender(t testing.TB, change func(*Config)) *Sender {
	t.Helper()
	return newSender(t, func(c *Config) {
		c.URL, c.AllowPrivate = e.URL, true
		if change != nil {
			change(c)
		}
	})
}

func saying(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

func tell(t testing.TB, s *Sender, f envelope.Fact) error {
	t.Helper()
	return s.Notify(context.Background(), f)
}

// life is an envelope of three shares at one moment of its life.
func life(state envelope.State, opened int) *envelope.Statement {
	e := envelope.Envelope{
		ID: envelope.Body(1<<40 + 7).In(3), Kind: envelope.Lucky, State: state, Ver: int64(opened) + 2,
		Sender: "ann", Group: "g-1", Greeting: `恭喜发财 <&"`, Total: 1000, Count: 3, ShareMax: 20000,
		OpenedCount: opened, CreatedAt: noon().Add(-time.Minute), PaidAt: noon(), ExpiresAt: noon().Add(24 * time.Hour),
	}
	s := &envelope.Statement{}
	for i, share := range []envelope.Share{{Seq: 1, User: "bob", Amount: 300}, {Seq: 2, User: "cat", Amount: 500}, {Seq: 3, User: "dan", Amount: 200}}[:opened] {
		share.OpenedAt = noon().Add(time.Duration(i+1) * time.Second)
		s.Shares = append(s.Shares, share)
		e.Opened += share.Amount
	}
	if state.Finished() {
		e.FinishedAt = noon().Add(time.Hour)
		if e.Refunded = e.Total - e.Opened; e.Refunded > 0 {
			s.Refund = envelope.Refund{Amount: e.Refunded, PostedAt: noon().Add(2 * time.Hour)}
		}
	}
	s.Envelope = e
	return s
}

// owed are the facts due to a receiver whose cursor is at.
func owed(t testing.TB, s *envelope.Statement, at envelope.Cursor) []envelope.Fact {
	t.Helper()
	facts, _ := envelope.Owed(s, at)
	if len(facts) == 0 {
		t.Fatal("nothing is owed")
	}
	return facts
}
