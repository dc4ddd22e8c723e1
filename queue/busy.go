package queue

import (
	"errors"
	"math/rand/v2"
	"time"
)

var (
	// ErrUnknown means that a request was handed to Serve and nobody knows
	// whether it took effect. Ask again with the same request; never report a
	// failure. A Serve that returns it (wrapped) is not run again.
	ErrUnknown = errors.New("outcome unknown")

	// ErrClosed means that the lane takes no more requests.
	ErrClosed = errors.New("queue: lane is closed")
)

// Reasons of a BusyError. They are stable: callers and dashboards match on them.
const (
	ReasonDraining     = "draining"      // the SET or the process is being emptied
	ReasonOverloaded   = "overloaded"    // too many requests in flight
	ReasonCPU          = "cpu"           // the machine is saturated
	ReasonQueueFull    = "queue_full"    // the key's queue is full, or queues move too slowly
	ReasonLaneFull     = "lane_full"     // the lane's queues together are full
	ReasonExpired      = "expired"       // waited WaitMax, or its caller left, before service
	ReasonDatabaseSlow = "database_slow" // transactions take longer than the ceiling
	ReasonDatabaseDown = "database_down" // transactions fail
	ReasonOverCap      = "over_cap"      // as many holders or permits of the key as allowed
	ReasonGateFull     = "gate_full"     // every entry of the gate's key table is in use
)

// BusyError is a refusal: the request was not tried, and may be tried again.
// Values are shared between callers and must not be changed.
type BusyError struct {
	Reason     string        // one of the Reason constants
	RetryAfter time.Duration // jittered, so that refused callers do not return together
}

func (e *BusyError) Error() string {
	return "busy: " + e.Reason + ", retry after " + e.RetryAfter.String()
}

// jitterSteps is how many different RetryAfter values one reason has.
const jitterSteps = 16

// refusals are the ready-made errors of one reason: a refusal allocates nothing.
type refusals [jitterSteps]*BusyError

// newRefusals spreads RetryAfter evenly over [after/2, after*3/2).
func newRefusals(reason string, after time.Duration) *refusals {
	var r refusals
	for i := range r {
		r[i] = &BusyError{Reason: reason, RetryAfter: after/2 + after*time.Duration(i)/jitterSteps}
	}
	return &r
}

func (r *refusals) next() *BusyError { return r[rand.Uint32()%jitterSteps] }
