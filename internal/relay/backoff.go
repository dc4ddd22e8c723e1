package relay

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"hongbao/envelope"
)

// A wait is how long to leave something alone after its n-th attempt. It grows
// by half each time, so it is at most half as long as the trouble has lasted:
// what failed through an outage of ten minutes is tried again within five.
type wait struct{ first, max time.Duration }

func afterFailure() wait { return wait{time.Second, 10 * time.Minute} }

// after is the wait after attempt n, counted from 1: between half and the whole,
// so that what failed together does not come back together.
func (w wait) after(n int) time.Duration {
	d := w.first
	for ; n > 1 && d < w.max; n-- {
		d += d / 2
	}
	return jitter(min(d, w.max))
}

func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }

// Bounds of what a receiver may ask for.
const (
	retryAfterMin = 100 * time.Millisecond
	retryAfterMax = 2 * time.Minute
)

// retryAfter is how long a busy receiver wants to be left alone: never less, and
// up to half more.
func retryAfter(err error) (time.Duration, bool) {
	var busy *envelope.BusyError
	if !errors.As(err, &busy) {
		return 0, false
	}
	d := min(max(busy.RetryAfter, retryAfterMin), retryAfterMax)
	return d + rand.N(d/2), true
}

// outage reports whether err says more about the receiver than about what it was
// given: trying a part of it would be no wiser.
func outage(err error) bool {
	return isBusy(err) || errors.Is(err, envelope.ErrUnknownOutcome) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

func isBusy(err error) bool {
	var busy *envelope.BusyError
	return errors.As(err, &busy)
}

// halvingsMax bounds the failures met while looking for what fails by itself. A
// batch with two poisoned items needs about 20; with more it is likelier that
// the receiver is out than that all of them are poisoned.
const halvingsMax = 24

// alone does items as one batch, and halves what fails until it has found the
// items that fail by themselves, which it hands to failed. It goes through items
// from the first to the last. An error means that the receiver is out: what came
// after it has not been done.
func alone[T any](items []T, do func([]T) error, failed func(T, error)) error {
	failures := 0
	var halve func(items []T) error
	halve = func(items []T) error {
		err := do(items)
		if err == nil {
			return nil
		}
		failures++
		switch {
		case failures > halvingsMax:
			return err
		case len(items) == 1 && !isBusy(err) && !errors.Is(err, context.Canceled):
			failed(items[0], err)
			return nil
		case outage(err):
			return err
		}
		half := len(items) / 2
		if err := halve(items[:half]); err != nil {
			return err
		}
		return halve(items[half:])
	}
	return halve(items)
}
