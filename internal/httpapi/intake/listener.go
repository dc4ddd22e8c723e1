package intake

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// ipv6ClientBits is how much of an IPv6 address names a client: providers give
// each of theirs a whole /64.
const ipv6ClientBits = 64

// A Listener is the public listener. It bounds three things:
//
// How many connections are open (open). The rest wait in the kernel's backlog,
// which costs nothing.
//
// How many of them come from one client address (perAddressMax). The rest are
// closed at once, so that one client does not take all connections.
//
// How many requests are being read at once (reading); the rest wait, in order,
// with their bytes in the kernel. Without it a storm on thousands of connections
// makes thousands of goroutines runnable, and the few that commit for all
// wait behind all of them at each of their round trips: the service would spend
// the storm refusing. A permit is taken when the bytes of a request arrive and
// given back when its handler starts, or when the rest of it has to be waited
// for: no client, however slow or hostile, can keep one.
type Listener struct {
	net.Listener
	open          chan struct{} // one element a connection
	reading       chan struct{} // one element a request being read
	perAddressMax int
	idleMax       time.Duration // until a connection's first byte
	readHeaderMax time.Duration // from there to its last header
	refusals      map[int][]byte
	crowded       *crowdedLog
	closed        chan struct{}
	close         func() error // once

	mu   sync.Mutex // held for one map operation
	from map[netip.Prefix]int
}

// Listen bounds what is accepted from l, which must be TCP. The Listener closes it.
func Listen(l net.Listener, cfg Config) (*Listener, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	in := &Listener{
		Listener: l, open: make(chan struct{}, cfg.ConnectionsMax), reading: make(chan struct{}, cfg.ReadingMax),
		perAddressMax: cfg.ConnectionsPerAddressMax, idleMax: cfg.IdleMax, readHeaderMax: cfg.ReadHeaderMax, refusals: cfg.Refusals,
		crowded: &crowdedLog{log: cfg.Log, now: cfg.Now, counter: cfg.Refused, max: cfg.ConnectionsPerAddressMax},
		closed:  make(chan struct{}), from: map[netip.Prefix]int{},
	}
	in.close = sync.OnceValue(func() error {
		close(in.closed)
		return l.Close()
	})
	return in, nil
}

// Accept returns the next connection of a client that may have one more.
func (in *Listener) Accept() (net.Conn, error) {
	select {
	case in.open <- struct{}{}:
	case <-in.closed:
		return nil, net.ErrClosed
	}
	for {
		conn, err := in.Listener.Accept()
		if err != nil {
			<-in.open
			return nil, err
		}
		tcp, ok := conn.(*net.TCPConn)
		if !ok {
			<-in.open
			return nil, errors.Join(fmt.Errorf("want TCP, have a connection of %s", conn.LocalAddr().Network()), conn.Close())
		}
		from := clientOf(tcp.RemoteAddr())
		if in.countIn(from) {
			return newConn(tcp, in, from), nil
		}
		in.crowded.refused(from)
		_ = tcp.SetLinger(0) // no state is kept for it, not even in the kernel
		_ = tcp.Close()      // what it says does not matter any more
	}
}

// clientOf is what counts as one client: an IPv4 address, or the /64 of an IPv6
// one.
func clientOf(addr net.Addr) netip.Prefix {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	bits := ip.BitLen()
	if ip.Is6() {
		bits = ipv6ClientBits
	}
	from, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return from
}

// countIn counts a connection, unless its client has all it may have.
func (in *Listener) countIn(from netip.Prefix) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.from[from] >= in.perAddressMax {
		return false
	}
	in.from[from]++
	return true
}

// countOut ends the count of a connection; a connection ends exactly once.
func (in *Listener) countOut(from netip.Prefix) {
	in.mu.Lock()
	if in.from[from]--; in.from[from] == 0 {
		delete(in.from, from)
	}
	in.mu.Unlock()
	<-in.open
}

// Close ends Accept; connections that were accepted stay.
func (in *Listener) Close() error { return in.close() }

// crowdedEvery is how often the log names an address that is at its bound: once
// says what to do, the metric counts the rest.
const crowdedEvery = time.Minute

// crowdedLog reports connections that were closed because their address had all
// it may have: of one client that is an attack, of a proxy a setting.
type crowdedLog struct {
	log     *slog.Logger
	now     func() time.Time
	counter prometheus.Counter
	max     int

	mu   sync.Mutex
	last time.Time
}

func (c *crowdedLog) refused(from netip.Prefix) {
	c.counter.Inc()
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now(); now.Sub(c.last) >= crowdedEvery {
		c.last = now
		c.log.Warn("connections are closed at once: their address has all it may have; behind a proxy raise listen.connections_per_address_max",
			slog.String("address", from.String()), slog.Int("connections_per_address_max", c.max))
	}
}
