package queue_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"hongbao/queue"
)

// onEveryStore runs a test on the local store and on a real memcached.
func onEveryStore(t *testing.T, test func(t *testing.T, s queue.Store)) {
	t.Run("local", func(t *testing.T) {
		s, err := queue.NewLocalStore(1 << 10)
		if err != nil {
			t.Fatal(err)
		}
		test(t, s)
	})
	t.Run("memcached", func(t *testing.T) {
		test(t, startMemcached(t).store(queue.MemcachedConfig{OpTimeout: time.Second}))
	})
}

func mustAdd(t *testing.T, s queue.Store, key, value string, want bool) {
	t.Helper()
	if added, err := s.Add(t.Context(), key, []byte(value), time.Minute); err != nil || added != want {
		t.Fatalf("Add(%q) = %t, %v, want %t", key, added, err, want)
	}
}

func mustGet(t *testing.T, s queue.Store, key, want string) (token uint64) {
	t.Helper()
	value, token, found, err := s.Get(t.Context(), key)
	if err != nil || found != (want != "") || string(value) != want {
		t.Fatalf("Get(%q) = %q, %t, %v, want %q", key, value, found, err, want)
	}
	return token
}

func mustSwap(t *testing.T, s queue.Store, key, value string, token uint64, want bool) {
	t.Helper()
	if swapped, err := s.CompareAndSwap(t.Context(), key, []byte(value), token, time.Minute); err != nil || swapped != want {
		t.Fatalf("CompareAndSwap(%q) = %t, %v, want %t", key, swapped, err, want)
	}
}

func TestEveryStoreAddsOnceAndSwapsByToken(t *testing.T) {
	onEveryStore(t, func(t *testing.T, s queue.Store) {
		mustGet(t, s, "k", "")
		mustSwap(t, s, "k", "x", 1, false) // nothing there to swap
		mustAdd(t, s, "k", "one", true)
		mustAdd(t, s, "k", "two", false)
		token := mustGet(t, s, "k", "one")
		mustSwap(t, s, "k", "three", token, true)
		mustSwap(t, s, "k", "four", token, false)
		mustGet(t, s, "k", "three")
		mustGet(t, s, "other", "")
	})
}

func TestEveryStoreLetsOneSwapOfManyWin(t *testing.T) {
	onEveryStore(t, func(t *testing.T, s queue.Store) {
		mustAdd(t, s, "k", "start", true)
		token := mustGet(t, s, "k", "start")
		var wins atomic.Int32
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				swapped, err := s.CompareAndSwap(t.Context(), "k", fmt.Append(nil, i), token, time.Minute)
				if err != nil {
					t.Error(err)
				}
				if swapped {
					wins.Add(1)
				}
			})
		}
		wg.Wait()
		if wins.Load() != 1 {
			t.Errorf("%d swaps of one token won", wins.Load())
		}
	})
}

func TestEveryStoreForgetsAfterTheTTL(t *testing.T) {
	onEveryStore(t, func(t *testing.T, s queue.Store) {
		if _, err := s.Add(t.Context(), "k", []byte("v"), time.Millisecond); err != nil { // a second: the unit
			t.Fatal(err)
		}
		mustGet(t, s, "k", "v")
		eventually(t, 4*time.Second, func() bool {
			_, _, found, err := s.Get(t.Context(), "k")
			return err == nil && !found
		})
		mustAdd(t, s, "k", "again", true)
	})
}

func TestEveryStoreTakesAnyKey(t *testing.T) {
	onEveryStore(t, func(t *testing.T, s queue.Store) {
		long := strings.Repeat("x", 300)
		keys := []string{"", "a b", "a\r\nflush_all\r\n", "红包", long, long + "y", "#", strings.Repeat("k", 242), strings.Repeat("k", 243)}
		for i, k := range keys {
			mustAdd(t, s, k, fmt.Sprint("value ", i), true)
		}
		for i, k := range keys {
			mustSwap(t, s, k, "swapped", mustGet(t, s, k, fmt.Sprint("value ", i)), true)
		}
	})
}

func TestLocalStoreIsBounded(t *testing.T) {
	s, err := queue.NewLocalStore(100)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10_000 {
		mustAdd(t, s, fmt.Sprint(i), "v", true)
	}
	kept := 0
	for i := range 10_000 {
		if _, _, found, _ := s.Get(t.Context(), fmt.Sprint(i)); found {
			kept++
		}
	}
	if kept < 100 || kept > 200 {
		t.Errorf("%d values kept, want the last 100 to 200", kept)
	}
	mustGet(t, s, "9999", "v")
}

func TestStoresRefuseNonsense(t *testing.T) {
	if _, err := queue.NewLocalStore(0); err == nil {
		t.Error("a local store without room was made")
	}
	for want, cfg := range map[string]queue.MemcachedConfig{
		"queue: number of MemcachedConfig.Servers 0 < 1":                            {},
		"queue: MemcachedConfig.OpTimeout 2s > 1s":                                  {Servers: []string{"127.0.0.1:1"}, OpTimeout: 2 * time.Second},
		"queue: MemcachedConfig.OpsMax -1 < 1":                                      {Servers: []string{"127.0.0.1:1"}, OpsMax: -1},
		`queue: MemcachedConfig.Prefix "a b" has spaces, '#' or bytes not in ASCII`: {Servers: []string{"127.0.0.1:1"}, Prefix: "a b"},
	} {
		if _, err := queue.NewMemcached(cfg); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := queue.NewMemcached(queue.MemcachedConfig{Servers: []string{"no such host:11211"}}); err == nil {
		t.Error("a server that does not resolve was taken")
	}
}

// plant writes a value where a gate with the default prefix looks for key.
func plant(t *testing.T, m *memcachedProcess, key string, value []byte) {
	t.Helper()
	c := memcache.New(m.addr)
	defer c.Close()
	if err := c.Set(&memcache.Item{Key: "hb:gate:" + key, Value: value}); err != nil {
		t.Fatal(err)
	}
}

// dig returns what is stored for key.
func dig(t *testing.T, m *memcachedProcess, key string) string {
	t.Helper()
	c := memcache.New(m.addr)
	defer c.Close()
	it, err := c.Get("hb:gate:" + key)
	if err != nil {
		t.Fatal(err)
	}
	return string(it.Value)
}

// eventually waits for a condition that the outside world brings about.
func eventually(t *testing.T, within time.Duration, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(within); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not so within %v", within)
		}
	}
}
