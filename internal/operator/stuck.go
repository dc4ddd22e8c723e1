package operator

import (
	"context"
	"errors"
	"time"

	"hongbao/envelope"
	"hongbao/orderset/decision"
)

// BatchRow is a batch of payouts that does not go on before people have acted.
type BatchRow struct {
	No          string       `json:"no"`
	Count       int          `json:"count"`
	TotalFen    envelope.Fen `json:"total_fen"`
	Reason      string       `json:"reason"`
	Dissolvable bool         `json:"dissolvable"` // the provider never took it, and is not being asked for it
	Since       time.Time    `json:"since"`
	Proposal    *Proposal    `json:"proposal,omitempty"` // to dissolve it, or of one payout, what to do about that
}

// batchesIn are those of one SET.
func batchesIn(ctx context.Context, set Set, max int) (rows []BatchRow, err error) {
	_, batches, err := set.Stuck(ctx, max)
	for _, b := range batches {
		row := BatchRow{No: b.No, Count: b.Count, TotalFen: b.Total, Reason: b.Reason, Dissolvable: b.Rejected, Since: b.Since}
		if p := b.Proposal; p != nil {
			row.Proposal = &Proposal{p.Action, p.Payee, p.By, p.At}
		}
		rows = append(rows, row)
	}
	return rows, err
}

// stuckIn are the transfers of one SET that are stuck, each with why people can
// decide nothing about it, if so.
func stuckIn(ctx context.Context, set Set, max int) (rows []HeldRow, err error) {
	stuck, _, err := set.Stuck(ctx, max)
	for i := range stuck {
		rows = append(rows, heldRowOf(&stuck[i]))
	}
	return rows, err
}

// BatchNo names a batch of payouts.
type BatchNo string

// Validate implements the rule.
func (no BatchNo) Validate() error {
	_, err := envelope.ParsePayoutBatchNo(string(no))
	return err
}

// StuckNo names a transfer, by the number of its round, or a batch of payouts.
type StuckNo string

// Validate implements the rule.
func (no StuckNo) Validate() error {
	if TransferNo(no).Validate() != nil && BatchNo(no).Validate() != nil {
		return errors.New("must be the number of a transfer or of a batch of payouts")
	}
	return nil
}

// order is the envelope of the transfer, or of the first of the batch.
func (no StuckNo) order() envelope.ID {
	if id, err := envelope.ParsePayoutBatchNo(string(no)); err == nil {
		return id
	}
	return TransferNo(no).order()
}

// BatchInput names a batch.
type BatchInput struct {
	No BatchNo `path:"batch"`
}

// RetryStuckInput names what is stuck, or without a number all of it.
type RetryStuckInput struct {
	No StuckNo `param:"no"`
}

// dissolve proposes to dissolve a batch into its payouts. Nothing happens before
// another person approves.
func (a *API) dissolve(ctx context.Context, by Person, in BatchInput) (None, error) {
	return None{}, a.aboutBatch(ctx, by, in, "proposes", Set.ProposeDissolve)
}

// dissolved carries that out.
func (a *API) dissolved(ctx context.Context, by Person, in BatchInput) (None, error) {
	return None{}, a.aboutBatch(ctx, by, in, "approves", Set.ApproveDissolve)
}

func (a *API) aboutBatch(ctx context.Context, by Person, in BatchInput, does string, do func(Set, context.Context, string, string) error) error {
	set, err := a.cfg.Set(StuckNo(in.No).order())
	if err != nil {
		return err
	}
	if err := do(set, ctx, string(in.No), string(by)); err != nil {
		return forbidden(err)
	}
	a.cfg.Log.Info("operator", "does", does, "action", decision.ActionDissolve, "no", in.No, "by", by)
	return nil
}

// Retried says of every SET whether what is stuck there was made due.
type Retried struct {
	Sets States `json:"sets"`
}

func (r Retried) complete() bool { return !r.Sets.Partial() }

// retryStuck has what is stuck asked about or for again now.
func (a *API) retryStuck(ctx context.Context, by Person, in RetryStuckInput) (Retried, error) {
	a.cfg.Log.Info("operator", "does", "retry of what is stuck", "no", in.No, "by", by)
	if in.No == "" {
		return Retried{each(ctx, a, func(ctx context.Context, set Set) SetState {
			one := SetState{Set: set.Number().String()}
			one.fail(a, set.Retry(ctx, ""))
			return one
		})}, nil
	}
	set, err := a.cfg.Set(in.No.order())
	if err != nil {
		return Retried{}, err
	}
	return Retried{States{{Set: set.Number().String()}}}, forbidden(set.Retry(ctx, string(in.No)))
}
