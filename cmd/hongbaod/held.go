package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"hongbao/envelope"
	"hongbao/internal/httpapi"
	"hongbao/orderset"
)

// errNotOperator refuses to move money for somebody who has not said who they are.
var errNotOperator = errors.New("this moves money: it wants a person's token with scope operate, signed under keys.operators (hongbaoctl token --user YOU --scope operate)")

// heldRoutes are what people decide about transfers that were refused for good.
// It takes two of them: one proposes, another approves.
func (d *daemon) heldRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /held", d.operate(d.listHeld))
	mux.HandleFunc("POST /held/{no}/release", d.operate(d.propose(orderset.ActionRelease)))
	mux.HandleFunc("POST /held/{no}/redirect", d.operate(d.propose(orderset.ActionRedirect)))
	mux.HandleFunc("POST /held/{no}/approve", d.operate(d.approve))
}

// person is who asks, by their token.
func (d *daemon) person(r *http.Request) (string, error) {
	if d.keys.operators == nil {
		return "", fmt.Errorf("%w; this deployment has no keys.operators", errNotOperator)
	}
	caller, err := d.keys.operators.Authenticate(r.Header)
	if err != nil || caller.Scopes&httpapi.ScopeOperate == 0 {
		return "", errors.Join(errNotOperator, err)
	}
	return string(caller.User), nil
}

// heldRow is a transfer that waits for people, and what one of them has proposed.
type heldRow struct {
	No        string          `json:"no"`
	OrderID   envelope.ID     `json:"order_id"`
	Seq       int             `json:"seq"` // 0: the refund
	Round     int             `json:"round"`
	PayeeID   envelope.UserID `json:"payee_id"`
	AmountFen envelope.Fen    `json:"amount_fen"`
	Reason    string          `json:"reason"`
	State     string          `json:"state"`
	Proposal  *proposalRow    `json:"proposal,omitempty"` // what stands; whoever approves, approves this
}

type proposalRow struct {
	Action  string          `json:"action"`
	PayeeID envelope.UserID `json:"payee_id,omitempty"` // redirect: who gets it instead
	By      string          `json:"by"`
	At      time.Time       `json:"at"`
}

func heldRowOf(t *envelope.Transfer) heldRow {
	return heldRow{No: t.No(), OrderID: t.OrderNo, Seq: t.Seq, Round: t.Round, PayeeID: t.Payee,
		AmountFen: t.Amount, Reason: t.Reason, State: string(t.State)}
}

func (d *daemon) listHeld(ctx context.Context, _ *http.Request) (any, error) {
	rows := []heldRow{}
	for _, set := range d.router.Sets() {
		held, err := set.Held(ctx, listMax)
		if err != nil {
			return nil, err
		}
		proposals, err := set.Proposals(ctx, listMax)
		if err != nil {
			return nil, err
		}
		for i := range held {
			row := heldRowOf(&held[i])
			if p, stands := proposals[row.No]; stands {
				row.Proposal = &proposalRow{p.Action, p.Payee, p.By, p.At}
			}
			rows = append(rows, row)
		}
	}
	return map[string]any{"held": rows}, nil
}

// propose says what to do about a held transfer; nothing happens before somebody
// else approves.
func (d *daemon) propose(action string) func(context.Context, *http.Request) (any, error) {
	return func(ctx context.Context, r *http.Request) (any, error) {
		by, set, no, err := d.personAndTransfer(r)
		if err != nil {
			return nil, err
		}
		payee := envelope.UserID(r.URL.Query().Get("payee"))
		if err := set.Propose(ctx, no, by, action, payee); err != nil {
			return nil, err
		}
		d.log.Info("operator", "proposes", action, "no", no, "by", by, "payee", payee)
		return nil, nil
	}
}

func (d *daemon) approve(ctx context.Context, r *http.Request) (any, error) {
	by, set, no, err := d.personAndTransfer(r)
	if err != nil {
		return nil, err
	}
	t, err := set.Approve(ctx, no, by)
	if err != nil {
		return nil, err
	}
	d.log.Info("operator", "approves", no, "by", by, "next", t.No(), "payee", t.Payee)
	return heldRowOf(&t), nil
}

// personAndTransfer is who asks, and the SET and the number of the transfer they
// ask about.
func (d *daemon) personAndTransfer(r *http.Request) (by string, set *orderset.Set, no string, err error) {
	if by, err = d.person(r); err != nil {
		return "", nil, "", err
	}
	no = r.PathValue("no")
	id, _, _, err := envelope.ParseTransferNo(no)
	if err != nil {
		return "", nil, "", fmt.Errorf("%w: %w", envelope.ErrNotFound, err)
	}
	set, err = d.router.Set(id)
	return by, set, no, err
}
