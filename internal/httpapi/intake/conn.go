package intake

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// tcpConn is one connection of the public listener. It embeds the TCP connection
// whole, so that net/http still finds its CloseWrite.
//
// It knows three things that net/http does not say: whether a handler is at
// work, so that it can hold a permit to read only while a request is read;
// what framing the head of the request announced; and that net/http is about to
// refuse a request by itself, which it replaces by the answer of the configuration.
type tcpConn struct {
	*net.TCPConn
	in    *Listener
	from  netip.Prefix // what its client counts as
	close func() error // once

	opened time.Time

	mu      sync.Mutex    // guards what follows; held for a few instructions
	holding bool          // a permit to read
	serving bool          // from the start of a handler to the end of its answer
	head    Head          // of the request that is being read
	begun   bool          // the first byte of the first request has come
	late    time.Duration // how long after the accept it came; 0 once the first request is answered
}

func newConn(conn *net.TCPConn, in *Listener, from netip.Prefix) *tcpConn {
	c := &tcpConn{TCPConn: conn, in: in, from: from, opened: time.Now()}
	c.close = sync.OnceValue(func() error {
		c.release()
		err := c.TCPConn.Close()
		c.in.countOut(c.from)
		return err
	})
	return c
}

func (c *tcpConn) Read(b []byte) (int, error) {
	c.release()
	n, err := c.TCPConn.Read(b)
	if n > 0 {
		if err := c.begins(); err != nil {
			return 0, err
		}
		c.arrived(b[:n])
	}
	return n, err
}

// SetReadDeadline lets a new connection be quiet for as long as a kept one. net/http
// counts the time of the first request from the accept, but clients open connections
// ahead of need, and one that is closed under them as they begin to use it is an
// error that they must not retry. So until the first byte the idle time counts, and
// what net/http sets for the first request is moved by what that byte took.
func (c *tcpConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case t.IsZero():
	case !c.begun:
		t = c.opened.Add(c.in.idleMax)
	default:
		t = t.Add(c.late)
	}
	return c.TCPConn.SetReadDeadline(t)
}

// begins notes when the first byte has come: from now on the head has its time.
func (c *tcpConn) begins() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.begun {
		return nil
	}
	now := time.Now()
	c.begun, c.late = true, now.Sub(c.opened)
	return c.TCPConn.SetReadDeadline(now.Add(c.in.readHeaderMax))
}

// arrived takes a permit for a request that is being read. While a handler works
// none is taken: what arrives then is the body, which has its own bounds, or a
// request that was pipelined, which waits for its turn. net/http watches the
// connection for its end from just before the handler starts; if the watch and
// the start cross, one of them sees the other and gives the permit back.
func (c *tcpConn) arrived(b []byte) {
	c.mu.Lock()
	serving := c.serving
	if !serving {
		c.head.scan(b)
	}
	c.mu.Unlock()
	if serving {
		return
	}
	c.in.reading <- struct{}{}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.serving {
		<-c.in.reading
		return
	}
	c.holding = true
}

// release gives the permit back.
func (c *tcpConn) release() {
	c.mu.Lock()
	held := c.holding
	c.holding = false
	c.mu.Unlock()
	if held {
		<-c.in.reading
	}
}

// begin marks the start of a handler and returns what framing its request's
// head announced.
func (c *tcpConn) begin() Head {
	c.mu.Lock()
	c.serving = true
	head := c.head
	c.mu.Unlock()
	c.release()
	return head
}

// idle marks the end of an answer: the next bytes begin a request.
func (c *tcpConn) idle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serving, c.head, c.late = false, Head{}, 0
}

// Write gives the permit back first: a client that does not read must not hold
// one. Outside of a handler it is net/http that writes, to refuse a request that
// is none.
func (c *tcpConn) Write(b []byte) (int, error) {
	c.release()
	c.mu.Lock()
	serving := c.serving
	c.mu.Unlock()
	if serving {
		return c.TCPConn.Write(b)
	}
	if _, err := c.TCPConn.Write(c.in.replaced(b)); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (c *tcpConn) Close() error { return c.close() }

// replaced is the configured answer instead of one of net/http, which writes each
// at once and whole, and closes the connection after it.
func (in *Listener) replaced(answer []byte) []byte {
	const version, digits = "HTTP/1.1 ", 3
	if !bytes.HasPrefix(answer, []byte(version)) || len(answer) < len(version)+digits {
		return answer
	}
	status, err := strconv.Atoi(string(answer[len(version) : len(version)+digits]))
	if ours, ok := in.refusals[status]; err == nil && ok {
		return ours
	}
	return answer
}

type connKey struct{}

// ConnContext is the hook of that name of the server on a [Listener].
func ConnContext(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, conn)
}

// ConnState is the hook of that name of the server on a [Listener]: an answer has
// ended when its connection is idle again.
func ConnState(conn net.Conn, s http.ConnState) {
	if c, ok := conn.(*tcpConn); ok && s == http.StateIdle {
		c.idle()
	}
}

// Begin marks the start of a handler, which must call it first, and returns what
// framing the head of its request announced. It is false for a request that came
// over no connection of a [Listener], as in a test.
func Begin(r *http.Request) (Head, bool) {
	c, ok := r.Context().Value(connKey{}).(*tcpConn)
	if !ok {
		return Head{}, false
	}
	return c.begin(), true
}
