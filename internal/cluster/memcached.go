package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// statsMax is how long one "stats" command may take while we wait for a new
// memcached.
const statsMax = time.Second

// MemcachedConfig describes one private memcached.
type MemcachedConfig struct {
	Name string // in messages and of its log file: "memcached"
	Dir  string // of its log
	Port int    // on 127.0.0.1

	MemoryMiB      int // at least 8; 0 means 64
	Threads        int // 1 to 64; 0 means 2
	MaxConnections int // at least 10; 0 means 1024
}

// Memcached is a running memcached that has answered a command.
type Memcached struct {
	*Process
	addr string
}

// StartMemcached starts a memcached and returns once it answers. It keeps
// nothing on disk: restarted, it is empty. On an error nothing is left running.
// The server does not depend on ctx once it has started.
func StartMemcached(ctx context.Context, cfg MemcachedConfig) (*Memcached, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	m, err := startMemcached(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("memcached %s: %w", cfg.Name, err)
	}
	return m, nil
}

func startMemcached(ctx context.Context, cfg MemcachedConfig) (*Memcached, error) {
	program, err := FindMemcached()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, err
	}
	if err := CheckPort(cfg.Port); err != nil {
		return nil, err
	}
	p, err := Start(Command{
		Name: cfg.Name, Path: program, Args: cfg.args(),
		Dir: cfg.Dir, LogFile: filepath.Join(cfg.Dir, cfg.Name+".log"),
	})
	if err != nil {
		return nil, err
	}
	m := &Memcached{Process: p, addr: address(cfg.Port)}
	if err := m.awaitAnswer(ctx, m.ask); err != nil {
		return nil, errors.Join(err, p.Kill())
	}
	return m, nil
}

// complete fills in the defaults and refuses what could not work.
func (c MemcachedConfig) complete() (MemcachedConfig, error) {
	if c.MemoryMiB == 0 {
		c.MemoryMiB = 64
	}
	if c.Threads == 0 {
		c.Threads = 2
	}
	if c.MaxConnections == 0 {
		c.MaxConnections = 1024
	}
	return c, c.validate()
}

// validate checks a configuration whose defaults are filled in.
func (c *MemcachedConfig) validate() error {
	switch {
	case !nameShape.MatchString(c.Name):
		return fmt.Errorf("memcached %q: name does not match %v", c.Name, nameShape)
	case c.Dir == "":
		return fmt.Errorf("memcached %s: no directory", c.Name)
	case c.MemoryMiB < 8:
		return fmt.Errorf("memcached %s: want 8 <= MiB of memory, have %d", c.Name, c.MemoryMiB)
	case c.Threads < 1 || c.Threads > 64:
		return fmt.Errorf("memcached %s: want 1 <= threads <= 64, have %d", c.Name, c.Threads)
	case c.MaxConnections < 10:
		return fmt.Errorf("memcached %s: want 10 <= max connections, have %d", c.Name, c.MaxConnections)
	}
	return nil
}

func (c MemcachedConfig) args() []string {
	return slices.Concat(userArgs(), []string{
		"--listen=" + loopback,
		fmt.Sprintf("--port=%d", c.Port),
		"--udp-port=0",
		fmt.Sprintf("--memory-limit=%d", c.MemoryMiB),
		fmt.Sprintf("--threads=%d", c.Threads),
		fmt.Sprintf("--conn-limit=%d", c.MaxConnections),
	})
}

// ask has memcached say its pid, which also tells it from one that took the
// port in the same moment.
func (m *Memcached) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, statsMax)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", m.addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("stats\r\n")); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n') // pid is the first of them
	if err != nil {
		return err
	}
	if want := fmt.Sprintf("STAT pid %d\r\n", m.PID()); line != want {
		return fmt.Errorf("another server answers at %s: %q, want %q", m.addr, line, want)
	}
	return nil
}

// Addr is the server's "127.0.0.1:port".
func (m *Memcached) Addr() string { return m.addr }
