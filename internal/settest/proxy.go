package settest

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Fault is where a statement is lost. The two come in pairs: the client cannot
// tell them apart, the books can.
type Fault int

const (
	// LostBefore drops the statement: the server never sees it.
	LostBefore Fault = iota + 1
	// LostAfter lets the server carry the statement out and drops its answer.
	LostAfter
)

// Proxy stands between an order server and a database and loses what it is
// told to lose. It reads the client's half of the MySQL protocol, so that it
// can single out one statement.
type Proxy struct {
	listener net.Listener
	target   string
	delay    atomic.Int64 // nanoseconds, before each statement is forwarded
	frozen   atomic.Bool  // accepts and forwards nothing
	hits     atomic.Int64

	mu     sync.Mutex // guards the fields below
	plan   []plannedFault
	stalls []*Stall
	conns  map[*proxied]struct{}
}

type plannedFault struct {
	fault  Fault
	prefix []byte
	hold   time.Duration
}

// proxied is one client connection and its other half.
type proxied struct {
	client, server net.Conn
	dropAnswers    atomic.Bool
}

func (c *proxied) close() {
	c.client.Close()
	c.server.Close()
}

// NewProxy forwards to target until the test ends.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: l, target: target, conns: map[*proxied]struct{}{}}
	var serving sync.WaitGroup
	serving.Go(func() { p.accept(&serving) })
	t.Cleanup(func() {
		l.Close()
		p.Cut()
		serving.Wait()
	})
	return p
}

// Addr is where clients connect.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Lose plans a fault for the next statement that begins with prefix, on any
// connection. Plans are used up in the order they were made.
func (p *Proxy) Lose(f Fault, prefix string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plan = append(p.plan, plannedFault{fault: f, prefix: []byte(prefix)})
}

// Hold plans to keep the next statement that begins with prefix on its way for d;
// it arrives whole. It is planned and counted as a fault is.
func (p *Proxy) Hold(prefix string, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plan = append(p.plan, plannedFault{prefix: []byte(prefix), hold: d})
}

// Hits is how many planned faults have happened: a test that planned one must
// see it.
func (p *Proxy) Hits() int { return int(p.hits.Load()) }

// Delay holds every statement back before it is forwarded.
func (p *Proxy) Delay(d time.Duration) { p.delay.Store(int64(d)) }

// Freeze makes the proxy accept and forward nothing, like a host that hangs.
// Thawed, it drops the connections it held.
func (p *Proxy) Freeze(frozen bool) {
	p.frozen.Store(frozen)
	if !frozen {
		p.Cut()
	}
}

// Cut closes every connection.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.close()
	}
}

func (p *Proxy) accept(serving *sync.WaitGroup) {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			client.Close()
			continue
		}
		c := &proxied{client: client, server: server}
		p.mu.Lock()
		p.conns[c] = struct{}{}
		p.mu.Unlock()
		var halves sync.WaitGroup
		halves.Go(func() { p.statements(c) })
		halves.Go(func() { p.answers(c) })
		serving.Go(func() {
			halves.Wait()
			p.mu.Lock()
			delete(p.conns, c)
			p.mu.Unlock()
		})
	}
}

const (
	packetHeader  = 4
	packetMax     = 16 << 20
	commandQuery  = 0x03
	frozenPolling = 5 * time.Millisecond
)

// statements forwards the client's packets one by one.
func (p *Proxy) statements(c *proxied) {
	defer c.close()
	head := make([]byte, packetHeader)
	for {
		if _, err := io.ReadFull(c.client, head); err != nil {
			return
		}
		n := int(binary.LittleEndian.Uint32([]byte{head[0], head[1], head[2], 0}))
		if n >= packetMax {
			return
		}
		packet := make([]byte, packetHeader+n)
		copy(packet, head)
		if _, err := io.ReadFull(c.client, packet[packetHeader:]); err != nil {
			return
		}
		p.wait()
		p.stall(packet[packetHeader:])
		planned := p.fault(packet[packetHeader:])
		time.Sleep(planned.hold)
		switch planned.fault {
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

func (p *Proxy) wait() {
	if d := p.delay.Load(); d > 0 {
		time.Sleep(time.Duration(d))
	}
	for p.frozen.Load() {
		time.Sleep(frozenPolling)
	}
}

func (p *Proxy) fault(payload []byte) (planned plannedFault) {
	if len(payload) == 0 || payload[0] != commandQuery {
		return planned
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.plan) == 0 || !bytes.HasPrefix(payload[1:], p.plan[0].prefix) {
		return planned
	}
	planned = p.plan[0]
	p.plan = p.plan[1:]
	p.hits.Add(1)
	return planned
}

// Stall keeps one statement from the server, and with it the transaction that it is
// in, while others go on.
type Stall struct {
	prefix   []byte
	reached  chan struct{} // closed when the statement has come
	released chan struct{}
	release  sync.Once
}

// Stall plans to keep back the next statement that begins with prefix, on any
// connection, until it is released.
func (p *Proxy) Stall(t testing.TB, prefix string) *Stall {
	s := &Stall{prefix: []byte(prefix), reached: make(chan struct{}), released: make(chan struct{})}
	t.Cleanup(s.Release)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stalls = append(p.stalls, s)
	return s
}

// Reached is closed once the statement is being held back.
func (s *Stall) Reached() <-chan struct{} { return s.reached }

// Release lets the statement go on.
func (s *Stall) Release() { s.release.Do(func() { close(s.released) }) }

// stall waits while the statement is one that is to be kept back.
func (p *Proxy) stall(payload []byte) {
	if len(payload) == 0 || payload[0] != commandQuery {
		return
	}
	p.mu.Lock()
	i := slices.IndexFunc(p.stalls, func(s *Stall) bool { return bytes.HasPrefix(payload[1:], s.prefix) })
	if i < 0 {
		p.mu.Unlock()
		return
	}
	s := p.stalls[i]
	p.stalls = slices.Delete(p.stalls, i, i+1)
	p.mu.Unlock()
	close(s.reached)
	<-s.released
}

// answers forwards the server's bytes; the first ones after a LostAfter are
// proof that the statement was carried out, and the last the client misses.
func (p *Proxy) answers(c *proxied) {
	defer c.close()
	buf := make([]byte, 64<<10)
	for {
		n, err := c.server.Read(buf)
		if err != nil || c.dropAnswers.Load() {
			return
		}
		for p.frozen.Load() {
			time.Sleep(frozenPolling)
		}
		if _, err := c.client.Write(buf[:n]); err != nil {
			return
		}
	}
}
