package queue_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"hongbao/queue"
)

// memcachedStartsMax bounds the ports tried for one memcached.
const memcachedStartsMax = 20

// memcachedProcess is a real memcached on a free port, ended with the test.
type memcachedProcess struct {
	t    testing.TB
	addr string
	port int

	cmd    *exec.Cmd     // nil while none runs
	exited chan struct{} // closed when it has gone
}

func startMemcached(t testing.TB) *memcachedProcess {
	t.Helper()
	m := &memcachedProcess{t: t}
	for range memcachedStartsMax {
		m.port = 10_000 + rand.IntN(22_000) // below ip_local_port_range
		m.addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(m.port))
		l, err := net.Listen("tcp", m.addr)
		if err != nil {
			continue
		}
		l.Close()
		if m.start() == nil {
			t.Cleanup(m.kill)
			return m
		}
	}
	t.Fatalf("no memcached after %d starts", memcachedStartsMax)
	return nil
}

// start runs memcached and waits until it accepts.
func (m *memcachedProcess) start() error {
	cmd := exec.Command("memcached", "-u", "nobody", "-l", "127.0.0.1", "-p", strconv.Itoa(m.port), "-U", "0", "-m", "64", "-t", "2")
	if err := cmd.Start(); err != nil {
		m.t.Fatalf("start memcached: %v", err)
	}
	exited := make(chan struct{})
	go func() { cmd.Wait(); close(exited) }()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		select {
		case <-exited:
			return fmt.Errorf("memcached on %s exited", m.addr)
		case <-tick.C:
		}
		if c, err := net.DialTimeout("tcp", m.addr, time.Second); err == nil {
			c.Close()
			m.cmd, m.exited = cmd, exited
			return nil
		}
	}
	cmd.Process.Kill()
	return fmt.Errorf("memcached on %s does not accept", m.addr)
}

func (m *memcachedProcess) signal(s syscall.Signal) {
	m.t.Helper()
	if err := m.cmd.Process.Signal(s); err != nil {
		m.t.Fatalf("signal %v to memcached: %v", s, err)
	}
}

// kill ends the process, frozen or not, and returns when its port is free.
func (m *memcachedProcess) kill() {
	if m.cmd != nil {
		m.cmd.Process.Kill()
		<-m.exited
		m.cmd = nil
	}
}

// restart is a new, empty memcached at the same address.
func (m *memcachedProcess) restart() {
	m.t.Helper()
	if err := m.start(); err != nil {
		m.t.Fatal(err)
	}
}

// store connects to it.
func (m *memcachedProcess) store(cfg queue.MemcachedConfig) *queue.Memcached {
	m.t.Helper()
	cfg.Servers = []string{m.addr}
	s, err := queue.NewMemcached(cfg)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { s.Close() })
	return s
}

// flushAll forgets every value.
func (m *memcachedProcess) flushAll() {
	m.t.Helper()
	c := memcache.New(m.addr)
	defer c.Close()
	if err := c.FlushAll(); err != nil {
		m.t.Fatal(err)
	}
}
