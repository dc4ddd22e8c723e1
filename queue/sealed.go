package queue

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"time"
)

// Seal authenticates a value kept under a key outside this process, with a secret
// that only processes of ours have.
type Seal func(key string, value []byte) [sha256.Size]byte

// Sealed is a Store whose values are sealed, each for its own key. A value that is
// forged, foreign, damaged or copied from another key reads as empty, and the next
// swap replaces it. Not guaranteed: a sealed value that is stored again while it is
// still good counts again, for as long as its leases last, and what is overwritten
// all the time can not be swapped.
func Sealed(store Store, seal Seal) Store { return &sealed{store, seal} }

type sealed struct {
	store Store
	seal  Seal
}

// Get implements Store.
func (s *sealed) Get(ctx context.Context, key string) (value []byte, token uint64, found bool, err error) {
	value, token, found, err = s.store.Get(ctx, key)
	if err != nil || !found {
		return nil, token, found, err
	}
	if len(value) < sha256.Size {
		return nil, token, true, nil
	}
	have, value := value[:sha256.Size], value[sha256.Size:]
	if want := s.seal(key, value); !hmac.Equal(have, want[:]) {
		return nil, token, true, nil
	}
	return value, token, true, nil
}

// Add implements Store.
func (s *sealed) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (added bool, err error) {
	return s.store.Add(ctx, key, s.sealed(key, value), ttl)
}

// CompareAndSwap implements Store.
func (s *sealed) CompareAndSwap(ctx context.Context, key string, value []byte, token uint64, ttl time.Duration) (swapped bool, err error) {
	return s.store.CompareAndSwap(ctx, key, s.sealed(key, value), token, ttl)
}

func (s *sealed) sealed(key string, value []byte) []byte {
	sum := s.seal(key, value)
	return append(sum[:], value...)
}
