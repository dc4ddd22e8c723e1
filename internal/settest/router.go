package settest

import (
	"context"
	"errors"
	"slices"

	"hongbao/envelope"
	"hongbao/orderset"
)

// Router is a router whose tests ask for an envelope by its ID alone, of whatever
// SET. It is an [envelope.Placement] without order servers: opens and sends reach the
// SETs at once.
type Router struct{ *orderset.Router }

// ledger is a SET that teller and tests ask directly.
type ledger struct{ *orderset.Set }

// Transfers reads what goes to a user, and the transfer at a position.
func (l ledger) Transfers(ctx context.Context, id envelope.ID, user envelope.UserID, own int) ([]envelope.Transfer, error) {
	return l.Owed().Transfers(ctx, id, user, own)
}

// Again begins the next round of a payout.
func (l ledger) Again(ctx context.Context, id envelope.ID, seq int, user envelope.UserID) (envelope.Transfer, error) {
	return l.Desk().Again(ctx, id, seq, user)
}

// Open is a batch of one.
func (l ledger) Open(ctx context.Context, req envelope.OpenRequest) (envelope.Opening, error) {
	openings, err := l.Set.Open(ctx, []envelope.OpenRequest{req})
	if err != nil {
		return envelope.Opening{}, err
	}
	return openings[0], nil
}

// Ledger is the SET of a number.
func (r *Router) Ledger(n envelope.SetNumber) (envelope.Ledger, error) {
	s, err := r.Router.Set(envelope.Body(0).In(n))
	if err != nil {
		return nil, err
	}
	return ledger{s}, nil
}

// Keys are those of one home.
func (r *Router) Keys(home envelope.KeyHome) (envelope.Keys, error) {
	if home.Witness {
		return r.Witness()
	}
	i := slices.IndexFunc(r.Sets(), func(s *orderset.Set) bool { return s.Number() == home.Set })
	if i < 0 {
		return nil, errors.New("not a home of any key")
	}
	return r.Sets()[i], nil
}

// HotSet is the SET of an ID whose day is open to the public.
func (r *Router) HotSet(id envelope.ID) (*orderset.Set, error) {
	s, err := r.Set(id)
	if err == nil {
		err = s.Hot(id)
	}
	return s, err
}

func (r *Router) Create(ctx context.Context, n envelope.Sending) (envelope.KeyRecord, error) {
	return onSet(r.HotSet, n.Envelope.ID, func(s *orderset.Set) (envelope.KeyRecord, error) { return s.Create(ctx, n) })
}

func (r *Router) Pay(ctx context.Context, p envelope.Payment) (envelope.Envelope, error) {
	return onSet(r.Set, p.OrderNo, func(s *orderset.Set) (envelope.Envelope, error) { return s.Pay(ctx, p) })
}

func (r *Router) Expire(ctx context.Context, id envelope.ID) (envelope.Envelope, error) {
	return onSet(r.Set, id, func(s *orderset.Set) (envelope.Envelope, error) { return s.Expire(ctx, id) })
}

func (r *Router) CloseUnpaid(ctx context.Context, id envelope.ID) (envelope.Envelope, error) {
	return onSet(r.Set, id, func(s *orderset.Set) (envelope.Envelope, error) { return s.CloseUnpaid(ctx, id) })
}

func (r *Router) Sent(ctx context.Context, id envelope.ID) (envelope.Envelope, error) {
	return onSet(r.Set, id, func(s *orderset.Set) (envelope.Envelope, error) { return s.Sent(ctx, id) })
}

func (r *Router) Find(ctx context.Context, id envelope.ID) (envelope.Snapshot, error) {
	return onSet(r.HotSet, id, func(s *orderset.Set) (envelope.Snapshot, error) { return s.Find(ctx, id) })
}

func (r *Router) Peek(ctx context.Context, id envelope.ID, user envelope.UserID) (envelope.Snapshot, error) {
	return onSet(r.HotSet, id, func(s *orderset.Set) (envelope.Snapshot, error) { return s.Peek(ctx, id, user) })
}

func (r *Router) Transfers(ctx context.Context, id envelope.ID, user envelope.UserID, own int) ([]envelope.Transfer, error) {
	return onSet(r.Set, id, func(s *orderset.Set) ([]envelope.Transfer, error) { return s.Owed().Transfers(ctx, id, user, own) })
}

func (r *Router) FindKey(ctx context.Context, home envelope.KeyHome, sender envelope.UserID, key string) (envelope.KeyRecord, error) {
	keys, err := r.Keys(home)
	if err != nil {
		return envelope.KeyRecord{}, err
	}
	return keys.FindKey(ctx, sender, key)
}

func (r *Router) ClaimKey(ctx context.Context, home envelope.KeyHome, rec envelope.KeyRecord) (envelope.KeyRecord, error) {
	keys, err := r.Keys(home)
	if err != nil {
		return envelope.KeyRecord{}, err
	}
	return keys.ClaimKey(ctx, rec)
}

// onSet asks the SET of an ID.
func onSet[T any](find func(envelope.ID) (*orderset.Set, error), id envelope.ID, ask func(*orderset.Set) (T, error)) (none T, err error) {
	s, err := find(id)
	if err != nil {
		return none, err
	}
	return ask(s)
}
