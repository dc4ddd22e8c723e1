package httpapi

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// publicConn is one connection of the public listener. It embeds the TCP
// connection whole, so that net/http still finds its CloseWrite.
//
// It knows three things that net/http does not say: whether a handler is at
// work, so that it can hold a place of the intake only while a request is read;
// what framing the head of the request announced; and that net/http is about to
// refuse a request in its own words, which it puts into ours.
type publicConn struct {
	*net.TCPConn
	door  *door
	from  netip.Prefix // what its client counts as
	close func() error // once

	opened time.Time

	mu      sync.Mutex    // guards what follows; held for a few instructions
	holding bool          // a place of the intake
	serving bool          // from the start of a handler to the end of its answer
	head    headScan      // of the request that is being read
	begun   bool          // the first byte of the first request has come
	late    time.Duration // how long after the accept it came; 0 once the first request is answered
}

func newPublicConn(conn *net.TCPConn, d *door, from netip.Prefix) *publicConn {
	c := &publicConn{TCPConn: conn, door: d, from: from, opened: time.Now()}
	c.close = sync.OnceValue(func() error {
		c.leave()
		err := c.TCPConn.Close()
		c.door.left(c.from)
		return err
	})
	return c
}

func (c *publicConn) Read(b []byte) (int, error) {
	c.leave()
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
func (c *publicConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case t.IsZero():
	case !c.begun:
		t = c.opened.Add(c.door.idleMax)
	default:
		t = t.Add(c.late)
	}
	return c.TCPConn.SetReadDeadline(t)
}

// begins notes when the first byte has come: from now on the head has its time.
func (c *publicConn) begins() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.begun {
		return nil
	}
	now := time.Now()
	c.begun, c.late = true, now.Sub(c.opened)
	return c.TCPConn.SetReadDeadline(now.Add(c.door.readHeaderMax))
}

// arrived takes a place for a request that is being read. While a handler works
// none is taken: what arrives then is the body, which has its own bounds, or a
// request that was pipelined, which waits for its turn. net/http watches the
// connection for its end from just before the handler starts; if the watch and
// the start cross, one of them sees the other and gives the place back.
func (c *publicConn) arrived(b []byte) {
	c.mu.Lock()
	serving := c.serving
	if !serving {
		c.head.scan(b)
	}
	c.mu.Unlock()
	if serving {
		return
	}
	c.door.places <- struct{}{}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.serving {
		<-c.door.places
		return
	}
	c.holding = true
}

// leave gives the place back.
func (c *publicConn) leave() {
	c.mu.Lock()
	held := c.holding
	c.holding = false
	c.mu.Unlock()
	if held {
		<-c.door.places
	}
}

// begin marks the start of a handler and returns what framing its request's
// head announced.
func (c *publicConn) begin() headScan {
	c.mu.Lock()
	c.serving = true
	head := c.head
	c.mu.Unlock()
	c.leave()
	return head
}

// idle marks the end of an answer: the next bytes begin a request.
func (c *publicConn) idle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serving, c.head, c.late = false, headScan{}, 0
}

// Write gives the place back first: a client that does not read must not hold
// one. Outside of a handler it is net/http that writes, to refuse a request that
// is none.
func (c *publicConn) Write(b []byte) (int, error) {
	c.leave()
	c.mu.Lock()
	serving := c.serving
	c.mu.Unlock()
	if serving {
		return c.TCPConn.Write(b)
	}
	if _, err := c.TCPConn.Write(c.door.refusals.inOurWords(b)); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (c *publicConn) Close() error { return c.close() }

type connKey struct{}

// withConn is the server's ConnContext.
func withConn(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, conn)
}

// connOf is the connection of a request; nil where a test calls the handler
// without one.
func connOf(r *http.Request) *publicConn {
	c, _ := r.Context().Value(connKey{}).(*publicConn)
	return c
}

// connState is the server's hook: an answer has ended when its connection is
// idle again.
func connState(conn net.Conn, s http.ConnState) {
	if c, ok := conn.(*publicConn); ok && s == http.StateIdle {
		c.idle()
	}
}
