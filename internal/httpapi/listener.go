package httpapi

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

// door is the public listener. It bounds three things:
//
// How many connections are open (slots). The rest wait in the kernel's backlog,
// which costs nothing.
//
// How many of them come from one client address (perAddressMax). The rest are
// closed at once, so that one client does not take all slots.
//
// How many requests are being read at once (places); the rest wait, in order,
// with their bytes in the kernel. Without it a storm on thousands of connections
// makes thousands of goroutines runnable, and the few that commit for all
// wait behind all of them at each of their round trips: the service would spend
// the storm refusing. A place is taken when the bytes of a request arrive and
// given back when its handler starts, or when the rest of it has to be waited
// for: no client, however slow or hostile, can keep one.
type door struct {
	net.Listener
	slots         chan struct{}
	places        chan struct{}
	perAddressMax int
	idleMax       time.Duration // until a connection's first byte
	readHeaderMax time.Duration // from there to its last header
	refusals      ownRefusals
	crowded       *crowdedLog
	closed        chan struct{}
	close         func() error // once

	mu   sync.Mutex // held for one map operation
	from map[netip.Prefix]int
}

type doorConfig struct {
	connectionsMax, perAddressMax, readingMax int
	idleMax, readHeaderMax                    time.Duration
	crowded                                   *crowdedLog
}

func newDoor(l net.Listener, cfg doorConfig) *door {
	d := &door{
		Listener: l, slots: make(chan struct{}, cfg.connectionsMax), places: make(chan struct{}, cfg.readingMax),
		perAddressMax: cfg.perAddressMax, idleMax: cfg.idleMax, readHeaderMax: cfg.readHeaderMax, refusals: newOwnRefusals(), crowded: cfg.crowded,
		closed: make(chan struct{}), from: map[netip.Prefix]int{},
	}
	d.close = sync.OnceValue(func() error {
		close(d.closed)
		return l.Close()
	})
	return d
}

// Accept returns the next connection of a client that may have one more.
func (d *door) Accept() (net.Conn, error) {
	select {
	case d.slots <- struct{}{}:
	case <-d.closed:
		return nil, net.ErrClosed
	}
	for {
		conn, err := d.Listener.Accept()
		if err != nil {
			<-d.slots
			return nil, err
		}
		tcp, ok := conn.(*net.TCPConn)
		if !ok {
			<-d.slots
			return nil, errors.Join(fmt.Errorf("want TCP, have a connection of %s", conn.LocalAddr().Network()), conn.Close())
		}
		from := clientOf(tcp.RemoteAddr())
		if d.entered(from) {
			return newPublicConn(tcp, d, from), nil
		}
		d.crowded.refused(from)
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

// entered counts a connection in, unless its client has all it may have.
func (d *door) entered(from netip.Prefix) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.from[from] >= d.perAddressMax {
		return false
	}
	d.from[from]++
	return true
}

// left counts it out; a connection ends exactly once.
func (d *door) left(from netip.Prefix) {
	d.mu.Lock()
	if d.from[from]--; d.from[from] == 0 {
		delete(d.from, from)
	}
	d.mu.Unlock()
	<-d.slots
}

func (d *door) Close() error { return d.close() }

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
