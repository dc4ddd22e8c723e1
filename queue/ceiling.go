package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
)

// CASCeiling measures how many gets-and-compare-and-swaps a second one
// connection to the memcached at addr carries out for d: what a permit would
// cost if every request took one.
func CASCeiling(ctx context.Context, addr string, d time.Duration) (perSecond float64, err error) {
	const key = "hongbao/ceiling"
	client := memcache.New(addr)
	defer client.Close()
	if err := client.Set(&memcache.Item{Key: key, Value: []byte("0"), Expiration: int32(d/time.Second) + 60}); err != nil {
		return 0, fmt.Errorf("memcached at %s: %w", addr, err)
	}
	start, swaps := time.Now(), 0
	for time.Since(start) < d && ctx.Err() == nil {
		item, err := client.Get(key)
		if err != nil {
			return 0, fmt.Errorf("memcached at %s: %w", addr, err)
		}
		if err := client.CompareAndSwap(item); err != nil {
			return 0, fmt.Errorf("memcached at %s: %w", addr, err)
		}
		swaps++
	}
	return float64(swaps) / time.Since(start).Seconds(), ctx.Err()
}
