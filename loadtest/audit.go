package loadtest

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"hongbao/envelope"
)

// Audit shows every envelope that was asked for and holds all answers against
// it. It is called once, when every load has ended.
func (s *Stage) Audit(ctx context.Context) (*Verdict, error) {
	h := &History{Users: make([]envelope.UserID, len(s.cfg.Users)), Envelopes: make([]Expected, len(s.lives)), Records: s.records}
	for i, u := range s.cfg.Users {
		h.Users[i] = u.Name
	}
	touched := make([]bool, len(s.lives))
	for i := range s.records {
		touched[s.records[i].Gift] = true
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(deskCallersMax)
	for gift := range s.lives {
		l, plan := &s.lives[gift], &s.cfg.Plan.Gifts[gift]
		h.Envelopes[gift] = Expected{ID: l.id, Kind: plan.Kind, Total: plan.Total, Count: plan.Count, Commitment: l.commitment}
		if !touched[gift] || l.ticket == "" {
			continue
		}
		g.Go(func() (err error) {
			h.Envelopes[gift].Shown, err = s.shown(ctx, l.id, s.cfg.Users[plan.Sender].Token)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	v := h.Audit()
	v.Violations = append(v.Violations, s.broken...)
	v.Samples = s.samples
	return v, nil
}

// shown asks until there is an answer: the service may still be recovering from
// what the load did to it.
func (s *Stage) shown(ctx context.Context, id envelope.ID, token string) (shown *Shown, err error) {
	err = patiently(ctx, func() error {
		shown, err = s.desk.show(ctx, token, id)
		return err
	})
	if gone, ok := errors.AsType[*statusError](err); ok && gone.status == 404 {
		return nil, nil // the audit says what that means
	}
	return shown, err
}
