package loadtest

import (
	"time"

	"hongbao/envelope"
)

// RefusedFastMax separates a refusal that protects from one that has cost the
// service almost as much as the request.
const RefusedFastMax = 5 * time.Millisecond

// Class is what kind of answer a request got.
type Class uint8

// The classes. Only Unknown may or may not have taken effect; of Refused and
// Unreached nothing did, which the audit holds the service to.
const (
	Accepted    Class = iota // 200 with an outcome of the call
	RefusedFast              // 429 or 503 within RefusedFastMax
	RefusedSlow              // 429 or 503, later
	Unknown                  // 504, or the connection broke after the request was written
	Unreached                // no connection: the service has not seen the request
	Wrong                    // nothing that the call may answer
	classes
)

func (c Class) String() string {
	return [classes]string{"accepted", "refused_fast", "refused_slow", "unknown", "unreached", "wrong"}[c]
}

// Outcome is what an accepted answer says.
type Outcome uint8

// The outcomes of an open.
const (
	Nothing Outcome = iota // not accepted
	Opened
	AlreadyOpened
	Empty
	Expired
)

// toldBy reads an outcome of the API.
func outcomeOf(o envelope.Outcome) (Outcome, bool) {
	switch o {
	case envelope.Opened:
		return Opened, true
	case envelope.AlreadyOpened:
		return AlreadyOpened, true
	case envelope.Drained:
		return Empty, true
	case envelope.TooLate:
		return Expired, true
	}
	return Nothing, false
}

func (t Outcome) String() string {
	return [...]string{"nothing", "opened", "already_opened", "empty", "expired"}[t]
}

// Act is what was asked for.
type Act uint8

// The acts of a crowd.
const (
	Opening Act = iota
	Sending
	Paying
)

// Record is one request and its answer. Times are nanoseconds since the journal
// began. It holds no pointers: a million of them cost the collector nothing.
type Record struct {
	First int64 // when the person wanted it, before any retry
	Due   int64 // when this request should have been sent; its latency counts from here
	Sent  int64 // when it was sent
	Got   int64 // when its answer was whole

	Gift, User int32
	Amount     int32 // fen, with Opened and AlreadyOpened
	Seq        int16 // the same
	Status     int16 // of HTTP; 0 without an answer
	Class      Class
	Outcome    Outcome
	Act        Act
	Curt       bool // a refusal without Retry-After
}

func (a Act) String() string { return [...]string{"open", "send", "pay"}[a] }
