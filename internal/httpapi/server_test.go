package httpapi

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"hongbao/envelope"
)

// A running server under test: where it listens, how to stop it, how it ended.
type running struct {
	public, operator string
	stop             context.CancelFunc
	ended            chan error
}

// start serves an API on loopback and stops it with the test.
func start(t *testing.T, a *API, adjust func(*ServerConfig)) *running {
	t.Helper()
	cfg := ServerConfig{API: a, Public: listen(t), Operator: listen(t), OperatorHandler: readyz(a), DrainNotice: time.Millisecond}
	if adjust != nil {
		adjust(&cfg)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &running{cfg.Public.Addr().String(), cfg.Operator.Addr().String(), stop, make(chan error, 1)}
	go func() { r.ended <- Serve(ctx, cfg) }()
	t.Cleanup(func() {
		stop()
		if err, open := <-r.ended; open && err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return r
}

// readyz answers on the operator's listener whether an API drains.
func readyz(a *API) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if a.Draining() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
}

// wait is how Serve ended; the cleanup then has nothing to report.
func (r *running) wait() error {
	err := <-r.ended
	close(r.ended)
	return err
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func openRequest(t *testing.T, r *running) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+r.public+"/v1/envelopes/"+string(someID())+"/open", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+tokenFor(t, "alice", ""))
	req.Header.Set("Envelope-Ticket", "T")
	return req
}

// client has connections of its own, closed with the test.
func client(t *testing.T) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func get(t *testing.T, c *http.Client, url string) (int, string) {
	t.Helper()
	res, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// FA15.
func TestShutdownAnswersEverythingAdmitted(t *testing.T) {
	const requests = 50
	admitted, release := make(chan struct{}, requests), make(chan struct{})
	a, _ := newAPI(t, &patientTeller{admitted: admitted, release: release})
	r := start(t, a, nil)
	c := client(t)
	answers := make(chan error, requests)
	for range requests {
		req := openRequest(t, r)
		go func() { answers <- answered(c, req) }()
	}
	for range requests {
		<-admitted
	}
	r.stop()
	for ready(t, r) { // not ready is said first, on a listener that stays
	}
	for dials(r.public) { // then no connection is accepted
	}
	close(release)
	for range requests {
		if err := <-answers; err != nil {
			t.Errorf("an admitted request was not answered: %v", err)
		}
	}
	if err := r.wait(); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func answered(c *http.Client, req *http.Request) error {
	res, err := c.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && (res.StatusCode != 200 || string(body) != `{"outcome":"empty"}`) {
		err = fmt.Errorf("%d %s", res.StatusCode, body)
	}
	return err
}

// ready asks over a connection of its own.
func ready(t *testing.T, r *running) bool {
	t.Helper()
	status, _ := get(t, client(t), "http://"+r.operator+"/readyz")
	return status == http.StatusOK
}

func dials(addr string) bool {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

// patientTeller opens for many at once, when it is let.
type patientTeller struct {
	stubTeller
	admitted chan<- struct{}
	release  <-chan struct{}
}

func (p *patientTeller) Open(context.Context, envelope.OpenRequest, string) (envelope.Opening, error) {
	p.admitted <- struct{}{}
	<-p.release
	return envelope.Opening{Outcome: envelope.Drained}, nil
}

// FA15.
func TestDrainingAnswersCloseTheConnection(t *testing.T) {
	a, _ := newAPI(t, &stubTeller{outcome: envelope.Openable})
	if res, _ := do(t, a, call(t, "grab")); res.Header.Get("Connection") != "" {
		t.Errorf("Connection %q before draining", res.Header.Get("Connection"))
	}
	a.draining.Store(true)
	for _, r := range []*http.Request{call(t, "grab"), call(t, "grab", "Authorization", ""), request(t, "GET", "/nothing", "")} {
		if res, _ := do(t, a, r); res.Header.Get("Connection") != "close" {
			t.Errorf("%s %d: Connection %q, want close", r.URL.Path, res.StatusCode, res.Header.Get("Connection"))
		}
	}
}

// FA15.
func TestShutdownEndsAtItsBoundAndSaysSo(t *testing.T) {
	admitted, release := make(chan struct{}), make(chan struct{})
	a, _ := newAPI(t, &stubTeller{hold: func(context.Context) { close(admitted); <-release }}) // ignores its deadline
	a.cfg.AnswerMax = time.Millisecond
	r := start(t, a, func(cfg *ServerConfig) { cfg.DrainMax = 10 * time.Millisecond })
	answer, req, c := make(chan error, 1), openRequest(t, r), client(t)
	go func() { answer <- answered(c, req) }()
	<-admitted
	r.stop()
	if err := r.wait(); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("Serve: %v, want to hear what was cut off", err)
	}
	if err := <-answer; err == nil {
		t.Error("the request was answered")
	}
	close(release)
}

// FH3.
func TestSlowHeadersAndSlowBodiesAreCutOff(t *testing.T) {
	a, _ := newAPI(t, &stubTeller{})
	a.cfg.AnswerMax = 100 * time.Millisecond
	r := start(t, a, func(cfg *ServerConfig) {
		cfg.ReadHeaderMax, cfg.ReadMax, cfg.WriteMax, cfg.IdleMax = 50*time.Millisecond, 100*time.Millisecond, time.Second, 200*time.Millisecond
	})
	head := "POST /v1/envelopes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + tokenFor(t, "alice", "") +
		"\r\nIdempotency-Key: k\r\nContent-Type: application/json\r\n"
	for name, tt := range map[string]struct{ sent, want string }{
		"nothing":     {"", ""},
		"half a line": {"POST /v1/env", "HTTP/1.1 400 "},
		"no last CR":  {head, ""},
		"half a body": {head + "Content-Length: 50\r\n\r\n{", "HTTP/1.1 408 "},
		"no chunk":    {head + "Transfer-Encoding: chunked\r\n\r\n5\r\n{", "HTTP/1.1 408 "},
	} {
		conn, err := net.Dial("tcp", r.public)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, tt.sent); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn) // ends when the server closes
		if err != nil || !strings.HasPrefix(string(answer), tt.want) || tt.want == "" && len(answer) > 0 {
			t.Errorf("%s: %q, %v; want %q and the end", name, answer, err, tt.want)
		}
	}
}

// FH3.
func TestARefusedBodyStillGetsItsRefusal(t *testing.T) {
	a, _ := newAPI(t, &stubTeller{})
	r := start(t, a, nil)
	for name, head := range map[string]string{
		"too large":       "Authorization: Bearer " + tokenFor(t, "alice", "") + "\r\nIdempotency-Key: k\r\nContent-Type: application/json\r\n",
		"unauthenticated": "",
	} {
		conn, err := net.Dial("tcp", r.public)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		// A client that writes its whole megabyte before it reads.
		_, err = io.WriteString(conn, "POST /v1/envelopes HTTP/1.1\r\nHost: x\r\n"+head+"Content-Length: 1048576\r\n\r\n"+strings.Repeat("a", 200<<10))
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || res.StatusCode != 413 && res.StatusCode != 401 || res.Header.Get("Connection") != "close" && !res.Close {
			t.Errorf("%s: %v, %v; want a refusal and the end", name, res, err)
		}
	}
}

// FH3.
func TestHeadersHaveABound(t *testing.T) {
	a, _ := newAPI(t, &stubTeller{})
	r := start(t, a, nil)
	req := openRequest(t, r)
	req.Header.Set("X-Padding", strings.Repeat("a", HeaderBytesMax+(4<<10)))
	res, err := client(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%d, want 431", res.StatusCode)
	}
}

// FH3.
func TestAClosedConnectionFreesItsSlot(t *testing.T) {
	a, _ := newAPI(t, &stubTeller{opening: envelope.Opening{Outcome: envelope.Drained}})
	r := start(t, a, func(cfg *ServerConfig) { cfg.ConnectionsMax = 1 })
	c := client(t)
	for range 20 {
		req := openRequest(t, r)
		req.Close = true
		if err := answered(c, req); err != nil {
			t.Fatal(err)
		}
	}
}

func TestServeRefusesContradictingBounds(t *testing.T) {
	a, _ := newAPI(t, &stubTeller{})
	public, operator := listen(t), listen(t)
	defer public.Close()
	defer operator.Close()
	for name, adjust := range map[string]func(*ServerConfig){
		"no API":                   func(cfg *ServerConfig) { cfg.API = nil },
		"no public listener":       func(cfg *ServerConfig) { cfg.Public = nil },
		"no operator's listener":   func(cfg *ServerConfig) { cfg.Operator = nil },
		"no operator's handler":    func(cfg *ServerConfig) { cfg.OperatorHandler = nil },
		"no connections":           func(cfg *ServerConfig) { cfg.ConnectionsMax = -1 },
		"headers after the body":   func(cfg *ServerConfig) { cfg.ReadHeaderMax = time.Minute },
		"answers cut while read":   func(cfg *ServerConfig) { cfg.WriteMax = 9 * time.Second },
		"negative idle":            func(cfg *ServerConfig) { cfg.IdleMax = -1 },
		"drain before an answer":   func(cfg *ServerConfig) { cfg.DrainMax = time.Second },
		"negative notice to leave": func(cfg *ServerConfig) { cfg.DrainNotice = -1 },
	} {
		cfg := ServerConfig{API: a, Public: public, Operator: operator, OperatorHandler: readyz(a)}
		adjust(&cfg)
		if err := Serve(t.Context(), cfg); err == nil {
			t.Errorf("%s: served", name)
		}
	}
}

func TestServeEndsWhenAListenerFails(t *testing.T) {
	a, _ := newAPI(t, &stubTeller{})
	public, operator := listen(t), listen(t)
	public.Close()
	err := Serve(t.Context(), ServerConfig{API: a, Public: public, Operator: operator, OperatorHandler: readyz(a), DrainNotice: time.Millisecond})
	if !errors.Is(err, net.ErrClosed) || !strings.Contains(err.Error(), "public listener") {
		t.Errorf("Serve on a closed listener: %v", err)
	}
	if dials(operator.Addr().String()) {
		t.Error("the operator's listener outlives Serve")
	}
}
