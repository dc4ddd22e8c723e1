package queue_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"hongbao/queue"
)

// sealedBy is a seal of processes that have the same secret.
func sealedBy(secret string) queue.Seal {
	return func(key string, value []byte) [sha256.Size]byte {
		return sha256.Sum256([]byte(secret + "\x00" + key + "\x00" + string(value)))
	}
}

// sealedGate is a gate of one more process beside m, whose leases are sealed.
func sealedGate(t *testing.T, m *memcachedProcess, secret string) *queue.Gate {
	t.Helper()
	store := m.store(queue.MemcachedConfig{OpTimeout: time.Second})
	return quietGate(t, queue.GateConfig{Store: queue.Sealed(store, sealedBy(secret)), HoldersMax: 1})
}

// FS30: leases that were not made with our key block no open.
func TestForgedLeasesBlockNothing(t *testing.T) {
	m := startMemcached(t)
	client := memcache.New(m.addr)
	until := time.Now().Add(20 * time.Second).UnixMilli()
	plain := []byte(fmt.Sprintf("hbl1 thief:%d", until))
	foreign := sealedBy("another key")("hb:gate:k", plain)
	enter(t, sealedGate(t, m, "ours"), "elsewhere")
	copied, err := client.Get("hb:gate:elsewhere")
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string][]byte{
		"plain": plain, "sealed by another key": append(foreign[:], plain...), "of another envelope": copied.Value,
		"nothing": nil, "short": []byte("hbl1"), "a seal and no more": foreign[:], "long": []byte(strings.Repeat("x", 100_000)),
	} {
		t.Run(name, func(t *testing.T) {
			key := strings.ReplaceAll(name, " ", "-")
			if err := client.Set(&memcache.Item{Key: "hb:gate:" + key, Value: value, Expiration: 60}); err != nil {
				t.Fatal(err)
			}
			enter(t, sealedGate(t, m, "ours"), key)
			refused(t, sealedGate(t, m, "ours"), key, queue.ReasonOverCap) // a lease of ours counts again
		})
	}
	// The control: without a seal the same value blocks every open.
	if err := client.Set(&memcache.Item{Key: "hb:gate:control", Value: plain, Expiration: 60}); err != nil {
		t.Fatal(err)
	}
	refused(t, remoteGate(t, m, queue.GateConfig{HoldersMax: 1}), "control", queue.ReasonOverCap)
}

func TestASealedStoreIsAStore(t *testing.T) {
	onEveryStore(t, func(t *testing.T, s queue.Store) {
		one, other := queue.Sealed(s, sealedBy("key")), queue.Sealed(s, sealedBy("key"))
		mustGet(t, one, "k", "")
		mustAdd(t, one, "k", "one", true)
		mustAdd(t, other, "k", "two", false)
		token := mustGet(t, other, "k", "one")
		mustSwap(t, one, "k", "three", token, true)
		mustSwap(t, other, "k", "four", token, false)
		mustGet(t, other, "k", "three")
	})
}
