package faultproxy

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	dialMax       = 5 * time.Second // until the target accepts a connection
	packetHeader  = 4               // bytes
	packetMax     = 16 << 20        // bytes; a longer statement comes in several packets
	answerPart    = 64 << 10        // bytes read from the server at once
	frozenPolling = 5 * time.Millisecond
)

// Proxy forwards connections to one target.
type Proxy struct {
	listener net.Listener
	target   string
	there    atomic.Int64 // nanoseconds, before each packet to the server
	back     atomic.Int64 // nanoseconds, before each part of an answer
	frozen   atomic.Bool
	done     chan struct{} // closed by Close: nothing waits any longer
	closing  sync.Once
	running  sync.WaitGroup

	plan // of faults

	mu     sync.Mutex // guards the fields below
	closed bool
	conns  map[*pair]struct{}
}

// pair is one client's connection and its half to the server.
type pair struct {
	client, server net.Conn
	dropAnswers    atomic.Bool
}

func (c *pair) close() {
	c.client.Close()
	c.server.Close()
}

// New forwards from a loopback port of its own to target, a host and port.
func New(target string) (*Proxy, error) {
	if _, _, err := net.SplitHostPort(target); err != nil {
		return nil, fmt.Errorf("faultproxy: want the target as host:port: %w", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("faultproxy: %w", err)
	}
	p := &Proxy{listener: l, target: target, done: make(chan struct{}), conns: map[*pair]struct{}{}}
	p.running.Go(p.accept)
	return p, nil
}

// Addr is where clients connect.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Close refuses new connections, ends those there are with everything that is
// held, stalled or frozen, and waits until they are gone.
func (p *Proxy) Close() {
	p.closing.Do(func() {
		close(p.done)
		p.listener.Close()
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		p.Cut()
	})
	p.running.Wait()
}

// Delay holds back every packet to the server and every part of an answer.
func (p *Proxy) Delay(there, back time.Duration) {
	p.there.Store(int64(there))
	p.back.Store(int64(back))
}

// Freeze makes the proxy forward nothing, like a host that hangs. Thawed, it
// drops the connections it held.
func (p *Proxy) Freeze(frozen bool) {
	p.frozen.Store(frozen)
	if !frozen {
		p.Cut()
	}
}

// Cut closes every connection; new ones are forwarded.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.close()
	}
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.DialTimeout("tcp", p.target, dialMax)
		if err != nil {
			client.Close()
			continue
		}
		p.join(&pair{client: client, server: server})
	}
}

// join forwards both ways until one of them ends.
func (p *Proxy) join(c *pair) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		c.close()
		return
	}
	p.conns[c] = struct{}{}
	var halves sync.WaitGroup
	halves.Go(func() { p.statements(c) })
	halves.Go(func() { p.answers(c) })
	p.running.Go(func() {
		halves.Wait()
		p.mu.Lock()
		delete(p.conns, c)
		p.mu.Unlock()
	})
}

// statements forwards the client's packets one by one.
func (p *Proxy) statements(c *pair) {
	defer c.close()
	for {
		packet, err := readPacket(c.client)
		if err != nil || !p.wait(&p.there) || !p.await(p.stalled(packet[packetHeader:])) {
			return
		}
		f := p.meet(packet[packetHeader:])
		if !p.pause(f.hold) {
			return
		}
		switch f.lost {
		case LostBefore:
			return
		case LostAfter:
			c.dropAnswers.Store(true)
		}
		if _, err := c.server.Write(packet); err != nil {
			return
		}
	}
}

// readPacket reads one packet with its header.
func readPacket(from io.Reader) ([]byte, error) {
	head := make([]byte, packetHeader)
	if _, err := io.ReadFull(from, head); err != nil {
		return nil, err
	}
	n := int(binary.LittleEndian.Uint32([]byte{head[0], head[1], head[2], 0}))
	if n >= packetMax-1 {
		return nil, fmt.Errorf("want a packet of less than %d bytes, have %d", packetMax-1, n)
	}
	packet := append(head, make([]byte, n)...)
	_, err := io.ReadFull(from, packet[packetHeader:])
	return packet, err
}

// answers forwards the server's bytes. The first ones after a LostAfter prove
// that the statement was carried out; the client does not get them.
func (p *Proxy) answers(c *pair) {
	defer c.close()
	buf := make([]byte, answerPart)
	for {
		n, err := c.server.Read(buf)
		if err != nil || c.dropAnswers.Load() || !p.wait(&p.back) {
			return
		}
		if _, err := c.client.Write(buf[:n]); err != nil {
			return
		}
	}
}

// wait is the delay of one direction, and as long as the proxy is frozen. It
// reports whether there is still a proxy afterwards.
func (p *Proxy) wait(delay *atomic.Int64) bool {
	if !p.pause(time.Duration(delay.Load())) {
		return false
	}
	for p.frozen.Load() {
		if !p.pause(frozenPolling) {
			return false
		}
	}
	return true
}

// await waits until s is released. It reports whether there is still a proxy
// afterwards.
func (p *Proxy) await(s *Stall) bool {
	if s == nil {
		return true
	}
	close(s.reached)
	select {
	case <-s.released:
		return true
	case <-p.done:
		return false
	}
}

// pause waits for d, or until the proxy is closed, which it reports as false.
func (p *Proxy) pause(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.done:
		return false
	}
}
