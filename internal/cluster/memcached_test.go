package cluster_test

import (
	"errors"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/bradfitz/gomemcache/memcache"

	"hongbao/internal/cluster"
)

func startMemcached(t *testing.T) (*cluster.Memcached, cluster.MemcachedConfig) {
	t.Helper()
	cfg := cluster.MemcachedConfig{Name: "cache", Dir: t.TempDir(), Port: freePort(t), MemoryMiB: 16, Threads: 1}
	m, err := cluster.StartMemcached(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Kill(); err != nil {
			t.Error(err)
		}
	})
	return m, cfg
}

func TestMemcachedIsEmptyAfterARestart(t *testing.T) {
	m, cfg := startMemcached(t)
	client := memcache.New(m.Addr())
	defer client.Close()
	if err := client.Set(&memcache.Item{Key: "k", Value: []byte("v")}); err != nil {
		t.Fatal(err)
	}
	if item, err := client.Get("k"); err != nil || string(item.Value) != "v" {
		t.Fatalf("got %v, %v", item, err)
	}
	if err := m.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if alive(m.PID()) {
		t.Error("memcached still runs after Stop")
	}
	client.Close() // its pooled connections are dead
	again, err := cluster.StartMemcached(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Kill()
	if _, err := client.Get("k"); !errors.Is(err, memcache.ErrCacheMiss) {
		t.Errorf("after a restart: %v, want %v", err, memcache.ErrCacheMiss)
	}
}

func TestMemcachedListensOnLoopbackTCPOnly(t *testing.T) {
	_, cfg := startMemcached(t)
	udp, err := net.ListenPacket("udp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(cfg.Port)))
	if err != nil {
		t.Fatalf("its UDP port is not free: %v", err)
	}
	udp.Close()
	other, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.2", strconv.Itoa(cfg.Port)))
	if err != nil {
		t.Fatalf("it listens on more than 127.0.0.1: %v", err)
	}
	other.Close()
}

func TestMemcachedPortInUseNamesItsOwner(t *testing.T) {
	_, cfg := startMemcached(t)
	cfg.Name = "second"
	_, err := cluster.StartMemcached(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), "is in use by memcached (pid ") {
		t.Fatalf("error %v, want the owner of the port", err)
	}
}

func TestMissingMemcachedSaysHowToInstallIt(t *testing.T) {
	t.Setenv("HONGBAO_MEMCACHED", filepath.Join(t.TempDir(), "memcached"))
	_, err := cluster.StartMemcached(t.Context(), cluster.MemcachedConfig{Name: "cache", Dir: t.TempDir(), Port: freePort(t)})
	if _, ok := errors.AsType[*cluster.MissingError](err); !ok || !strings.Contains(err.Error(), "apt-get install -y mariadb-server-core memcached") {
		t.Fatalf("error %v, want how to install it", err)
	}
}

func TestInvalidMemcachedConfigIsRefused(t *testing.T) {
	good := cluster.MemcachedConfig{Name: "cache", Dir: t.TempDir(), Port: freePort(t)}
	for _, test := range []struct {
		want   string
		change func(*cluster.MemcachedConfig)
	}{
		{"does not match", func(c *cluster.MemcachedConfig) { c.Name = "" }},
		{"no directory", func(c *cluster.MemcachedConfig) { c.Dir = "" }},
		{"8 <= MiB of memory", func(c *cluster.MemcachedConfig) { c.MemoryMiB = -1 }},
		{"threads <= 64", func(c *cluster.MemcachedConfig) { c.Threads = 65 }},
		{"10 <= max connections", func(c *cluster.MemcachedConfig) { c.MaxConnections = 1 }},
		{"1 <= port", func(c *cluster.MemcachedConfig) { c.Port = 0 }},
	} {
		cfg := good
		test.change(&cfg)
		if _, err := cluster.StartMemcached(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want %q", err, test.want)
		}
	}
}
