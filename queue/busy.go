package queue

import (
	"errors"
	"math/rand/v2"
	"time"
)

var (
	// ErrUnknown means that a request was handed to Serve and it is unknown
	// whether it took effect. Ask again with the same request; never report a
	// failure. A Serve that returns it (wrapped) is not run again.
	ErrUnknown = errors.New("outcome unknown")

	// ErrClosed means that the lane takes no more requests.
	ErrClosed = errors.New("queue: lane is closed")
)

// Reason is why a [BusyError] is busy. It is stable: callers and dashboards match
// on it.
type Reason string

// The reasons.
const (
	ReasonDraining     Reason = "draining"      // the SET or the process is being emptied
	ReasonOverloaded   Reason = "overloaded"    // too many requests in flight
	ReasonCPU          Reason = "cpu"           // the machine is saturated
	ReasonQueueFull    Reason = "queue_full"    // the key's queue is full, or queues move too slowly
	ReasonLaneFull     Reason = "lane_full"     // the lane's queues together are full
	ReasonExpired      Reason = "expired"       // waited WaitMax, or its caller left, before service
	ReasonDatabaseSlow Reason = "database_slow" // transactions take longer than the ceiling
	ReasonDatabaseDown Reason = "database_down" // transactions fail
	ReasonOverCap      Reason = "over_cap"      // as many holders or permits of the key as allowed
	ReasonGateFull     Reason = "gate_full"     // every entry of the gate's key table is in use
)

// BusyError is a refusal: the request was not tried, and may be tried again.
// Values are shared between callers and must not be changed.
type BusyError struct {
	Reason     Reason
	RetryAfter time.Duration // jittered, so that refused callers do not return together
}

func (e *BusyError) Error() string {
	return "busy: " + string(e.Reason) + ", retry after " + e.RetryAfter.String()
}

// jitterSteps is how many different RetryAfter values one reason has.
const jitterSteps = 16

// refusals are the ready-made errors of one reason: a refusal allocates nothing.
type refusals [jitterSteps]*BusyError

// newRefusals spreads RetryAfter evenly over [after/2, after*3/2).
func newRefusals(reason Reason, after time.Duration) *refusals {
	var r refusals
	for i := range r {
		r[i] = &BusyError{Reason: reason, RetryAfter: after/2 + after*time.Duration(i)/jitterSteps}
	}
	return &r
}

func (r *refusals) next() *BusyError { return r[rand.Uint32()%jitterSteps] }
