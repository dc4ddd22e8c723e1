package operator

import (
	"context"
	"time"

	"hongbao/envelope"
	"hongbao/orderset/decision"
)

// Decisions are what people have proposed and decided, the latest first.
type Decisions struct {
	Decisions []DecisionRow `json:"decisions"`
	Sets      States        `json:"sets"`
}

// DecisionRow is one of them.
type DecisionRow struct {
	No         string          `json:"no"`
	Action     string          `json:"action"`
	PayeeID    envelope.UserID `json:"payee_id,omitempty"`
	ProposedBy string          `json:"proposed_by"`
	ProposedAt time.Time       `json:"proposed_at"`
	State      string          `json:"state"` // standing, approved, withdrawn or lapsed
	DecidedBy  string          `json:"decided_by,omitempty"`
	DecidedAt  time.Time       `json:"decided_at,omitzero"`
}

// DecisionsInput asks for all, or for those about one transfer.
type DecisionsInput struct {
	No TransferNo `param:"no"`
}

func (a *API) decisions(ctx context.Context, _ Person, in DecisionsInput) (Decisions, error) {
	rows, states := list(ctx, a, func(ctx context.Context, set Set, max int) (rows []DecisionRow, err error) {
		if in.No != "" && in.No.order().Set() != set.Number() {
			return nil, nil
		}
		ds, err := set.Decisions(ctx, string(in.No), max)
		for _, d := range ds {
			rows = append(rows, DecisionRow{d.No, d.Action, d.Payee, d.By, d.At, d.State, d.DecidedBy, d.DecidedAt})
		}
		return rows, err
	})
	return Decisions{rows, states}, nil
}

// Bulk is what came of deciding about all that is held for one reason, up to a
// bound of each SET.
type Bulk struct {
	Done    []string      `json:"done"` // numbers
	Refused []BulkRefusal `json:"refused"`
	Sets    States        `json:"sets"`
}

// BulkRefusal is one that stays as it is.
type BulkRefusal struct {
	No  string `json:"no"`
	Why string `json:"why"`
}

// BulkReleaseInput names the reason why transfers are held.
type BulkReleaseInput struct {
	Reason Reason `param:"reason,required"`
}

// bulkRelease proposes to release all that is held for a reason and has no proposal.
func (a *API) bulkRelease(ctx context.Context, by Person, in BulkReleaseInput) (Bulk, error) {
	q := decision.HeldQuery{Reason: string(in.Reason), Sort: decision.HeldByAge, Proposed: decision.HeldNotProposed}
	return a.bulk(ctx, q, func(ctx context.Context, set Set, h *decision.HeldTransfer) error {
		_, err := set.Propose(ctx, h.No(), string(by), decision.ActionRelease, "")
		return err
	}, "proposes", by)
}

// BulkApproveInput names what one person has proposed, up to the moment at which it
// was looked at: of what came later nothing is approved.
type BulkApproveInput struct {
	Reason     Reason `param:"reason,required"`
	ProposedBy Person `param:"proposed_by,required"`
	Until      Moment `param:"until,required"`
}

// bulkApprove approves the releases that another person has proposed.
func (a *API) bulkApprove(ctx context.Context, by Person, in BulkApproveInput) (Bulk, error) {
	q := decision.HeldQuery{Reason: string(in.Reason), Sort: decision.HeldByAge, Proposed: string(in.ProposedBy), Until: in.Until.time()}
	return a.bulk(ctx, q, func(ctx context.Context, set Set, h *decision.HeldTransfer) error {
		if h.Proposal == nil {
			return nil // withdrawn or approved a moment ago
		}
		_, err := set.Approve(ctx, h.No(), string(by), *h.Proposal)
		return err
	}, "approves", by)
}

func (a *API) bulk(ctx context.Context, q decision.HeldQuery, do func(context.Context, Set, *decision.HeldTransfer) error, what string, by Person) (Bulk, error) {
	type outcome struct{ no, why string }
	rows, states := list(ctx, a, func(ctx context.Context, set Set, max int) (rows []outcome, err error) {
		q := q
		q.Max = max
		held, err := set.Held(ctx, q)
		for i := range held {
			if i == listMax {
				return append(rows, outcome{}), nil // says that there are more
			}
			row := outcome{no: held[i].No()}
			if err := do(ctx, set, &held[i]); err != nil {
				row.why = err.Error()
			}
			rows = append(rows, row)
		}
		return rows, err
	})
	b := Bulk{Done: []string{}, Refused: []BulkRefusal{}, Sets: states}
	for _, r := range rows {
		if r.why == "" {
			b.Done = append(b.Done, r.no)
		} else {
			b.Refused = append(b.Refused, BulkRefusal{r.no, r.why})
		}
	}
	a.cfg.Log.Info("operator", what, len(b.Done), "refused", len(b.Refused), "reason", q.Reason, "by", by)
	return b, nil
}
