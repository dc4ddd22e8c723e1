package settest

import (
	"testing"
	"time"

	"hongbao/internal/faultproxy"
)

// Fault is where a statement is lost.
type Fault = faultproxy.Fault

// The faults, in a pair.
const (
	LostBefore = faultproxy.LostBefore
	LostAfter  = faultproxy.LostAfter
)

// Proxy is a faultproxy that ends with its test.
type Proxy struct{ *faultproxy.Proxy }

// NewProxy forwards to target until the test ends.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	p, err := faultproxy.New(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return &Proxy{p}
}

// Delay holds every statement back before it is forwarded.
func (p *Proxy) Delay(d time.Duration) { p.Proxy.Delay(d, 0) }

// Stall plans to keep back the next statement that begins with prefix until it
// is released, at the latest when the test ends.
func (p *Proxy) Stall(t testing.TB, prefix string) *faultproxy.Stall {
	s := p.Proxy.Stall(prefix)
	t.Cleanup(s.Release)
	return s
}
