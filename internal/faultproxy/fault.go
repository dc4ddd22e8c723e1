package faultproxy

import (
	"bytes"
	"slices"
	"sync"
	"sync/atomic"
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

// commandQuery is the first byte of a packet that holds a statement as text.
const commandQuery = 0x03

// plan is what is to happen to statements that come by. Its zero value plans
// nothing.
type plan struct {
	mu     sync.Mutex // guards the fields below
	faults []fault    // in order
	stalls []*Stall

	hits atomic.Int64
}

// fault is what happens to one statement.
type fault struct {
	prefix []byte
	lost   Fault         // 0: it arrives
	hold   time.Duration // before that
}

// Lose plans a fault for the next statement that begins with prefix, on any
// connection. Plans are used up in the order they were made.
func (p *plan) Lose(f Fault, prefix string) { p.add(fault{prefix: []byte(prefix), lost: f}) }

// Hold plans to keep the next statement that begins with prefix on its way for
// d; it arrives whole. It is planned and counted as a fault is.
func (p *plan) Hold(prefix string, d time.Duration) { p.add(fault{prefix: []byte(prefix), hold: d}) }

func (p *plan) add(f fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, f)
}

// Hits is how many planned faults have happened: a test that planned one must
// see it.
func (p *plan) Hits() int { return int(p.hits.Load()) }

// Stall keeps one statement from the server, and with it the transaction that it is
// in, while others go on.
type Stall struct {
	prefix   []byte
	reached  chan struct{} // closed when the statement has come
	released chan struct{}
	release  sync.Once
}

// Stall plans to keep back the next statement that begins with prefix, on any
// connection, until it is released. Stalls have no order among faults.
func (p *plan) Stall(prefix string) *Stall {
	s := &Stall{prefix: []byte(prefix), reached: make(chan struct{}), released: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stalls = append(p.stalls, s)
	return s
}

// Reached is closed once the statement is being held back.
func (s *Stall) Reached() <-chan struct{} { return s.reached }

// Release lets the statement go on.
func (s *Stall) Release() { s.release.Do(func() { close(s.released) }) }

// meet takes out of the plan the fault of the packet with payload.
func (p *plan) meet(payload []byte) (f fault) {
	statement, ok := statementOf(payload)
	p.mu.Lock()
	defer p.mu.Unlock()
	if !ok || len(p.faults) == 0 || !bytes.HasPrefix(statement, p.faults[0].prefix) {
		return f
	}
	f = p.faults[0]
	p.faults = p.faults[1:]
	p.hits.Add(1)
	return f
}

// stalled takes out of the plan the stall of the packet with payload, nil when
// there is none.
func (p *plan) stalled(payload []byte) *Stall {
	statement, ok := statementOf(payload)
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.stalls, func(s *Stall) bool { return ok && bytes.HasPrefix(statement, s.prefix) })
	if i < 0 {
		return nil
	}
	s := p.stalls[i]
	p.stalls = slices.Delete(p.stalls, i, i+1)
	return s
}

// statementOf is the text of a statement; a packet that holds none is passed on.
func statementOf(payload []byte) (statement []byte, ok bool) {
	if len(payload) == 0 || payload[0] != commandQuery {
		return nil, false
	}
	return payload[1:], true
}
