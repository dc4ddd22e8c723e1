package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/jedib0t/go-pretty/v6/table"

	"hongbao/internal/operator"
)

// heldCmd is what two people decide about money that could not be moved.
type heldCmd struct {
	List     heldListCmd     `cmd:"" help:"Transfers that the provider refused for good, and what was proposed about them. Exit 1 when there are any, or a SET does not answer."`
	Release  heldReleaseCmd  `cmd:"" help:"Propose to try again, for the same payee. Nothing happens before somebody else approves."`
	Redirect heldRedirectCmd `cmd:"" help:"Propose to pay somebody else. Nothing happens before somebody else approves."`
	Approve  heldApproveCmd  `cmd:"" help:"Carry out what somebody else proposed."`
	Dissolve heldDissolveCmd `cmd:"" help:"Propose that the payouts of a batch that the provider never took go on one by one; with --approve, carry out what somebody else proposed."`
	Retry    heldRetryCmd    `cmd:"" help:"Have what is stuck asked about or for again now, all of it or one number: its cause is gone. Exit 1 when a SET was missed."`
}

// lookHeld lists what can be decided about.
const lookHeld = "held list"

type heldListCmd struct{}

func (heldListCmd) Run(ctx context.Context, c *cli) error {
	return look(ctx, c, (*operator.Client).Held, printHeld, func(h *operator.Held) bool { return len(h.Held)+len(h.Batches) > 0 || h.Sets.Partial() })
}

func printHeld(c *cli, h *operator.Held) {
	printStates(h.Sets)
	if len(h.Held)+len(h.Batches) == 0 {
		fmt.Println("nothing is held")
		return
	}
	printStuckBatches(c, h.Batches)
	if len(h.Held) == 0 {
		return
	}
	t := newWideTable("why", "number", "payee", "amount", "round", "state", "why", "proposed")
	for _, one := range h.Held {
		t.AppendRow(table.Row{one.No, one.PayeeID, one.AmountFen, one.Round, one.State, cmp.Or(one.Undecided, one.Reason), proposalText(one.Proposal)})
	}
	t.Render()
	fmt.Println("one person:", c.hint("held release NUMBER --as PERSON")+", or held redirect; then another: held approve NUMBER --as PERSON")
}

func proposalText(p *operator.Proposal) string {
	if p == nil {
		return ""
	}
	what := p.Action
	if p.PayeeID != "" {
		what += " to " + string(p.PayeeID)
	}
	return what + ", by " + p.By + " at " + moment(p.At)
}

type heldReleaseCmd struct {
	No operator.TransferNo `arg:"" name:"number" help:"Of the transfer, as held list shows it."`
}

func (r heldReleaseCmd) Run(ctx context.Context, c *cli) error {
	return propose(c, proposed{No: r.No, Action: "release"}, func(o *operator.Client) error {
		return o.Release(ctx, operator.NumberInput(r))
	})
}

type heldRedirectCmd struct {
	No    operator.TransferNo `arg:"" name:"number" help:"Of the transfer, as held list shows it. A refund cannot be redirected."`
	Payee operator.Person     `required:"" help:"The user who gets it instead."`
}

func (r heldRedirectCmd) Run(ctx context.Context, c *cli) error {
	return propose(c, proposed{No: r.No, Action: "redirect", PayeeID: r.Payee}, func(o *operator.Client) error {
		return o.Redirect(ctx, operator.RedirectInput(r))
	})
}

// proposed is what one person says about a number.
type proposed struct {
	No      operator.TransferNo `json:"no"`
	Action  string              `json:"action"`
	PayeeID operator.Person     `json:"payee_id,omitempty"`
	By      operator.Person     `json:"by,omitempty"`
}

func propose(c *cli, p proposed, do func(*operator.Client) error) error {
	o, err := newPerson(c)
	if err != nil {
		return err
	}
	if err := do(o); err != nil {
		return c.advice(err, lookHeld)
	}
	if p.By = c.As; c.JSON {
		return printJSON(p)
	}
	what := p.Action
	if p.PayeeID != "" {
		what += " to " + string(p.PayeeID)
	}
	fmt.Printf("%s: proposed: %s; nothing happens before somebody else says: %s\n", p.No, what, c.hint("held approve "+string(p.No)+" --as PERSON"))
	return nil
}

type heldApproveCmd struct {
	No operator.TransferNo `arg:"" name:"number" help:"Of the transfer, as held list shows it."`
}

func (a heldApproveCmd) Run(ctx context.Context, c *cli) error {
	o, err := newPerson(c)
	if err != nil {
		return err
	}
	next, err := o.Approve(ctx, operator.NumberInput(a))
	if err != nil {
		return c.advice(err, lookHeld)
	}
	if c.JSON {
		return printJSON(next)
	}
	fmt.Printf("%s goes on as %s: %v to %s\n", a.No, next.No, next.AmountFen, next.PayeeID)
	return nil
}
