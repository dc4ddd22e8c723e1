package intake

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// generous is a configuration that bounds nothing a test comes near.
func generous() Config {
	return Config{
		ConnectionsMax: 1000, ConnectionsPerAddressMax: 1000, ReadingMax: 1, IdleMax: time.Minute, ReadHeaderMax: time.Minute,
		Refusals: map[int][]byte{}, Refused: prometheus.NewCounter(prometheus.CounterOpts{Name: "refused"}),
		Log: slog.New(slog.DiscardHandler), Now: time.Now,
	}
}

// oneReading puts a server behind an intake that reads one request at a time.
func oneReading(t *testing.T, handler http.HandlerFunc) (*Listener, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	in, err := Listen(l, generous())
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{ConnContext: ConnContext, ConnState: ConnState, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := Begin(r); !ok {
			t.Error("a request over the listener is none of it")
		}
		handler(w, r)
	})}
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(in) }) // ErrServerClosed, at the end
	t.Cleanup(func() {
		s.Close()
		serving.Wait()
	})
	return in, in.Addr().String()
}

// FH3.
func TestSlowClientsHoldNoPermit(t *testing.T) {
	in, addr := oneReading(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	for range 50 { // each sends half a request line and no more
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if _, err := io.WriteString(conn, "GET / HT"); err != nil {
			t.Fatal(err)
		}
	}
	c := client(t)
	for range 20 {
		if status, body := get(t, c, "http://"+addr+"/"); status != http.StatusOK || body != "ok" {
			t.Fatalf("%d %q", status, body)
		}
	}
	c.CloseIdleConnections()
	emptied(t, in)
}

func TestARequestInServiceHoldsNoPermit(t *testing.T) {
	release := make(chan struct{})
	in, addr := oneReading(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-release
		}
		fmt.Fprint(w, "ok")
	})
	var slow sync.WaitGroup
	for range 10 {
		slow.Go(func() {
			res, err := http.Get("http://" + addr + "/slow")
			if err != nil {
				t.Error(err)
				return
			}
			res.Body.Close()
		})
	}
	c := client(t)
	for range 20 {
		if status, _ := get(t, c, "http://"+addr+"/"); status != http.StatusOK {
			t.Fatal(status)
		}
	}
	close(release)
	slow.Wait()
	c.CloseIdleConnections()
	emptied(t, in)
}

// emptied waits until every permit has been given back.
func emptied(t *testing.T, in *Listener) {
	t.Helper()
	ask := time.NewTicker(time.Millisecond)
	defer ask.Stop()
	for deadline := time.Now().Add(5 * time.Second); len(in.reading) > 0; <-ask.C {
		if time.Now().After(deadline) {
			t.Fatalf("%d permits not given back within 5 s", len(in.reading))
		}
	}
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

// FH3.
func TestConnectionsBeyondTheCapWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := generous()
		cfg.ConnectionsMax, cfg.ConnectionsPerAddressMax = 2, 2
		l, err := Listen(endless{}, cfg)
		if err != nil {
			t.Fatal(err)
		}
		accepted, conns := make(chan error, 4), make(chan net.Conn, 4)
		accept := func() {
			conn, err := l.Accept()
			conns <- conn
			accepted <- err
		}
		for range 3 {
			go accept()
		}
		synctest.Wait()
		if len(accepted) != 2 {
			t.Errorf("%d accepted, want 2", len(accepted))
		}
		first := <-conns
		for range 2 { // twice is once
			first.Close()
		}
		if synctest.Wait(); len(accepted) != 3 {
			t.Errorf("%d accepted after one left, want 3", len(accepted))
		}
		go accept()
		l.Close()
		l.Close()
		for i := range 4 {
			if err := <-accepted; i < 3 && err != nil || i == 3 && !errors.Is(err, net.ErrClosed) {
				t.Errorf("accept %d: %v", i, err)
			}
		}
	})
}

// endless is a listener at which a connection always waits.
type endless struct{ net.Listener }

func (endless) Accept() (net.Conn, error) { return new(net.TCPConn), nil }
func (endless) Close() error              { return nil }

func TestClientIsAnAddressOrAnIPv6Network(t *testing.T) {
	for _, tt := range []struct{ addr, want string }{
		{"192.0.2.7", "192.0.2.7/32"}, {"::ffff:192.0.2.7", "192.0.2.7/32"}, {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
		{"2001:db8:1:2::9", "2001:db8:1:2::/64"}, {"2001:db8:1:3::9", "2001:db8:1:3::/64"}, {"::1", "::/64"},
	} {
		if got := clientOf(&net.TCPAddr{IP: net.ParseIP(tt.addr), Port: 1, Zone: ""}); got.String() != tt.want {
			t.Errorf("%s counts as %s, want %s", tt.addr, got, tt.want)
		}
	}
	if got := clientOf(&net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0"}); got.String() != "fe80::/64" {
		t.Errorf("an address with a zone counts as %s", got)
	}
}

func TestBoundsThatContradictAreRefused(t *testing.T) {
	for want, spoil := range map[string]func(*Config){
		"connections max >= 1":                                func(cfg *Config) { cfg.ConnectionsMax = 0 },
		"connections per address max <= connections max":      func(cfg *Config) { cfg.ConnectionsPerAddressMax = 1001 },
		"want 1 <= connections per address max":               func(cfg *Config) { cfg.ConnectionsPerAddressMax = 0 },
		"reading max >= 1":                                    func(cfg *Config) { cfg.ReadingMax = 0 },
		"idle max > 0":                                        func(cfg *Config) { cfg.IdleMax = 0 },
		"read header max > 0":                                 func(cfg *Config) { cfg.ReadHeaderMax = -1 },
		"the counter of refused connections, the log and the": func(cfg *Config) { cfg.Refused = nil },
	} {
		cfg := generous()
		spoil(&cfg)
		if _, err := Listen(endless{}, cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want it to say %q", err, want)
		}
	}
}
