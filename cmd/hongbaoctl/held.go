package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"hongbao/envelope"
)

// heldCmd is what two people decide about money that could not be moved.
type heldCmd struct {
	List     heldListCmd     `cmd:"" help:"Transfers that the provider refused for good, and what was proposed about them. Exit 1 when there are any."`
	Release  heldReleaseCmd  `cmd:"" help:"Propose to try again, for the same payee. Nothing happens before somebody else approves."`
	Redirect heldRedirectCmd `cmd:"" help:"Propose to pay somebody else. Nothing happens before somebody else approves."`
	Approve  heldApproveCmd  `cmd:"" help:"Carry out what somebody else proposed."`
}

// lookHeld lists what can be decided about.
const lookHeld = "hongbaoctl held list"

// held is what GET /held answers.
type held struct {
	Held []heldTransfer `json:"held"`
}

type heldTransfer struct {
	No        string       `json:"no"`
	OrderID   string       `json:"order_id"`
	Seq       int          `json:"seq"` // 0: the refund
	Round     int          `json:"round"`
	PayeeID   string       `json:"payee_id"`
	AmountFen envelope.Fen `json:"amount_fen"`
	Reason    string       `json:"reason"`
	State     string       `json:"state"`
	Proposal  *proposal    `json:"proposal,omitempty"`
}

type proposal struct {
	Action  string    `json:"action"`
	PayeeID string    `json:"payee_id,omitempty"` // redirect: who gets it instead
	By      string    `json:"by"`
	At      time.Time `json:"at"`
}

func (p *proposal) String() string {
	if p == nil {
		return ""
	}
	what := p.Action
	if p.PayeeID != "" {
		what += " to " + p.PayeeID
	}
	return what + ", by " + p.By + " at " + moment(p.At)
}

type heldListCmd struct{}

func (heldListCmd) Run(ctx context.Context, c *cli) error {
	return ask(ctx, c, "/held", (*held).print, func(h *held) bool { return len(h.Held) > 0 })
}

func (h *held) print() {
	if len(h.Held) == 0 {
		fmt.Println("nothing is held")
		return
	}
	t := newWideTable("why", "number", "payee", "amount", "round", "why", "proposed")
	for _, one := range h.Held {
		t.AppendRow(table.Row{one.No, one.PayeeID, one.AmountFen, one.Round, one.Reason, one.Proposal.String()})
	}
	t.Render()
	fmt.Println("one person: hongbaoctl held release NUMBER --as PERSON, or held redirect; then another: held approve NUMBER --as PERSON")
}

type heldReleaseCmd struct {
	No transferNo `arg:"" name:"number" help:"Of the transfer, as held list shows it."`
	As person     `required:"" help:"Who proposes it."`
}

func (r heldReleaseCmd) Run(ctx context.Context, c *cli) error {
	return proposed{No: r.No, Action: "release", By: r.As}.make(ctx, c)
}

type heldRedirectCmd struct {
	No    transferNo `arg:"" name:"number" help:"Of the transfer, as held list shows it. A refund cannot be redirected."`
	Payee person     `required:"" help:"The user who gets it instead."`
	As    person     `required:"" help:"Who proposes it."`
}

func (r heldRedirectCmd) Run(ctx context.Context, c *cli) error {
	return proposed{No: r.No, Action: "redirect", PayeeID: r.Payee, By: r.As}.make(ctx, c)
}

// proposed is what one person says about a number.
type proposed struct {
	No      transferNo `json:"no"`
	Action  string     `json:"action"`
	PayeeID person     `json:"payee_id,omitempty"`
	By      person     `json:"by"`
}

func (p proposed) make(ctx context.Context, c *cli) error {
	o, err := newOperator(c, p.By, lookHeld)
	if err != nil {
		return err
	}
	var query url.Values
	what := p.Action
	if p.PayeeID != "" {
		query = url.Values{"payee": {string(p.PayeeID)}}
		what += " to " + string(p.PayeeID)
	}
	if err := o.call(ctx, http.MethodPost, "/held/"+string(p.No)+"/"+p.Action, query, nil); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(p)
	}
	fmt.Printf("%s: %s proposes: %s; nothing happens before somebody else says: hongbaoctl held approve %s --as PERSON\n", p.No, p.By, what, p.No)
	return nil
}

type heldApproveCmd struct {
	No transferNo `arg:"" name:"number" help:"Of the transfer, as held list shows it."`
	As person     `required:"" help:"Who approves it; not who proposed it."`
}

func (a heldApproveCmd) Run(ctx context.Context, c *cli) error {
	o, err := newOperator(c, a.As, lookHeld)
	if err != nil {
		return err
	}
	var next heldTransfer
	if err := o.call(ctx, http.MethodPost, "/held/"+string(a.No)+"/approve", nil, &next); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(next)
	}
	fmt.Printf("%s goes on as %s: %v to %s\n", a.No, next.No, next.AmountFen, next.PayeeID)
	return nil
}
