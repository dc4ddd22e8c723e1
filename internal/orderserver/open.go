package orderserver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hongbao/envelope"
	"hongbao/queue"
)

// Open takes a share. The way of an open, from its handler to COMMIT; what it
// carries is the same OpenRequest, a user and an envelope, all the way:
//
//	httpapi         token, headers, ID           401, 400
//	envelope.Teller the ticket is the ID's seal  404
//	a SET's Server  by the number in the ID      404, 503
//	  day           has tables                   404
//	  memory        shares and ends are certain  ── answered
//	  shedder       load, a database that is ill 503, 429
//	  gate          holders of the envelope      429
//	  lane          FIFO per envelope            429, 503
//	    │ a batch of OpenRequests
//	orderset.Set    envelope.Decide on memory, one packet, guarded by ver
//	    │ lost to another writer: again, under the headers' locks
//	  COMMIT        done · not done · unknown: asked again under the locks
func (s *Server) Open(ctx context.Context, req envelope.OpenRequest) (envelope.Opening, error) {
	if err := s.set.Hot(req.ID); err != nil {
		return envelope.Opening{}, err
	}
	if opening, certain := s.set.Known(req.ID, req.User); certain {
		return opening, nil
	}
	admission, err := s.shed.Admit()
	if err != nil {
		return envelope.Opening{}, domainError(err)
	}
	opening, err := s.enter(ctx, req)
	admission.Done(ending(err))
	if err != nil {
		return envelope.Opening{}, domainError(err)
	}
	return opening, nil
}

func (s *Server) enter(ctx context.Context, req envelope.OpenRequest) (envelope.Opening, error) {
	permit, err := s.gate.Enter(ctx, string(req.ID))
	if err != nil {
		return envelope.Opening{}, err
	}
	defer permit.Leave()
	if s.pick != nil {
		return s.lanes[s.pick(req.ID)].Do(ctx, req.ID, operation{open: req})
	}
	return run(s, func() (envelope.Opening, error) {
		openings, err := s.transact(ctx, []envelope.OpenRequest{req})
		if err != nil {
			return envelope.Opening{}, err
		}
		return openings[0], nil
	})
}

// transact opens a batch in one transaction, watched by the shedder.
func (s *Server) transact(ctx context.Context, reqs []envelope.OpenRequest) ([]envelope.Opening, error) {
	start := time.Now()
	openings, err := s.set.Open(ctx, reqs)
	s.shed.Observe(time.Since(start), illness(err))
	return openings, err
}

// operation is what waits in a lane for an envelope. Opens of a batch share a
// transaction; anything else is serial with them because it queues with them, and
// runs alone after the opens of its batch (I6).
type operation struct {
	open  envelope.OpenRequest
	alone func(context.Context) error // not an open
}

// Expire ends an envelope's life in its turn.
func (s *Server) Expire(ctx context.Context, id envelope.ID) (envelope.Envelope, error) {
	if s.pick == nil {
		return run(s, func() (envelope.Envelope, error) { return s.set.Expire(ctx, id) })
	}
	var e envelope.Envelope // written by the lane, and read only once that has answered
	_, err := s.lanes[s.pick(id)].Do(ctx, id, operation{alone: func(ctx context.Context) (err error) {
		e, err = s.set.Expire(ctx, id)
		return err
	}})
	if err != nil {
		return envelope.Envelope{}, domainError(err)
	}
	return e, nil
}

// DueExpiries are the envelopes whose life is over.
func (s *Server) DueExpiries(ctx context.Context, max int) ([]envelope.ID, error) {
	return s.set.DueExpiries(ctx, max)
}

// serve carries out a lane's batch. Only a fault is worth bisecting: a SET that is
// down or a commit that is unknown is so for the whole batch.
func (s *Server) serve(ctx context.Context, batch []queue.Item[envelope.ID, operation]) ([]queue.Answer[envelope.Opening], error) {
	answers := make([]queue.Answer[envelope.Opening], len(batch))
	reqs := make([]envelope.OpenRequest, 0, len(batch))
	at := make([]int, 0, len(batch))
	for i := range batch {
		if batch[i].Req.alone == nil {
			reqs, at = append(reqs, batch[i].Req.open), append(at, i)
		}
	}
	if len(reqs) > 0 {
		openings, err := s.transact(ctx, reqs)
		if err != nil && !forWholeBatch(err) {
			return nil, err
		}
		for j, i := range at {
			if answers[i].Err = err; err == nil {
				answers[i].Res = openings[j]
			}
		}
	}
	for i := range batch {
		if alone := batch[i].Req.alone; alone != nil {
			answers[i].Err = alone(ctx)
		}
	}
	return answers, nil
}

func forWholeBatch(err error) bool {
	_, busy := errors.AsType[*envelope.BusyError](err)
	return busy || errors.Is(err, envelope.ErrUnknownOutcome)
}

// illness keeps from the shedder what says nothing about the database.
func illness(err error) error {
	busy, ok := errors.AsType[*envelope.BusyError](err)
	if ok && busy.Reason == envelope.ReasonSetUnavailable || errors.Is(err, envelope.ErrUnknownOutcome) {
		return err
	}
	return nil
}

// ending says to the adaptive limit whether a request's duration tells something
// about the database.
func ending(err error) queue.Ending {
	if err == nil {
		return queue.Served
	}
	return queue.Dropped
}

// drainRetryAfter is when to come back to a server that is being emptied.
const drainRetryAfter = time.Second

// domainError turns what the queue says into what the domain says.
func domainError(err error) error {
	if full, ok := errors.AsType[*queue.BusyError](err); ok {
		return &envelope.BusyError{Reason: envelope.Reason(full.Reason), RetryAfter: full.RetryAfter}
	}
	switch {
	case errors.Is(err, queue.ErrClosed):
		return &envelope.BusyError{Reason: envelope.Reason(queue.ReasonDraining), RetryAfter: drainRetryAfter}
	case errors.Is(err, queue.ErrUnknown):
		return fmt.Errorf("%w: %w", envelope.ErrUnknownOutcome, err)
	}
	return err
}
