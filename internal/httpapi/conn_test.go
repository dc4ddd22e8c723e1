package httpapi

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	dto "github.com/prometheus/client_model/go"
)

// FS17: one client address cannot take all connections.
func TestConnectionsOfOneAddressHaveABound(t *testing.T) {
	a, logged := newAPI(t, &stubTeller{})
	r := start(t, a, func(cfg *ServerConfig) { cfg.ConnectionsMax, cfg.ConnectionsPerAddressMax = 10, 4 })
	from := func(address string) (net.Conn, error) {
		t.Helper()
		conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}).Dial("tcp", r.public)
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { conn.Close() })
		if _, err := io.WriteString(conn, "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			return conn, err
		}
		_, err = conn.Read(make([]byte, 1<<10))
		return conn, err
	}
	var open []net.Conn
	for range 4 {
		conn, err := from("127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, conn)
	}
	for range 20 {
		if _, err := from("127.0.0.1"); err == nil {
			t.Fatal("a fifth connection of one address was served")
		}
	}
	if _, err := from("127.0.0.2"); err != nil {
		t.Errorf("another address: %v", err)
	}
	if lines := strings.Count(logged.String(), "127.0.0.1/32"); lines != 1 {
		t.Errorf("the address is in the log %d times, want once: %s", lines, logged)
	}
	open[0].Close()
	await(t, "a connection after one has ended", func() bool { _, err := from("127.0.0.1"); return err == nil })
}

// A connection whose client takes no answer ends with the time to write one.
func TestAConnectionThatIsNotReadIsClosed(t *testing.T) {
	a, _ := newAPI(t, &stubTeller{})
	a.cfg.AnswerMax = 50 * time.Millisecond
	a.engine.GET("/endless", func(c *gin.Context) {
		for {
			if _, err := c.Writer.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
	})
	r := start(t, a, func(cfg *ServerConfig) {
		cfg.ReadHeaderMax, cfg.ReadMax, cfg.WriteMax = 50*time.Millisecond, 100*time.Millisecond, 300*time.Millisecond
	})
	conn, err := net.Dial("tcp", r.public)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /endless HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	await(t, "the answer has ended", func() bool { return inFlight(t, a) == 0 })
}

func inFlight(t *testing.T, a *API) float64 {
	t.Helper()
	var m dto.Metric
	if err := a.requests.inFlight.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetGauge().GetValue()
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ask := time.NewTicker(time.Millisecond)
	defer ask.Stop()
	for deadline := time.Now().Add(5 * time.Second); !holds(); <-ask.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 5 s", what)
		}
	}
}

// FS25: clients open connections ahead of need. One that is closed while its first
// request is on the way is an error to them, and not one that they may retry.
func TestANewConnectionMayBeQuiet(t *testing.T) {
	const quiet = 600 * time.Millisecond
	a, _ := newAPI(t, &stubTeller{})
	a.cfg.AnswerMax = 100 * time.Millisecond
	r := start(t, a, func(cfg *ServerConfig) {
		cfg.ReadHeaderMax, cfg.ReadMax, cfg.WriteMax, cfg.IdleMax = 200*time.Millisecond, 400*time.Millisecond, time.Second, 20*time.Second
	})
	head := "POST /v1/envelopes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + tokenFor(t, "alice", "") +
		"\r\nIdempotency-Key: k\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n"
	for name, tt := range map[string]struct {
		parts []string // 50 ms apart
		want  string
	}{
		"a request":          {[]string{head + "{}"}, "HTTP/1.1 400 "},
		"in three parts":     {[]string{head[:40], head[40:] + "{", "}"}, "HTTP/1.1 400 "},
		"a head without end": {[]string{head[:len(head)-2]}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", r.public)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			time.Sleep(quiet)
			for _, part := range tt.parts {
				if _, err := io.WriteString(conn, part); err != nil {
					t.Fatal(err)
				}
				time.Sleep(50 * time.Millisecond)
			}
			if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			answer := make([]byte, len("HTTP/1.1 400 "))
			n, err := io.ReadFull(conn, answer)
			if got := string(answer[:n]); got != tt.want || tt.want == "" && err != io.EOF {
				t.Errorf("%q, %v; want %q", got, err, tt.want)
			}
		})
	}
}
