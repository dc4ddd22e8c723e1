package queue

import (
	"cmp"
	"fmt"
	"time"
)

// retryAfterDefault is the middle of the RetryAfter range of refusals.
const retryAfterDefault = time.Second

// within refuses a setting outside lo..hi, naming the inequality it breaks.
func within[T cmp.Ordered](name string, v, lo, hi T) error {
	switch {
	case v < lo:
		return fmt.Errorf("queue: %s %v < %v", name, v, lo)
	case v > hi:
		return fmt.Errorf("queue: %s %v > %v", name, v, hi)
	}
	return nil
}
