package httpapi

import (
	"net"
	"sync/atomic"
)

// intake bounds how many requests are being read and refused at once; the rest
// wait, in order, with their bytes in the kernel. Without it a storm on
// thousands of connections makes thousands of goroutines runnable, and the few
// that commit for everybody wait behind all of them at each of their round
// trips: the service would spend the storm refusing.
//
// A place is taken when a connection's bytes arrive and given back when the
// connection is next read: by net/http's watch for hang-ups as the handler
// starts, or for the rest of a request. So nobody holds a place while waiting
// for a slow client, a queue or a database.
type intake struct {
	net.Listener
	places chan struct{}
}

func newIntake(l net.Listener, readingMax int) *intake {
	return &intake{Listener: l, places: make(chan struct{}, readingMax)}
}

func (in *intake) Accept() (net.Conn, error) {
	conn, err := in.Listener.Accept()
	if tcp, ok := conn.(*net.TCPConn); ok && err == nil {
		return &queuedConn{TCPConn: tcp, places: in.places}, nil
	}
	return conn, err
}

// queuedConn is one connection of an intake. It embeds the TCP connection whole,
// so that net/http still finds its CloseWrite.
type queuedConn struct {
	*net.TCPConn
	places  chan struct{}
	holding atomic.Bool
}

func (c *queuedConn) Read(b []byte) (int, error) {
	c.leave()
	n, err := c.TCPConn.Read(b)
	if n > 0 && c.holding.CompareAndSwap(false, true) {
		c.places <- struct{}{}
	}
	return n, err
}

func (c *queuedConn) Close() error {
	c.leave()
	return c.TCPConn.Close()
}

func (c *queuedConn) leave() {
	if c.holding.CompareAndSwap(true, false) {
		<-c.places
	}
}
