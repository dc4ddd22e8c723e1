package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"hongbao/envelope"
)

func activeFact(t testing.TB) envelope.Fact {
	t.Helper()
	return owed(t, life(envelope.Active, 0), envelope.Cursor{})[0]
}

func verify(t *testing.T, secret Secret, r request) error {
	t.Helper()
	hook, err := standardwebhooks.NewWebhook(string(secret))
	if err != nil {
		t.Fatal(err)
	}
	return hook.Verify(r.body, r.header)
}

func TestEventsVerify(t *testing.T) {
	e := newEndpoint(t, saying(204))
	s := e.sender(t, nil)
	for _, f := range owed(t, life(envelope.Expired, 2), envelope.Cursor{}) {
		if err := tell(t, s, f); err != nil {
			t.Fatal(err)
		}
	}
	got := e.requests()
	if len(got) != 4 {
		t.Fatalf("%d events, want 4", len(got))
	}
	for _, r := range got {
		if err := verify(t, secretOf('a'), r); err != nil {
			t.Error(err)
		}
		if r.method != "POST" || r.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %v", r.method, r.header)
		}
		if err := verify(t, secretOf('b'), r); err == nil {
			t.Error("verifies under a secret it was not signed under")
		}
		r.body = append(r.body, ' ')
		if err := verify(t, secretOf('a'), r); err == nil {
			t.Error("verifies with another body")
		}
	}
}

// TestSignatureIsTheStandardsFormula computes it without the library.
func TestSignatureIsTheStandardsFormula(t *testing.T) {
	e := newEndpoint(t, saying(204))
	s := e.sender(t, func(c *Config) { c.Now = noon })
	f := activeFact(t)
	if err := tell(t, s, f); err != nil {
		t.Fatal(err)
	}
	r := e.requests()[0]
	mac := hmac.New(sha256.New, []byte(strings.Repeat("a", 32)))
	fmt.Fprintf(mac, "%s-active.%d.%s", f.Envelope.ID, noon().Unix(), r.body)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	if got := r.header.Get("webhook-signature"); got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
}

func TestWhileSecretsRotateEitherVerifies(t *testing.T) {
	e := newEndpoint(t, saying(204))
	s := e.sender(t, func(c *Config) { c.Secrets = []Secret{secretOf('n'), secretOf('o')} })
	if err := tell(t, s, activeFact(t)); err != nil {
		t.Fatal(err)
	}
	r := e.requests()[0]
	for _, secret := range []Secret{secretOf('n'), secretOf('o')} {
		if err := verify(t, secret, r); err != nil {
			t.Error(err)
		}
	}
	if n := len(strings.Split(r.header.Get("webhook-signature"), " ")); n != 2 {
		t.Errorf("%d signatures, want 2", n)
	}
}

func TestRepeatHasTheSameIDAndBytes(t *testing.T) {
	e := newEndpoint(t, saying(500))
	now := time.Now()
	s := e.sender(t, func(c *Config) { c.Now = func() time.Time { return now } })
	f := activeFact(t)
	for range 2 {
		if err := tell(t, s, f); err == nil {
			t.Fatal("500 is a success")
		}
		now = now.Add(time.Minute)
	}
	got := e.requests()
	for _, name := range []string{"webhook-id", "Content-Type"} {
		if a, b := got[0].header.Get(name), got[1].header.Get(name); a != b || a == "" {
			t.Errorf("%s: %q, then %q", name, a, b)
		}
	}
	if !bytes.Equal(got[0].body, got[1].body) {
		t.Errorf("bodies differ: %s, then %s", got[0].body, got[1].body)
	}
	if a, b := got[0].header.Get("webhook-timestamp"), got[1].header.Get("webhook-timestamp"); a == b {
		t.Errorf("two attempts a minute apart, both at %s", a)
	}
}

func TestAnswersMeanWhatTheyMean(t *testing.T) {
	for _, row := range []struct {
		status     int
		retryAfter string
		gone       bool
		busy       time.Duration // 0: not busy
		result     string
	}{
		{status: 200, result: "ok"}, {status: 202, result: "ok"}, {status: 204, result: "ok"}, {status: 299, result: "ok"},
		{status: 410, gone: true, result: "gone"},
		{status: 429, retryAfter: "7", busy: 7 * time.Second, result: "busy"},
		{status: 503, retryAfter: "0", busy: retryAfterMin, result: "busy"},
		{status: 503, retryAfter: "4294967295", busy: retryAfterMax, result: "busy"},
		{status: 503, retryAfter: noon().Add(time.Minute).Format(http.TimeFormat), busy: time.Minute, result: "busy"},
		{status: 503, retryAfter: noon().Add(-time.Hour).Format(http.TimeFormat), busy: retryAfterMin, result: "busy"},
		{status: 503, result: "refused"}, {status: 429, result: "refused"},
		{status: 503, retryAfter: "soon", result: "refused"}, {status: 503, retryAfter: "-1", result: "refused"},
		{status: 500, retryAfter: "7", result: "refused"},
		{status: 301, result: "refused"}, {status: 400, result: "refused"}, {status: 404, result: "refused"}, {status: 502, result: "refused"},
	} {
		e := newEndpoint(t, func(w http.ResponseWriter, _ *http.Request) {
			if row.retryAfter != "" {
				w.Header().Set("Retry-After", row.retryAfter)
			}
			w.WriteHeader(row.status)
		})
		s := e.sender(t, func(c *Config) { c.Now = noon })
		err := tell(t, s, activeFact(t))
		busy, isBusy := errors.AsType[*envelope.BusyError](err)
		if (err == nil) != (row.result == "ok") || errors.Is(err, ErrGone) != row.gone ||
			isBusy != (row.busy != 0) || isBusy && busy.RetryAfter != row.busy {
			t.Errorf("%d %q: %v", row.status, row.retryAfter, err)
		}
		if n := counted(t, s, "envelope.active", row.result); n != 1 {
			t.Errorf("%d %q: %d counted as %s, want 1", row.status, row.retryAfter, n, row.result)
		}
	}
}

func counted(t *testing.T, s *Sender, kind, result string) int {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(s)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range families[0].GetMetric() {
		if m.GetLabel()[0].GetValue() == result && m.GetLabel()[1].GetValue() == kind {
			return int(m.GetHistogram().GetSampleCount())
		}
	}
	return 0
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a signed event went elsewhere")
	}))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		e := newEndpoint(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, status) })
		if err := tell(t, e.sender(t, nil), activeFact(t)); err == nil {
			t.Errorf("%d is a success", status)
		}
	}
}

func TestSilenceEndsAtTheTimeout(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") // the kernel takes connections, and there is no answer
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	s := newSender(t, func(c *Config) {
		c.URL, c.AllowPrivate, c.Timeout = "http://"+ln.Addr().String()+"/?key=hush", true, 50*time.Millisecond
	})
	start := time.Now()
	err = tell(t, s, activeFact(t))
	if err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("%v, want an error without the query", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	if n := counted(t, s, "envelope.active", "unreachable"); n != 1 {
		t.Errorf("%d counted as unreachable, want 1", n)
	}
}

func TestCanceledDeliveryReturnsAtOnce(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	e := newEndpoint(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	if err := e.sender(t, nil).Notify(ctx, activeFact(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want cancelled", err)
	}
}

// TestStatusCountsHoweverTheBodyEnds covers bodies that are endless, that never
// come, and that break off.
func TestStatusCountsHoweverTheBodyEnds(t *testing.T) {
	for name, row := range map[string]struct {
		timeout time.Duration
		answer  http.HandlerFunc
	}{
		"endless": {timeoutMax, func(w http.ResponseWriter, r *http.Request) {
			for block := make([]byte, 64<<10); r.Context().Err() == nil; {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		}},
		"late": {2 * time.Second, func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}},
		"broken off": {timeoutMax, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "short")
		}},
	} {
		e := newEndpoint(t, row.answer)
		s := e.sender(t, func(c *Config) { c.Timeout = row.timeout })
		start := time.Now()
		if err := tell(t, s, activeFact(t)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(start); took > timeoutMax/2 {
			t.Errorf("%s: took %v", name, took)
		}
	}
}

func TestHeaderWithoutEndIsCutOff(t *testing.T) {
	e := newEndpoint(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("x", 2*headerBytesMax))
	})
	if err := tell(t, e.sender(t, nil), activeFact(t)); err == nil {
		t.Errorf("a header of more than %d bytes was read", headerBytesMax)
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	e := &endpoint{}
	conns := make(chan struct{}, 100)
	e.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(400)
		_, _ = io.WriteString(w, strings.Repeat("x", answerBytesMax)) // drained, not left on the wire
	}))
	e.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns <- struct{}{}
		}
	}
	e.Start()
	defer e.Close()
	s := e.sender(t, nil)
	for range 10 {
		if err := tell(t, s, activeFact(t)); err == nil {
			t.Error("400 is a success")
		}
	}
	if n := len(conns); n != 1 {
		t.Errorf("%d connections for 10 events, want 1", n)
	}
}

// TestBodyCanBeSentAgain is what the transport needs when the endpoint has closed
// the connection it took.
func TestBodyCanBeSentAgain(t *testing.T) {
	s := newSender(t, func(*Config) {})
	f := activeFact(t)
	m, err := write(&f, s.cfg.Tickets)
	if err != nil {
		t.Fatal(err)
	}
	req := s.signed(t.Context(), m)
	again, err := req.GetBody()
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []io.Reader{req.Body, again} {
		if got, err := io.ReadAll(body); err != nil || !bytes.Equal(got, m.body) || req.ContentLength != int64(len(got)) {
			t.Errorf("%s of %d, %v, want %s", got, req.ContentLength, err, m.body)
		}
	}
}

// TestCloseLeavesNoConnection covers a busy connection, an idle one, none, and
// one that is dialled afterwards.
func TestCloseLeavesNoConnection(t *testing.T) {
	e := &endpoint{}
	busy, answer, closed := make(chan struct{}), make(chan struct{}), make(chan struct{}, 3)
	e.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		busy <- struct{}{}
		<-answer
	}))
	e.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			closed <- struct{}{}
		}
	}
	e.Start()
	defer e.Close()
	s := e.sender(t, nil)
	f, told := activeFact(t), make(chan error)
	tell := func() { told <- s.Notify(context.Background(), f) }
	finish := func() {
		answer <- struct{}{}
		if err := <-told; err != nil {
			t.Error(err)
		}
	}
	gone := func() {
		select {
		case <-closed:
		case <-time.After(connIdleMax / 3): // before it would close of itself
			t.Fatal("a connection is left")
		}
	}
	go tell()
	<-busy
	s.Close()
	finish() // what is under way comes to its end
	gone()
	s.Close()
	for range 2 {
		go tell()
		<-busy
		finish()
		s.Close()
		gone()
	}
}

func TestHTTPSIsVerified(t *testing.T) {
	server := httptest.NewUnstartedServer(saying(204))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it is told about the refused certificate
	server.StartTLS()
	defer server.Close()
	s := newSender(t, func(c *Config) { c.URL, c.AllowPrivate = server.URL, true })
	var unknown *tls.CertificateVerificationError
	if err := tell(t, s, activeFact(t)); !errors.As(err, &unknown) {
		t.Errorf("%v, want a certificate that does not verify", err)
	}
	s.transport.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig
	if err := tell(t, s, activeFact(t)); err != nil {
		t.Error(err)
	}
}
