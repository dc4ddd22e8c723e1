package orderset

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
	memoTimeout  = 20 * time.Millisecond
	memoLife     = 3 * 24 * 60 * 60 // seconds: most reads come in the first three days
	memoConns    = 16
	memoQueueMax = 256 // finished envelopes waiting to be stored
	memoPurpose  = "finished"
	memoPrefix   = "hongbao/finished/1/"
	memoBytesMax = 512 << 10
	memoFailures = 3               // in a row, then
	memoPause    = 2 * time.Second // the cache is left alone
)

// memo keeps finished envelopes in memcached. They never change, so there is no
// stale entry; each is sealed with the draw key, so a foreign or damaged value
// is no entry. Losing any of it costs a query.
type memo struct {
	client   *memcache.Client // nil: none
	key      envelope.DrawKey
	mu       sync.RWMutex           // guards closed, and keeping against a close while somebody sends
	closed   bool                   // nothing is kept any more
	keeping  chan envelope.Snapshot // off the callers' path; full, it drops
	kept     sync.WaitGroup
	slots    chan struct{}
	failures atomic.Int32
	resume   atomic.Int64 // Unix ns until which the cache is left alone
	log      *slog.Logger
}

func newMemo(servers []string, key envelope.DrawKey, log *slog.Logger) (*memo, error) {
	m := &memo{key: key, slots: make(chan struct{}, memoConns), keeping: make(chan envelope.Snapshot, memoQueueMax), log: log}
	if len(servers) == 0 {
		return m, nil
	}
	list := new(memcache.ServerList)
	if err := list.SetServers(servers...); err != nil {
		return nil, err
	}
	m.client = memcache.NewFromSelector(list)
	m.client.Timeout, m.client.MaxIdleConns = memoTimeout, memoConns
	m.kept.Go(func() {
		for snap := range m.keeping {
			m.store(snap)
		}
	})
	return m, nil
}

// close stores what is waiting. What a grab's load, which nobody waits for, keeps
// after it is dropped.
func (m *memo) close() error {
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
func (m *memo) try(op func() error) bool {
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
		if m.failures.Add(1) >= memoFailures {
			m.failures.Store(0)
			m.resume.Store(time.Now().Add(memoPause).UnixNano())
			m.log.Warn("memcached does not answer; finished envelopes are read from the database", "for", memoPause, "error", err)
		}
	}
	return false
}

// keep stores a finished envelope soon, or not at all: the cache may miss any.
func (m *memo) keep(snap envelope.Snapshot) {
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

func (m *memo) store(snap envelope.Snapshot) {
	m.try(func() error {
		body, err := json.Marshal(snap)
		if err != nil || len(body) > memoBytesMax {
			return err
		}
		seal := m.key.Seal(memoPurpose, body)
		return m.client.Set(&memcache.Item{Key: memoPrefix + string(snap.Envelope.ID), Value: append(seal[:], body...), Expiration: memoLife})
	})
}

// recall finds a finished envelope.
func (m *memo) recall(id envelope.ID) (snap envelope.Snapshot, ok bool) {
	var item *memcache.Item
	if !m.try(func() (err error) { item, err = m.client.Get(memoPrefix + string(id)); return err }) || len(item.Value) < sha256.Size {
		return snap, false
	}
	sealed, body := item.Value[:sha256.Size], item.Value[sha256.Size:]
	want := m.key.Seal(memoPurpose, body)
	if !hmac.Equal(sealed, want[:]) || json.Unmarshal(body, &snap) != nil || snap.Envelope.ID != id {
		return envelope.Snapshot{}, false
	}
	return snap, snap.Envelope.State.Finished()
}
