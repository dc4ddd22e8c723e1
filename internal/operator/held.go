package operator

import (
	"context"
	"time"

	"hongbao/envelope"
	"hongbao/orderset"
)

// Held is money that waits for people: transfers, held or stuck, and batches of
// payouts that are stuck.
type Held struct {
	Held    []HeldRow  `json:"held"`
	Batches []BatchRow `json:"batches"`
	Sets    States     `json:"sets"`
}

// HeldRow is one of them, and what one person has proposed about it.
type HeldRow struct {
	No        string          `json:"no"`
	OrderID   envelope.ID     `json:"order_id"`
	Seq       int             `json:"seq"` // 0: the refund
	Round     int             `json:"round"`
	PayeeID   envelope.UserID `json:"payee_id"`
	AmountFen envelope.Fen    `json:"amount_fen"`
	Reason    string          `json:"reason"`
	State     string          `json:"state"`
	Undecided string          `json:"undecided,omitempty"` // why people cannot decide about it
	Proposal  *Proposal       `json:"proposal,omitempty"`  // what stands: an approval approves this
}

// Proposal is what one person would do about a transfer.
type Proposal struct {
	Action  string          `json:"action"`
	PayeeID envelope.UserID `json:"payee_id,omitempty"` // redirect: who gets it instead
	By      string          `json:"by"`
	At      time.Time       `json:"at"`
}

func heldRowOf(t *envelope.Transfer) HeldRow {
	row := HeldRow{No: t.No(), OrderID: t.OrderNo, Seq: t.Seq, Round: t.Round, PayeeID: t.Payee,
		AmountFen: t.Amount, Reason: t.Reason, State: string(t.State)}
	if err := t.MayBeginNext(); t.State == envelope.Stuck && err != nil {
		row.Undecided = err.Error()
	}
	return row
}

func (a *API) held(ctx context.Context, _ Person, _ None) (Held, error) {
	rows, states := list(ctx, a, heldIn)
	stuck, stuckStates := list(ctx, a, stuckIn)
	batches, batchStates := list(ctx, a, batchesIn)
	return Held{append(rows, stuck...), batches, states.and(stuckStates).and(batchStates)}, nil
}

// heldIn are the rows of one SET.
func heldIn(ctx context.Context, set Set, max int) (rows []HeldRow, err error) {
	held, err := set.Held(ctx, max)
	if err != nil {
		return nil, err
	}
	proposals, err := set.Proposals(ctx, max)
	for i := range held {
		row := heldRowOf(&held[i])
		if p, stands := proposals[row.No]; stands {
			row.Proposal = &Proposal{p.Action, p.Payee, p.By, p.At}
		}
		rows = append(rows, row)
	}
	return rows, err
}

// NumberInput names a transfer, by the number of its round.
type NumberInput struct {
	No TransferNo `path:"no"`
}

// RedirectInput names a transfer and who gets it instead.
type RedirectInput struct {
	No    TransferNo `path:"no"`
	Payee Person     `param:"payee,required"`
}

// release proposes to try again, for the same payee. Nothing happens before
// another person approves.
func (a *API) release(ctx context.Context, by Person, in NumberInput) (None, error) {
	return None{}, a.propose(ctx, by, in.No, orderset.ActionRelease, "")
}

// redirect proposes to pay another person.
func (a *API) redirect(ctx context.Context, by Person, in RedirectInput) (None, error) {
	return None{}, a.propose(ctx, by, in.No, orderset.ActionRedirect, in.Payee)
}

func (a *API) propose(ctx context.Context, by Person, no TransferNo, action string, payee Person) error {
	set, err := a.cfg.Set(no.order())
	if err != nil {
		return err
	}
	if err := set.Propose(ctx, string(no), string(by), action, envelope.UserID(payee)); err != nil {
		return forbidden(err)
	}
	a.cfg.Log.Info("operator", "proposes", action, "no", no, "by", by, "payee", payee)
	return nil
}

// approve carries out what another person proposed; the answer is the transfer in
// its next round.
func (a *API) approve(ctx context.Context, by Person, in NumberInput) (HeldRow, error) {
	set, err := a.cfg.Set(in.No.order())
	if err != nil {
		return HeldRow{}, err
	}
	t, err := set.Approve(ctx, string(in.No), string(by))
	if err != nil {
		return HeldRow{}, forbidden(err)
	}
	a.cfg.Log.Info("operator", "approves", in.No, "by", by, "next", t.No(), "payee", t.Payee)
	return heldRowOf(&t), nil
}
