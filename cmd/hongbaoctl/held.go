package main

import (
	"cmp"
	"context"

	"fmt"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"hongbao/cmd/internal/command"
	"hongbao/internal/operator"
)

// heldCmd is what two people decide about money that could not be moved.
type heldCmd struct {
	List     heldListCmd     `cmd:"" help:"Transfers that the provider refused for good, and what was proposed about them. Exit 1 when there are any, or a SET does not answer."`
	Release  heldReleaseCmd  `cmd:"" help:"Propose to try again, for the same payee: one transfer, or all that are held for a reason. Nothing happens before somebody else approves."`
	Redirect heldRedirectCmd `cmd:"" help:"Propose to pay somebody else. Nothing happens before somebody else approves."`
	Settle   heldSettleCmd   `cmd:"" help:"Propose to take it as paid: the provider has paid it under this number after all. Nothing happens before somebody else approves."`
	Dismiss  heldDismissCmd  `cmd:"" help:"Propose to end what is disputed about it: what the provider says is wrong, or settled elsewhere. Nothing happens before somebody else approves."`
	Withdraw heldWithdrawCmd `cmd:"" help:"Take back your own proposal."`
	Approve  heldApproveCmd  `cmd:"" help:"Carry out what somebody else proposed: what you name, or what stands when you ask."`
	History  heldHistoryCmd  `cmd:"" help:"Who proposed and decided what, the latest first."`
	Dissolve heldDissolveCmd `cmd:"" help:"Propose that the payouts of a batch that the provider never took go on one by one; with --approve, carry out what somebody else proposed."`
	Retry    heldRetryCmd    `cmd:"" help:"Have what is stuck asked about or for again now, all of it or one number: its cause is gone. Exit 1 when a SET was missed."`
}

// lookHeld lists what can be decided about.
const lookHeld = "held list"

type heldListCmd struct {
	Reason operator.Reason   `help:"Only what is held for this reason."`
	Sort   operator.HeldSort `help:"amount (the largest first; the default), age or reason."`
}

func (l heldListCmd) Run(ctx context.Context, c *cli) error {
	get := func(o *operator.Client, ctx context.Context) (operator.Held, error) {
		return o.Held(ctx, operator.HeldInput(l))
	}
	return look(ctx, c, get, printHeld, func(h *operator.Held) bool { return len(h.Held)+len(h.Batches) > 0 || h.Sets.Partial() })
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
	t := newWideTable("why", "number", "sender", "payee", "amount", "round", "state", "for", "why", "proposed", "disputed")
	for _, one := range h.Held {
		age := (time.Duration(one.AgeSeconds) * time.Second).String()
		t.AppendRow(table.Row{one.No, one.SenderID, one.PayeeID, one.AmountFen, one.Round, one.State, age, cmp.Or(one.Undecided, one.Reason),
			proposalText(one.Proposal), strings.Join(one.Disputes, "; ")})
	}
	t.Render()
	fmt.Println("one person:", c.hint("held release NUMBER --as PERSON")+", or held redirect, settle, dismiss; then another: held approve NUMBER --as PERSON")
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
	No     operator.TransferNo `arg:"" optional:"" name:"number" help:"Of the transfer, as held list shows it."`
	Reason operator.Reason     `help:"Instead of a number: all that are held for this reason and have no proposal, up to 200 of each SET."`
}

func (r heldReleaseCmd) Run(ctx context.Context, c *cli) error {
	if (r.No == "") == (r.Reason == "") {
		return command.Usage("want a number or --reason, and not both")
	}
	if r.Reason != "" {
		return bulk(c, "proposed to release", func(o *operator.Client) (operator.Bulk, error) {
			return o.BulkRelease(ctx, operator.BulkReleaseInput{Reason: r.Reason})
		})
	}
	return propose(c, r.No, func(o *operator.Client) (operator.Proposal, error) {
		return o.Release(ctx, operator.NumberInput{No: r.No})
	})
}

type heldRedirectCmd struct {
	No    operator.TransferNo `arg:"" name:"number" help:"Of the transfer, as held list shows it; of a stuck batch of one, that without its B. A refund cannot be redirected."`
	Payee operator.Person     `required:"" help:"The user who gets it instead."`
}

func (r heldRedirectCmd) Run(ctx context.Context, c *cli) error {
	return propose(c, r.No, func(o *operator.Client) (operator.Proposal, error) {
		return o.Redirect(ctx, operator.RedirectInput(r))
	})
}

type heldSettleCmd struct {
	No operator.TransferNo `arg:"" name:"number" help:"The number that the provider has paid: that of the transfer, or of an earlier round of it."`
}

func (s heldSettleCmd) Run(ctx context.Context, c *cli) error {
	return propose(c, s.No, func(o *operator.Client) (operator.Proposal, error) {
		return o.Settle(ctx, operator.NumberInput(s))
	})
}

type heldDismissCmd struct {
	No operator.TransferNo `arg:"" name:"number" help:"Of the transfer that is disputed."`
}

func (d heldDismissCmd) Run(ctx context.Context, c *cli) error {
	return propose(c, d.No, func(o *operator.Client) (operator.Proposal, error) {
		return o.Dismiss(ctx, operator.NumberInput(d))
	})
}

// proposed is what one person says about a number.
type proposed struct {
	No operator.TransferNo `json:"no"`
	operator.Proposal
}

func propose(c *cli, no operator.TransferNo, do func(*operator.Client) (operator.Proposal, error)) error {
	o, err := newPerson(c)
	if err != nil {
		return err
	}
	p, err := do(o)
	if err != nil {
		return c.advice(err, lookHeld)
	}
	if c.JSON {
		return printJSON(proposed{no, p})
	}
	fmt.Printf("%s: proposed: %s; nothing happens before somebody else says: %s\n", no, proposalText(&p), c.hint("held approve "+string(no)+" --as PERSON"))
	return nil
}

type heldWithdrawCmd struct {
	No operator.TransferNo `arg:"" name:"number" help:"Of the transfer, as held list shows it."`
}

func (w heldWithdrawCmd) Run(ctx context.Context, c *cli) error {
	o, err := newPerson(c)
	if err != nil {
		return err
	}
	if err := o.Withdraw(ctx, operator.NumberInput(w)); err != nil {
		return c.advice(err, lookHeld)
	}
	if c.JSON {
		return printJSON(map[string]operator.TransferNo{"withdrawn": w.No})
	}
	fmt.Printf("%s: withdrawn\n", w.No)
	return nil
}

// heldApproveCmd approves what is named; without that, what stands, which it reads
// first. Should it change before the approval arrives, the approval is refused.
type heldApproveCmd struct {
	No         operator.TransferNo `arg:"" optional:"" name:"number" help:"Of the transfer, as held list shows it."`
	Action     operator.Action     `help:"What is approved: release, redirect, settle or dismiss; default: what stands now."`
	Payee      operator.Person     `help:"With redirect: who gets it."`
	ProposedAt operator.Moment     `help:"When it was proposed, as held list --json shows it."`

	Reason     operator.Reason `help:"Instead of a number: the releases of all that are held for this reason, up to 200 of each SET."`
	ProposedBy operator.Person `help:"With --reason: who has proposed them."`
}

// check is the rules of the flags.
func (a *heldApproveCmd) check() error {
	switch {
	case (a.No == "") == (a.Reason == ""):
		return command.Usage("want a number or --reason, and not both")
	case (a.Reason == "") != (a.ProposedBy == ""):
		return command.Usage("--reason and --proposed-by go together")
	case (a.Action == "") != (a.ProposedAt == "") || a.Payee != "" && a.Action == "":
		return command.Usage("--action and --proposed-at go together, and --payee with them")
	}
	return nil
}

func (a heldApproveCmd) Run(ctx context.Context, c *cli) error {
	if err := a.check(); err != nil {
		return err
	}
	if a.Reason != "" {
		now := operator.Moment(time.Now().UTC().Format(time.RFC3339Nano))
		return bulk(c, "approved", func(o *operator.Client) (operator.Bulk, error) {
			return o.BulkApprove(ctx, operator.BulkApproveInput{Reason: a.Reason, ProposedBy: a.ProposedBy, Until: now})
		})
	}
	o, err := newPerson(c)
	if err != nil {
		return err
	}
	in := operator.ApproveInput{No: a.No, Action: a.Action, Payee: a.Payee, ProposedAt: a.ProposedAt}
	if in.Action == "" {
		err = stands(ctx, o, &in)
	}
	var next operator.HeldRow
	if err == nil {
		next, err = o.Approve(ctx, in)
	}
	if err != nil {
		return c.advice(err, lookHeld)
	}
	if c.JSON {
		return printJSON(next)
	}
	fmt.Printf("%s: %s is approved; it goes on as %s, %s: %v to %s\n", a.No, in.Action, next.No, next.State, next.AmountFen, next.PayeeID)
	return nil
}

// stands fills in what was proposed last about a number.
func stands(ctx context.Context, o *operator.Client, in *operator.ApproveInput) error {
	history, err := o.Decisions(ctx, operator.DecisionsInput{No: in.No})
	if err != nil {
		return err
	}
	if len(history.Decisions) == 0 { // hongbaod says what is missing
		in.Action, in.ProposedAt = "release", operator.Moment(time.Time{}.Format(time.RFC3339Nano))
		return nil
	}
	d := &history.Decisions[0]
	in.Action, in.Payee, in.ProposedAt = operator.Action(d.Action), operator.Person(d.PayeeID), operator.Moment(d.ProposedAt.Format(time.RFC3339Nano))
	return nil
}

// bulk decides about many, and prints what came of it.
func bulk(c *cli, what string, do func(*operator.Client) (operator.Bulk, error)) error {
	o, err := newPerson(c)
	if err != nil {
		return err
	}
	b, err := do(o)
	if err != nil {
		return c.advice(err, lookHeld)
	}
	if c.JSON {
		err = printJSON(b)
	} else {
		printStates(b.Sets)
		for _, r := range b.Refused {
			fmt.Printf("%s: %s\n", r.No, r.Why)
		}
		fmt.Printf("%s: %d; refused: %d\n", what, len(b.Done), len(b.Refused))
	}
	if err == nil && (len(b.Refused) > 0 || b.Sets.Partial()) {
		return command.ErrFinding
	}
	return err
}

type heldHistoryCmd struct {
	No operator.TransferNo `arg:"" optional:"" name:"number" help:"Of a transfer; default: all."`
}

func (h heldHistoryCmd) Run(ctx context.Context, c *cli) error {
	get := func(o *operator.Client, ctx context.Context) (operator.Decisions, error) {
		return o.Decisions(ctx, operator.DecisionsInput(h))
	}
	return look(ctx, c, get, printDecisions, func(d *operator.Decisions) bool { return d.Sets.Partial() })
}

func printDecisions(_ *cli, d *operator.Decisions) {
	printStates(d.Sets)
	t := newWideTable("what", "number", "what", "state", "decided")
	for _, one := range d.Decisions {
		p := operator.Proposal{Action: one.Action, PayeeID: one.PayeeID, By: one.ProposedBy, At: one.ProposedAt}
		decided := ""
		if one.DecidedBy != "" {
			decided = "by " + one.DecidedBy + " at " + moment(one.DecidedAt)
		}
		t.AppendRow(table.Row{one.No, proposalText(&p), one.State, decided})
	}
	t.Render()
}
