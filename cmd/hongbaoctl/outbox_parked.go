package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"hongbao/internal/operator"
)

type outboxParkedCmd struct{}

func (outboxParkedCmd) Run(ctx context.Context, c *cli) error {
	return look(ctx, c, (*operator.Client).Parked, printParked, func(p *operator.Parked) bool { return len(p.Parked) > 0 || p.Sets.Partial() })
}

func printParked(c *cli, p *operator.Parked) {
	printStates(p.Sets)
	if len(p.Parked) == 0 {
		fmt.Println("nothing is parked")
		return
	}
	t := newWideTable("why", "ID", "topic", "attempts", "since", "why")
	for _, one := range p.Parked {
		t.AppendRow(table.Row{one.ID, one.Topic, one.Attempts, moment(one.Since), one.Reason})
	}
	t.Render()
	fmt.Println("once the cause is gone:", c.hint("outbox retry ID TOPIC"))
}

// moment is a time for people, on their own clock.
func moment(t time.Time) string { return t.Local().Format(time.DateTime) }

type outboxRetryCmd struct {
	ID    operator.OrderID       `arg:"" help:"The envelope's order ID, 23 digits."`
	Topic operator.DeliveryTopic `arg:"" help:"charge, book or event."`
}

func (r outboxRetryCmd) Run(ctx context.Context, c *cli) error {
	o, err := newOperator(c)
	if err != nil {
		return err
	}
	if err := o.Retry(ctx, operator.DeliveryInput(r)); err != nil {
		return c.advice(err, lookParked)
	}
	if c.JSON {
		return printJSON(map[string]any{"done": "retry", "id": r.ID, "topic": r.Topic})
	}
	fmt.Printf("envelope %s: %s is parked no longer\n", r.ID, r.Topic)
	return nil
}

type outboxDisputesCmd struct{}

func (outboxDisputesCmd) Run(ctx context.Context, c *cli) error {
	return look(ctx, c, (*operator.Client).Disputes, printDisputes, func(d *operator.Disputes) bool { return len(d.Disputes) > 0 || d.Sets.Partial() })
}

func printDisputes(_ *cli, d *operator.Disputes) {
	printStates(d.Sets)
	if len(d.Disputes) == 0 {
		fmt.Println("nothing is disputed")
		return
	}
	t := newWideTable("what", "kind", "number", "amount", "at", "what")
	for _, one := range d.Disputes {
		t.AppendRow(table.Row{one.Kind, one.Number, one.AmountFen, moment(one.At), one.What})
	}
	t.Render()
	fmt.Println("nothing was changed by any of it: compare the provider's bill of that day")
}
