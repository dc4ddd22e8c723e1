package wire

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// peer accepts connections and lets each request be answered by script; it
// returns its address and how many connections it has seen.
func peer(t *testing.T, script func(conn net.Conn, nth int)) (addr string, seen *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	seen = new(atomic.Int32)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			seen.Add(1)
			serving.Go(func() {
				defer conn.Close()
				r := bufio.NewReader(conn)
				for nth := 0; ; nth++ {
					if _, err := http.ReadRequest(r); err != nil {
						return
					}
					script(conn, nth)
				}
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
	})
	return l.Addr().String(), seen
}

func say(t *testing.T, conn net.Conn, text string) {
	if _, err := conn.Write([]byte(text)); err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
		t.Error(err)
	}
}

const (
	testHead = "POST /v1/envelopes/1/open HTTP/1.1\r\nHost: h\r\n"
	testTail = "Content-Length: 0\r\n\r\n"
	okAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
)

func testWire(t *testing.T, addr string, answerMax time.Duration) *Conn {
	w := New(addr, time.Now(), answerMax)
	t.Cleanup(w.Close)
	return w
}

func ask(w *Conn) (Answer, error) {
	return w.Ask(time.Since(w.began), []byte(testHead), []byte(testTail))
}

func TestAWireKeepsItsConnection(t *testing.T) {
	addr, seen := peer(t, func(conn net.Conn, _ int) { say(t, conn, okAnswer) })
	w := testWire(t, addr, time.Second)
	for range 10 {
		if a, err := ask(w); err != nil || a.Status != 200 || string(a.Body) != "ok" {
			t.Fatalf("answered %+v, %v", a, err)
		}
	}
	if seen.Load() != 1 {
		t.Errorf("10 requests took %d connections, want 1", seen.Load())
	}
}

func TestAWireLeavesAConnectionThatCloses(t *testing.T) {
	addr, seen := peer(t, func(conn net.Conn, _ int) {
		say(t, conn, "HTTP/1.1 503 x\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n")
	})
	w := testWire(t, addr, time.Second)
	for range 3 {
		if a, err := ask(w); err != nil || a.Status != 503 || a.RetryAfter != 1 {
			t.Fatalf("answered %+v, %v", a, err)
		}
	}
	if seen.Load() != 3 {
		t.Errorf("3 answers that close took %d connections", seen.Load())
	}
}

func TestWireChecksIdleConnections(t *testing.T) {
	var conns sync.Map
	addr, seen := peer(t, func(conn net.Conn, _ int) {
		say(t, conn, okAnswer)
		conns.Store(conn, true)
	})
	w := testWire(t, addr, 10*time.Second)
	now := time.Since(w.began)
	later := func() time.Duration { now += 2 * idleTrusted; return now }
	for range 2 { // idle, and still there
		if _, err := w.Ask(later(), []byte(testHead), []byte(testTail)); err != nil || seen.Load() != 1 {
			t.Fatalf("%v over connection %d", err, seen.Load())
		}
	}
	conns.Range(func(conn, _ any) bool { return conn.(net.Conn).Close() == nil })
	for hung := false; !hung; { // its end arrives when it arrives
		hung = hungUp(w.conn)
	}
	if _, err := w.Ask(later(), []byte(testHead), []byte(testTail)); err != nil || seen.Load() != 2 {
		t.Errorf("%v over connection %d, want an answer over the second", err, seen.Load())
	}
}

func TestAWireReadsAnswersInPieces(t *testing.T) {
	body := strings.Repeat("x", 3*answerUsual)
	addr, _ := peer(t, func(conn net.Conn, _ int) {
		for _, piece := range []string{"HTTP/1.1 200 OK\r\nCont", "ent-Length: 3072\r\n\r", "\n" + body[:100], body[100:]} {
			say(t, conn, piece)
		}
	})
	if a, err := ask(testWire(t, addr, time.Second)); err != nil || string(a.Body) != body {
		t.Fatalf("answered %d with %d bytes, %v", a.Status, len(a.Body), err)
	}
}

func TestRefusedConnectionIsUnreached(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	if _, err := ask(testWire(t, addr, time.Second)); !errors.Is(err, ErrUnreached) {
		t.Errorf("asking nobody: %v, want ErrUnreached", err)
	}
}

func TestMissingAnswerIsUnknown(t *testing.T) {
	for name, script := range map[string]func(net.Conn, int){
		"silence":      func(net.Conn, int) {},
		"hanging up":   func(conn net.Conn, _ int) { conn.Close() },
		"half of it":   func(conn net.Conn, _ int) { say(t, conn, okAnswer[:20]); conn.Close() },
		"no HTTP":      func(conn net.Conn, _ int) { say(t, conn, "hello") },
		"more than it": func(conn net.Conn, _ int) { say(t, conn, okAnswer+okAnswer) },
	} {
		addr, seen := peer(t, script)
		w := testWire(t, addr, 50*time.Millisecond)
		_, err := ask(w)
		if err == nil || errors.Is(err, ErrUnreached) {
			t.Errorf("%s: %v, want an error of unknown outcome", name, err)
		}
		if _, err := ask(w); err == nil {
			t.Errorf("%s: answered the second time", name)
		}
		if seen.Load() != 2 {
			t.Errorf("%s: two requests used %d connections, want a new one after the error", name, seen.Load())
		}
	}
}
