package operator

import (
	"cmp"
	"context"
	"slices"
	"time"

	"hongbao/envelope"
	"hongbao/orderset/decision"
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
	No         string          `json:"no"`
	OrderID    envelope.ID     `json:"order_id"`
	SenderID   envelope.UserID `json:"sender_id,omitempty"` // of the envelope
	Seq        int             `json:"seq"`                 // 0: the refund
	Round      int             `json:"round"`
	PayeeID    envelope.UserID `json:"payee_id"`
	AmountFen  envelope.Fen    `json:"amount_fen"`
	Reason     string          `json:"reason"`
	State      string          `json:"state"`
	Since      time.Time       `json:"since,omitzero"`        // when it was refused
	AgeSeconds int64           `json:"age_seconds,omitempty"` // by the database's clock
	Undecided  string          `json:"undecided,omitempty"`   // why people cannot decide about it
	Proposal   *Proposal       `json:"proposal,omitempty"`    // what stands: an approval names it
	Disputes   []string        `json:"disputes,omitempty"`    // what the provider says against it; stops a release
}

// Proposal is what one person would do about a transfer.
type Proposal struct {
	Action  string          `json:"action"`
	PayeeID envelope.UserID `json:"payee_id,omitempty"` // redirect: the new payee
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

// HeldInput says which are listed, and in which order.
type HeldInput struct {
	Reason Reason   `param:"reason"`
	Sort   HeldSort `param:"sort"`
}

func (a *API) held(ctx context.Context, _ Person, in HeldInput) (Held, error) {
	rows, states := list(ctx, a, func(ctx context.Context, set Set, max int) (rows []HeldRow, err error) {
		held, err := set.Held(ctx, decision.HeldQuery{Reason: string(in.Reason), Sort: string(in.Sort), Max: max})
		for i := range held {
			h := &held[i]
			row := heldRowOf(&h.Transfer)
			row.SenderID, row.Since, row.AgeSeconds, row.Disputes = h.Sender, h.Since, int64(h.Now.Sub(h.Since).Seconds()), h.Disputes
			if p := h.Proposal; p != nil {
				row.Proposal = &Proposal{p.Action, p.Payee, p.By, p.At}
			}
			rows = append(rows, row)
		}
		return rows, err
	})
	stuck, stuckStates := list(ctx, a, stuckIn)
	batches, batchStates := list(ctx, a, batchesIn)
	rows = append(rows, slices.DeleteFunc(stuck, func(r HeldRow) bool { return in.Reason != "" && r.Reason != string(in.Reason) })...)
	in.Sort.order(rows)
	return Held{rows, batches, states.and(stuckStates).and(batchStates)}, nil
}

// order is the order of one SET's rows, over all of them.
func (s HeldSort) order(rows []HeldRow) {
	slices.SortStableFunc(rows, func(a, b HeldRow) int {
		age := a.Since.Compare(b.Since)
		switch s {
		case decision.HeldByAge:
			return age
		case decision.HeldByReason:
			return cmp.Or(cmp.Compare(a.Reason, b.Reason), age)
		}
		return cmp.Or(cmp.Compare(b.AmountFen, a.AmountFen), age)
	})
}

// NumberInput names a transfer, by the number of its round.
type NumberInput struct {
	No TransferNo `path:"no"`
}

// RedirectInput names a transfer and its new payee.
type RedirectInput struct {
	No    TransferNo `path:"no"`
	Payee Person     `param:"payee,required"`
}

// release proposes to try again, for the same payee. Nothing happens before
// another person approves.
func (a *API) release(ctx context.Context, by Person, in NumberInput) (Proposal, error) {
	return a.propose(ctx, by, in.No, decision.ActionRelease, "")
}

// redirect proposes to pay another person.
func (a *API) redirect(ctx context.Context, by Person, in RedirectInput) (Proposal, error) {
	return a.propose(ctx, by, in.No, decision.ActionRedirect, in.Payee)
}

// settle proposes to take it as paid by the provider, under the number named.
func (a *API) settle(ctx context.Context, by Person, in NumberInput) (Proposal, error) {
	return a.propose(ctx, by, in.No, decision.ActionSettle, "")
}

// dismiss proposes to end what is disputed about a transfer: it is as we have it.
func (a *API) dismiss(ctx context.Context, by Person, in NumberInput) (Proposal, error) {
	return a.propose(ctx, by, in.No, decision.ActionDismiss, "")
}

func (a *API) propose(ctx context.Context, by Person, no TransferNo, action string, payee Person) (Proposal, error) {
	set, err := a.cfg.Set(no.order())
	if err != nil {
		return Proposal{}, err
	}
	p, err := set.Propose(ctx, string(no), string(by), action, envelope.UserID(payee))
	if err != nil {
		return Proposal{}, forbidden(err)
	}
	a.cfg.Log.Info("operator", "proposes", action, "no", no, "by", by, "payee", payee)
	return Proposal{p.Action, p.Payee, p.By, p.At}, nil
}

// withdraw takes back what the same person has proposed.
func (a *API) withdraw(ctx context.Context, by Person, in NumberInput) (None, error) {
	set, err := a.cfg.Set(in.No.order())
	if err != nil {
		return None{}, err
	}
	if err := set.Withdraw(ctx, string(in.No), string(by)); err != nil {
		return None{}, forbidden(err)
	}
	a.cfg.Log.Info("operator", "withdraws", in.No, "by", by)
	return None{}, nil
}

// ApproveInput names a transfer, and the proposal about it that was seen.
type ApproveInput struct {
	No         TransferNo `path:"no"`
	Action     Action     `param:"action,required"`
	Payee      Person     `param:"payee"` // redirect: the new payee
	ProposedAt Moment     `param:"proposed_at,required"`
}

// approve carries out what another person proposed, if that is what was seen; the
// answer is the transfer as it goes on.
func (a *API) approve(ctx context.Context, by Person, in ApproveInput) (HeldRow, error) {
	set, err := a.cfg.Set(in.No.order())
	if err != nil {
		return HeldRow{}, err
	}
	seen := decision.Proposal{Action: string(in.Action), Payee: envelope.UserID(in.Payee), At: in.ProposedAt.time()}
	t, err := set.Approve(ctx, string(in.No), string(by), seen)
	if err != nil {
		return HeldRow{}, forbidden(err)
	}
	a.cfg.Log.Info("operator", "approves", in.No, "action", in.Action, "by", by, "next", t.No(), "payee", t.Payee)
	return heldRowOf(&t), nil
}
