package httpapi

import (
	"net"
	"net/http"
	"sync"
)

// cappedListener accepts only while fewer than cap(slots) of its connections are
// open. The rest wait in the kernel's backlog, which costs us nothing.
//
// The server's ConnState hook gives the slots back. Wrapping the connections
// would hide their CloseWrite from net/http, and refused bodies would then cost
// callers the refusal.
type cappedListener struct {
	net.Listener
	slots  chan struct{}
	closed chan struct{}
	close  func() error // once
}

func capConnections(l net.Listener, connectionsMax int) *cappedListener {
	c := &cappedListener{Listener: l, slots: make(chan struct{}, connectionsMax), closed: make(chan struct{})}
	c.close = sync.OnceValue(func() error {
		close(c.closed)
		return l.Close()
	})
	return c
}

func (l *cappedListener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
	}
	return conn, err
}

// connState is the server's hook: a connection ends exactly once.
func (l *cappedListener) connState(_ net.Conn, s http.ConnState) {
	if s == http.StateClosed || s == http.StateHijacked {
		<-l.slots
	}
}

func (l *cappedListener) Close() error { return l.close() }
