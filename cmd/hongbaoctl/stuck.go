package main

import (
	"context"
	"fmt"

	"github.com/jedib0t/go-pretty/v6/table"

	"hongbao/cmd/internal/command"
	"hongbao/internal/operator"
)

func printStuckBatches(c *cli, batches []operator.BatchRow) {
	if len(batches) == 0 {
		return
	}
	t := newWideTable("why", "batch", "payouts", "total", "since", "why", "can be dissolved", "proposed")
	for _, b := range batches {
		t.AppendRow(table.Row{b.No, b.Count, b.TotalFen, moment(b.Since), b.Reason, b.Dissolvable, proposalText(b.Proposal)})
	}
	t.Render()
	fmt.Println("when the cause is gone:", c.hint("held retry --as PERSON")+"; to have each payout go on by itself:", c.hint("held dissolve BATCH --as PERSON"))
}

type heldDissolveCmd struct {
	No      operator.BatchNo `arg:"" name:"batch" help:"Of the batch, as held list shows it."`
	Approve bool             `help:"Carry out what somebody else proposed."`
}

func (d heldDissolveCmd) Run(ctx context.Context, c *cli) error {
	o, err := newPerson(c)
	if err != nil {
		return err
	}
	do, done := o.Dissolve, "proposed: dissolve; nothing happens before somebody else says: "+c.hint("held dissolve "+string(d.No)+" --approve --as PERSON")
	if d.Approve {
		do, done = o.ApproveDissolve, "dissolved; each of its payouts goes on by itself"
	}
	if err := do(ctx, operator.BatchInput{No: d.No}); err != nil {
		return c.advice(err, lookHeld)
	}
	if c.JSON {
		return printJSON(map[string]any{"no": d.No, "action": "dissolve", "by": c.As, "approved": d.Approve})
	}
	fmt.Printf("%s: %s\n", d.No, done)
	return nil
}

type heldRetryCmd struct {
	No operator.StuckNo `arg:"" optional:"" name:"number" help:"Of a transfer or a batch, as held list shows it. Without it, all that is stuck."`
}

func (r heldRetryCmd) Run(ctx context.Context, c *cli) error {
	o, err := newPerson(c)
	if err != nil {
		return err
	}
	done, err := o.RetryStuck(ctx, operator.RetryStuckInput(r))
	if err != nil {
		return c.advice(err, lookHeld)
	}
	if c.JSON {
		if err := printJSON(done); err != nil {
			return err
		}
	} else {
		printStates(done.Sets)
		fmt.Println("what is stuck is asked about or for again now")
	}
	if done.Sets.Partial() {
		return command.ErrFinding
	}
	return nil
}
