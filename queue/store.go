package queue

import (
	"context"
	"time"
)

// Store keeps small values under keys for a while and changes them by
// compare-and-swap. It may forget anything at any time: a gate that finds
// nothing starts again. What it must not do is let two swaps from one token
// both succeed.
//
// Every method returns within ctx, or within twice the store's own operation
// timeout after it. An error means that it is unknown whether the operation
// took place. ttl is rounded up to whole seconds and is at most ttlMax.
type Store interface {
	// Get returns the value and the token that a swap must show; found is
	// false when the store has nothing.
	Get(ctx context.Context, key string) (value []byte, token uint64, found bool, err error)

	// Add stores value if the store has nothing under key.
	Add(ctx context.Context, key string, value []byte, ttl time.Duration) (added bool, err error)

	// CompareAndSwap stores value if what is under key is what Get gave token for.
	CompareAndSwap(ctx context.Context, key string, value []byte, token uint64, ttl time.Duration) (swapped bool, err error)
}

// ttlMax is the longest life of a stored value. memcached takes more than
// thirty days for a date; leases never come near either.
const ttlMax = time.Minute

// ttlSeconds is ttl in whole seconds, rounded up, 1..ttlMax.
func ttlSeconds(ttl time.Duration) int32 {
	return int32((min(max(ttl, 1), ttlMax) + time.Second - 1) / time.Second)
}
