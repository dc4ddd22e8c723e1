package queue

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
)

// MemcachedConfig says which memcached, and how much of it at once. A zero
// field but Servers means its default.
type MemcachedConfig struct {
	Servers   []string      // host:port or socket paths, at least one; keys are spread over them
	Prefix    string        // before every key, at most 100 bytes of ASCII without spaces and '#'; default "hb:gate:"
	OpTimeout time.Duration // of dialling, and of one round trip, 1 ms..1 s; default 30 ms
	OpsMax    int           // operations in flight, 1..1024; default 64
}

func (c *MemcachedConfig) validate() error {
	c.Prefix = cmp.Or(c.Prefix, "hb:gate:")
	c.OpTimeout = cmp.Or(c.OpTimeout, 30*time.Millisecond)
	c.OpsMax = cmp.Or(c.OpsMax, 64)
	errs := []error{
		within("number of MemcachedConfig.Servers", len(c.Servers), 1, 100),
		within("length of MemcachedConfig.Prefix", len(c.Prefix), 1, 100),
		within("MemcachedConfig.OpTimeout", c.OpTimeout, time.Millisecond, time.Second),
		within("MemcachedConfig.OpsMax", c.OpsMax, 1, 1024),
	}
	if !isPlain(c.Prefix) {
		errs = append(errs, fmt.Errorf("queue: MemcachedConfig.Prefix %q has spaces, '#' or bytes not in ASCII", c.Prefix))
	}
	return errors.Join(errs...)
}

// Memcached is a Store in memcached.
//
// The client opens as many connections as there are callers, keeps two, and
// knows no context. So callers take one of OpsMax slots, under their context,
// and the client keeps as many connections as there are slots.
type Memcached struct {
	client *memcache.Client
	prefix string
	slots  chan struct{}
}

// NewMemcached resolves the servers and connects to none of them yet: a
// memcached that is down is not an error here.
func NewMemcached(cfg MemcachedConfig) (*Memcached, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	servers := new(memcache.ServerList)
	if err := servers.SetServers(cfg.Servers...); err != nil {
		return nil, fmt.Errorf("queue: memcached servers %q: %w", cfg.Servers, err)
	}
	client := memcache.NewFromSelector(servers)
	client.Timeout, client.MaxIdleConns = cfg.OpTimeout, cfg.OpsMax
	return &Memcached{client: client, prefix: cfg.Prefix, slots: make(chan struct{}, cfg.OpsMax)}, nil
}

// Close closes the idle connections.
func (m *Memcached) Close() error { return m.client.Close() }

// Get implements Store.
func (m *Memcached) Get(ctx context.Context, key string) (value []byte, token uint64, found bool, err error) {
	err = m.do(ctx, "get", key, func(key string) error {
		item, err := m.client.Get(key)
		if err == nil {
			value, token, found = item.Value, item.CasID, true
		}
		return absent(err)
	})
	return value, token, found, err
}

// Add implements Store.
func (m *Memcached) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (added bool, err error) {
	err = m.do(ctx, "add", key, func(key string) error {
		err := m.client.Add(&memcache.Item{Key: key, Value: value, Expiration: ttlSeconds(ttl)})
		added = err == nil
		return absent(err)
	})
	return added, err
}

// CompareAndSwap implements Store.
func (m *Memcached) CompareAndSwap(ctx context.Context, key string, value []byte, token uint64, ttl time.Duration) (swapped bool, err error) {
	err = m.do(ctx, "cas", key, func(key string) error {
		err := m.client.CompareAndSwap(&memcache.Item{Key: key, Value: value, CasID: token, Expiration: ttlSeconds(ttl)})
		swapped = err == nil
		return absent(err)
	})
	return swapped, err
}

// do runs op in a slot. After a restart of memcached every pooled connection
// fails once: an error that is no timeout drops the pool and tries again on a
// new connection. Trying twice is safe, because a gate knows its own lease
// when it finds it there.
func (m *Memcached) do(ctx context.Context, verb, key string, op func(key string) error) error {
	select {
	case m.slots <- struct{}{}:
		defer func() { <-m.slots }()
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		return fmt.Errorf("queue: memcached %s: no time left: %w", verb, context.Cause(ctx))
	}
	stored := m.storedKey(key)
	err := op(stored)
	if err != nil && !isTimeout(err) && ctx.Err() == nil {
		_ = m.client.Close() // of connections that are broken anyway
		err = op(stored)
	}
	if err != nil {
		return fmt.Errorf("queue: memcached %s: %w", verb, err)
	}
	return nil
}

// storedKey is the key as memcached takes it: at most 250 bytes, no spaces.
func (m *Memcached) storedKey(key string) string {
	if len(m.prefix)+len(key) <= 250 && isPlain(key) {
		return m.prefix + key
	}
	sum := sha256.Sum256([]byte(key))
	return m.prefix + "#" + hex.EncodeToString(sum[:])
}

// isPlain reports whether memcached takes s in a key as it is.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || s[i] == '#' {
			return false
		}
	}
	return true
}

// absent turns the answers that mean "not so" into no error. A swap of a key
// that is gone answers ErrCacheMiss, whatever the client's comment says.
func absent(err error) error {
	if errors.Is(err, memcache.ErrCacheMiss) || errors.Is(err, memcache.ErrNotStored) || errors.Is(err, memcache.ErrCASConflict) {
		return nil
	}
	return err
}

func isTimeout(err error) bool {
	if _, slow := errors.AsType[*memcache.ConnectTimeoutError](err); slow {
		return true
	}
	nerr, ok := errors.AsType[net.Error](err)
	return ok && nerr.Timeout() || errors.Is(err, os.ErrDeadlineExceeded)
}
