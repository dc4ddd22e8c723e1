package queue

import (
	"context"
	"sync"
	"time"
)

// LocalStore is a Store in this process's memory, for a SET with one order
// server: gates that share it share their caps, and no memcached is needed.
//
// It keeps two generations of values. A generation ends with the first write
// after the longest life asked for, or when it is full; the older one is then
// forgotten whole, which costs nothing per value and bounds the memory at twice
// valuesMax. When one is full early, live values may go: the store forgets, as
// a memcached that evicts does.
type LocalStore struct {
	valuesMax int
	epoch     time.Time

	mu        sync.Mutex
	now, past map[string]localValue
	life      time.Duration // the longest asked for
	turnAt    time.Duration // when the generation ends, since epoch
	token     uint64        // of the last write
}

type localValue struct {
	bytes []byte
	token uint64
	until time.Duration // since epoch
}

// NewLocalStore returns an empty store whose generations hold at most
// valuesMax values (1..2^24) of about 150 bytes each.
func NewLocalStore(valuesMax int) (*LocalStore, error) {
	if err := within("LocalStore valuesMax", valuesMax, 1, 1<<24); err != nil {
		return nil, err
	}
	return &LocalStore{valuesMax: valuesMax, epoch: time.Now(), now: make(map[string]localValue)}, nil
}

// Get implements Store. It never fails.
func (s *LocalStore) Get(_ context.Context, key string) (value []byte, token uint64, found bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, found := s.find(key, time.Since(s.epoch))
	return v.bytes, v.token, found, nil
}

// Add implements Store. It never fails.
func (s *LocalStore) Add(_ context.Context, key string, value []byte, ttl time.Duration) (added bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Since(s.epoch)
	if _, found := s.find(key, now); found {
		return false, nil
	}
	s.put(key, value, now, ttl)
	return true, nil
}

// CompareAndSwap implements Store. It never fails.
func (s *LocalStore) CompareAndSwap(_ context.Context, key string, value []byte, token uint64, ttl time.Duration) (swapped bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Since(s.epoch)
	if v, found := s.find(key, now); !found || v.token != token {
		return false, nil
	}
	s.put(key, value, now, ttl)
	return true, nil
}

func (s *LocalStore) find(key string, now time.Duration) (localValue, bool) {
	v, found := s.now[key]
	if !found {
		v, found = s.past[key]
	}
	if !found || now >= v.until {
		return localValue{}, false
	}
	return v, true
}

// put writes into the current generation; a value there hides one in the past.
func (s *LocalStore) put(key string, value []byte, now, ttl time.Duration) {
	ttl = time.Duration(ttlSeconds(ttl)) * time.Second
	s.life = max(s.life, ttl)
	if now >= s.turnAt || len(s.now) >= s.valuesMax {
		s.past, s.now = s.now, make(map[string]localValue)
		s.turnAt = now + s.life
	}
	s.token++
	s.now[key] = localValue{value, s.token, now + ttl}
}
