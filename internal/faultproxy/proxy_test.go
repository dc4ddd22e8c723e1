package faultproxy_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hongbao/internal/faultproxy"
)

// echo answers every packet with the same packet and keeps what it read. It
// stands for a server where a test needs no database.
type echo struct {
	listener net.Listener
	mu       sync.Mutex
	seen     []string // text of statements, guarded by mu
}

func newEcho(t *testing.T) *echo {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &echo{listener: l}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { e.serve(conn) })
		}
	})
	t.Cleanup(func() { l.Close(); serving.Wait() })
	return e
}

func (e *echo) serve(conn net.Conn) {
	defer conn.Close()
	for {
		head := make([]byte, 4)
		if _, err := io.ReadFull(conn, head); err != nil {
			return
		}
		body := make([]byte, head[0])
		if _, err := io.ReadFull(conn, body); err != nil {
			return
		}
		e.mu.Lock()
		e.seen = append(e.seen, string(body[1:]))
		e.mu.Unlock()
		if _, err := conn.Write(append(head, body...)); err != nil {
			return
		}
	}
}

func (e *echo) has(statement string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Contains(e.seen, statement)
}

func newProxy(t *testing.T, e *echo) *faultproxy.Proxy {
	t.Helper()
	p, err := faultproxy.New(e.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func dial(t *testing.T, p *faultproxy.Proxy) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// ask sends a statement and waits for its answer, for a second at most.
func ask(conn net.Conn, command byte, statement string) error {
	packet := append([]byte{byte(1 + len(statement)), 0, 0, 0, command}, statement...)
	if _, err := conn.Write(packet); err != nil {
		return err
	}
	if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	if _, err := io.ReadFull(conn, packet); err != nil {
		return err
	}
	if got := string(packet[5:]); got != statement {
		return fmt.Errorf("answered %q", got)
	}
	return nil
}

const query, prepare = 0x03, 0x16

func TestEachWayHasItsDelay(t *testing.T) {
	p := newProxy(t, newEcho(t))
	conn := dial(t, p)
	const delay = 50 * time.Millisecond
	for _, c := range []struct{ there, back, want time.Duration }{{delay, 0, delay}, {0, delay, delay}, {delay, delay, 2 * delay}} {
		p.Delay(c.there, c.back)
		start := time.Now()
		if err := ask(conn, query, "SELECT 1"); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < c.want {
			t.Errorf("%v there and %v back: it took %v, want %v at least", c.there, c.back, took, c.want)
		}
	}
}

func TestOnlyStatementsAsTextAreFaulted(t *testing.T) {
	p := newProxy(t, newEcho(t))
	p.Lose(faultproxy.LostBefore, "SELECT")
	if err := ask(dial(t, p), prepare, "SELECT 1"); err != nil || p.Hits() != 0 {
		t.Errorf("a prepared statement: %v, %d faults happened", err, p.Hits())
	}
	if err := ask(dial(t, p), query, "SELECT 1"); err == nil || p.Hits() != 1 {
		t.Errorf("a statement: %v, %d faults happened", err, p.Hits())
	}
}

func TestAHeldStatementArrivesLater(t *testing.T) {
	e := newEcho(t)
	p := newProxy(t, e)
	const held = 100 * time.Millisecond
	p.Hold("COMMIT", held)
	start := time.Now()
	if err := ask(dial(t, p), query, "COMMIT"); err != nil || time.Since(start) < held || p.Hits() != 1 || !e.has("COMMIT") {
		t.Errorf("held: %v after %v, %d faults happened", err, time.Since(start), p.Hits())
	}
}

func TestAStalledStatementWaitsAlone(t *testing.T) {
	e := newEcho(t)
	p := newProxy(t, e)
	stall := p.Stall("COMMIT")
	answered := make(chan error, 1)
	conn := dial(t, p)
	go func() { answered <- ask(conn, query, "COMMIT") }()
	<-stall.Reached()
	if err := ask(dial(t, p), query, "COMMIT other"); err != nil {
		t.Errorf("another one: %v", err)
	}
	if e.has("COMMIT") {
		t.Error("the stalled statement has arrived")
	}
	stall.Release()
	stall.Release() // twice is once
	if err := <-answered; err != nil || !e.has("COMMIT") {
		t.Errorf("released: %v", err)
	}
}

// A Close that waited for one of these would never return.
func TestCloseEndsEveryWait(t *testing.T) {
	for name, begin := range map[string]func(p *faultproxy.Proxy){
		"idle":   func(*faultproxy.Proxy) {},
		"delay":  func(p *faultproxy.Proxy) { p.Delay(time.Hour, time.Hour) },
		"back":   func(p *faultproxy.Proxy) { p.Delay(0, time.Hour) },
		"hold":   func(p *faultproxy.Proxy) { p.Hold("SELECT", time.Hour) },
		"stall":  func(p *faultproxy.Proxy) { p.Stall("SELECT") },
		"frozen": func(p *faultproxy.Proxy) { p.Freeze(true) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newProxy(t, newEcho(t))
			begin(p)
			conn := dial(t, p)
			if name != "idle" {
				go func() { _, _ = conn.Write(append([]byte{9, 0, 0, 0, query}, "SELECT 1"...)) }()
				time.Sleep(20 * time.Millisecond)
			}
			p.Close()
			p.Close()
			if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("the connection goes on: %v", err)
			}
			if conn, err := net.Dial("tcp", p.Addr()); err == nil {
				conn.Close()
				t.Error("a new connection is accepted")
			}
		})
	}
}

func TestATargetThatIsGoneEndsItsClients(t *testing.T) {
	e := newEcho(t)
	e.listener.Close()
	if err := ask(dial(t, newProxy(t, e)), query, "SELECT 1"); err == nil {
		t.Error("a statement was answered")
	}
}

func TestNewRefusesWhatIsNoAddress(t *testing.T) {
	for _, target := range []string{"", "localhost", "a:b:c"} {
		if p, err := faultproxy.New(target); err == nil || !strings.Contains(err.Error(), "want the target as host:port") {
			t.Errorf("%q: %v", target, err)
			if p != nil {
				p.Close()
			}
		}
	}
}
