package memory

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"hongbao/envelope"
)

// Bounds of the cache of finished envelopes.
const (
	cacheTimeout  = 20 * time.Millisecond
	cacheLife     = 3 * 24 * 60 * 60 // seconds: most reads come in the first three days
	cacheConns    = 16
	cacheQueueMax = 256 // finished envelopes waiting to be stored
	cachePurpose  = "finished"
	cachePrefix   = "hongbao/finished/1/"
	cacheBytesMax = 512 << 10
	cacheFailures = 3               // in a row, then
	cachePause    = 2 * time.Second // the cache is left alone
)

// Finished keeps finished envelopes in memcached. They never change, so there is no
// stale entry; each is sealed with the draw key, so a foreign or damaged value
// is no entry. Losing any of it costs a query.
type Finished struct {
	client   *memcache.Client // nil: none
	key      envelope.DrawKey
	mu       sync.RWMutex           // guards closed, and keeping against a close during a send
	closed   bool                   // nothing is kept any more
	keeping  chan envelope.Snapshot // off the callers' path; full, it drops
	kept     sync.WaitGroup
	slots    chan struct{}
	failures atomic.Int32
	resume   atomic.Int64 // Unix ns until which the cache is left alone
	log      *slog.Logger
}

// NewFinished connects to servers when it is used; without any it keeps nothing.
func NewFinished(servers []string, key envelope.DrawKey, log *slog.Logger) (*Finished, error) {
	m := &Finished{key: key, slots: make(chan struct{}, cacheConns), keeping: make(chan envelope.Snapshot, cacheQueueMax), log: log}
	if len(servers) == 0 {
		return m, nil
	}
	list := new(memcache.ServerList)
	if err := list.SetServers(servers...); err != nil {
		return nil, err
	}
	m.client = memcache.NewFromSelector(list)
	m.client.Timeout, m.client.MaxIdleConns = cacheTimeout, cacheConns
	m.kept.Go(func() {
		for snap := range m.keeping {
			m.store(snap)
		}
	})
	return m, nil
}

// Close stores what is waiting. What the load of an abandoned grab keeps
// after it is dropped.
func (m *Finished) Close() error {
	m.mu.Lock()
	done := m.client == nil || m.closed
	m.closed = true
	if !done {
		close(m.keeping)
	}
	m.mu.Unlock()
	if done {
		return nil
	}
	m.kept.Wait()
	return m.client.Close()
}

// try runs one operation if the cache is well and a connection is free.
func (m *Finished) try(op func() error) bool {
	if m.client == nil || time.Now().UnixNano() < m.resume.Load() {
		return false
	}
	select {
	case m.slots <- struct{}{}:
		defer func() { <-m.slots }()
	default:
		return false
	}
	switch err := op(); err {
	case nil:
		m.failures.Store(0)
		return true
	case memcache.ErrCacheMiss:
		m.failures.Store(0)
	default:
		if m.failures.Add(1) >= cacheFailures {
			m.failures.Store(0)
			m.resume.Store(time.Now().Add(cachePause).UnixNano())
			m.log.Warn("memcached does not answer; finished envelopes are read from the database", "for", cachePause, "error", err)
		}
	}
	return false
}

// Keep stores a finished envelope soon, or not at all: the cache may miss any.
func (m *Finished) Keep(snap envelope.Snapshot) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.client == nil || m.closed {
		return
	}
	select {
	case m.keeping <- snap:
	default:
	}
}

func (m *Finished) store(snap envelope.Snapshot) {
	m.try(func() error {
		body, err := json.Marshal(snap)
		if err != nil || len(body) > cacheBytesMax {
			return err
		}
		seal := m.key.Seal(cachePurpose, body)
		return m.client.Set(&memcache.Item{Key: cachePrefix + string(snap.Envelope.ID), Value: append(seal[:], body...), Expiration: cacheLife})
	})
}

// Recall finds a finished envelope.
func (m *Finished) Recall(id envelope.ID) (snap envelope.Snapshot, ok bool) {
	var item *memcache.Item
	if !m.try(func() (err error) { item, err = m.client.Get(cachePrefix + string(id)); return err }) || len(item.Value) < sha256.Size {
		return snap, false
	}
	sealed, body := item.Value[:sha256.Size], item.Value[sha256.Size:]
	want := m.key.Seal(cachePurpose, body)
	if !hmac.Equal(sealed, want[:]) || json.Unmarshal(body, &snap) != nil || snap.Envelope.ID != id {
		return envelope.Snapshot{}, false
	}
	return snap, snap.Envelope.State.Finished()
}
