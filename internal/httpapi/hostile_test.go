package httpapi

import (
	"math"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// FS17: connections that pipeline requests and never read an answer, and ones
// that send what is no request, cost other clients nothing.
func TestClientsThatNeverReadDelayNoOther(t *testing.T) {
	const (
		hostile = 200
		p99Max  = 50 * time.Millisecond
	)
	const good = "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
	for name, sent := range map[string]string{
		"large answers":                          strings.Repeat("GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n", 400),
		"refusals":                               strings.Repeat("POST /v1/envelopes HTTP/1.1\r\nHost: x\r\n\r\n", 5000),
		"with a body":                            strings.Repeat("POST /v1/payment/notifications HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 5000),
		"a header that is too large":             "GET / HTTP/1.1\r\nX: " + strings.Repeat("a", 16<<10),
		"and then a header that is too large":    good + "GET / HTTP/1.1\r\nX: " + strings.Repeat("a", 16<<10),
		"and then what is no request, unhurried": good + "\x00" + "no request\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			a, _ := newAPI(t, &stubTeller{})
			r := start(t, a, nil)
			c := client(t)
			c.Timeout = 5 * time.Second
			// A machine that others use is slow by itself: beyond the bound, what
			// counts is what the same number of clients costs that do read.
			end := crowd(t, r.public, hostile, good, true)
			friendly := p99OfBestRound(t, c, r.public)
			end()
			end = crowd(t, r.public, hostile, sent, false)
			attacked := p99OfBestRound(t, c, r.public)
			end()
			if attacked > max(p99Max, 5*friendly) {
				t.Errorf("p99 of others is %v, want at most %v (%v among as many friendly clients)", attacked, p99Max, friendly)
			}
		})
	}
}

// crowd keeps n connections: each sends, reads one answer or nothing, and is
// replaced by a new one after a while, until that is ended.
func crowd(t *testing.T, addr string, n int, sent string, reads bool) (end func()) {
	t.Helper()
	const every = 500 * time.Millisecond
	wire := []byte(sent) // one for all: what the crowd itself costs must not be what is measured
	done := make(chan struct{})
	var clients sync.WaitGroup
	for range n {
		clients.Go(func() {
			for {
				conn, err := net.Dial("tcp", addr)
				if err != nil {
					return // the server has ended
				}
				over := time.AfterFunc(every, func() { conn.Close() })
				_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10) // the less it takes, the sooner the server cannot write
				for part := range slices.Chunk(wire, 8<<10) {  // ends with the server's patience, or with ours
					if _, err := conn.Write(part); err != nil {
						break
					}
				}
				if reads {
					_, _ = conn.Read(make([]byte, 4<<10))
				}
				select {
				case <-done:
					over.Stop()
					conn.Close()
					return
				case <-time.After(every):
				}
			}
		})
	}
	return func() { close(done); clients.Wait() }
}

// p99OfBestRound is the p99 of the calmest of some rounds of requests: what else
// the machine does comes and goes, an attack stays.
func p99OfBestRound(t *testing.T, c *http.Client, addr string) time.Duration {
	t.Helper()
	const rounds, requests = 5, 100
	best := time.Duration(math.MaxInt64)
	for range rounds {
		var took []time.Duration
		for range requests {
			start := time.Now()
			if status, body := get(t, c, "http://"+addr+"/nothing"); status != http.StatusNotFound {
				t.Fatal(status, body)
			}
			took = append(took, time.Since(start))
		}
		slices.Sort(took)
		best = min(best, took[requests*99/100-1])
	}
	return best
}
