package orderserver

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"hongbao/envelope"
	"hongbao/queue"
)

var _ interface {
	envelope.Ledger
	envelope.Keys
} = (*Server)(nil)

// calls counts what is under way beside the lanes, so that a SET's connections are
// closed after the last one.
type calls struct {
	running atomic.Int64
	closed  atomic.Bool
}

var errClosed = &envelope.BusyError{Reason: envelope.Reason(queue.ReasonDraining), RetryAfter: drainRetryAfter}

// begin lets a call in unless the server is closed; it is ended with end.
func (c *calls) begin() error {
	c.running.Add(1)
	if c.closed.Load() {
		c.running.Add(-1)
		return errClosed
	}
	return nil
}

func (c *calls) end() { c.running.Add(-1) }

// endPoll is how often the end of the last call is looked for.
const endPoll = 5 * time.Millisecond

// close lets no call in any more, and waits for those under way.
func (c *calls) close(ctx context.Context) error {
	c.closed.Store(true)
	tick := time.NewTicker(endPoll)
	defer tick.Stop()
	for c.running.Load() > 0 {
		select {
		case <-ctx.Done():
			return fmt.Errorf("order server: closed with %d calls under way: %w", c.running.Load(), context.Cause(ctx))
		case <-tick.C:
		}
	}
	return nil
}

// run is one call that goes past the lanes.
func run[T any](s *Server, call func() (T, error)) (none T, err error) {
	if err := s.calls.begin(); err != nil {
		return none, err
	}
	defer s.calls.end()
	return call()
}

// Create commits an unpaid envelope if the shedder admits it: a SET that is refusing
// costs a send a new suffix, not a wait. A send can go to another SET, so it is never
// the probe of one that is down.
func (s *Server) Create(ctx context.Context, n envelope.Sending) (envelope.KeyRecord, error) {
	if err := s.set.Hot(n.Envelope.ID); err != nil {
		return envelope.KeyRecord{}, err
	}
	return run(s, func() (envelope.KeyRecord, error) {
		admission, err := s.shed.AdmitElsewhere()
		if err != nil {
			return envelope.KeyRecord{}, domainError(err)
		}
		start := time.Now()
		r, err := s.set.Create(ctx, n)
		s.shed.Observe(time.Since(start), illness(err))
		admission.Done(ending(err))
		return r, err
	})
}

// FindKey is not shed, and nor is a claim: a home that is not asked would have to be
// taken for silent. The shedder observes how it went.
func (s *Server) FindKey(ctx context.Context, sender envelope.UserID, key string) (envelope.KeyRecord, error) {
	return run(s, func() (envelope.KeyRecord, error) {
		start := time.Now()
		r, err := s.set.FindKey(ctx, sender, key)
		s.shed.Observe(time.Since(start), illness(err))
		return r, err
	})
}

// ClaimKey keeps a record unless the SET has one of the key, and returns the one that
// is there.
func (s *Server) ClaimKey(ctx context.Context, r envelope.KeyRecord) (envelope.KeyRecord, error) {
	return run(s, func() (envelope.KeyRecord, error) { return s.set.ClaimKey(ctx, r) })
}

// Sent reads the header of an envelope that a key's record names, however old.
func (s *Server) Sent(ctx context.Context, id envelope.ID) (envelope.Envelope, error) {
	return run(s, func() (envelope.Envelope, error) { return s.set.Sent(ctx, id) })
}

// Pay makes an unpaid envelope active.
func (s *Server) Pay(ctx context.Context, p envelope.Payment) (envelope.Envelope, error) {
	return run(s, func() (envelope.Envelope, error) { return s.set.Pay(ctx, p) })
}

// Find reads an envelope with its shares.
func (s *Server) Find(ctx context.Context, id envelope.ID) (envelope.Snapshot, error) {
	if err := s.set.Hot(id); err != nil {
		return envelope.Snapshot{}, err
	}
	return run(s, func() (envelope.Snapshot, error) { return s.set.Find(ctx, id) })
}

// Peek reads an envelope with at most the share of one user.
func (s *Server) Peek(ctx context.Context, id envelope.ID, user envelope.UserID) (envelope.Snapshot, error) {
	if err := s.set.Hot(id); err != nil {
		return envelope.Snapshot{}, err
	}
	return run(s, func() (envelope.Snapshot, error) { return s.set.Peek(ctx, id, user) })
}

// Transfers reads the transfers of an envelope that go to a user, and its own.
func (s *Server) Transfers(ctx context.Context, id envelope.ID, user envelope.UserID, own int) ([]envelope.Transfer, error) {
	return run(s, func() ([]envelope.Transfer, error) { return s.set.Owed().Transfers(ctx, id, user, own) })
}

// Again begins the next round of a payout that its payee had not confirmed in time.
func (s *Server) Again(ctx context.Context, id envelope.ID, seq int, user envelope.UserID) (envelope.Transfer, error) {
	return run(s, func() (envelope.Transfer, error) { return s.set.Desk().Again(ctx, id, seq, user) })
}

// closeLanes answers what was admitted to the lanes, all at once.
func (s *Server) closeLanes(ctx context.Context) error {
	closing := make(chan error, len(s.lanes))
	for _, l := range s.lanes {
		go func() { closing <- l.Close(ctx) }()
	}
	var errs []error
	for range s.lanes {
		errs = append(errs, <-closing)
	}
	return errors.Join(errs...)
}
