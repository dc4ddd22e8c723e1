package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"hongbao/envelope"
)

// parked is what GET /parked answers.
type parked struct {
	Parked []parkedDelivery `json:"parked"`
}

type parkedDelivery struct {
	ID       string    `json:"id"`
	Topic    string    `json:"topic"`
	Attempts int       `json:"attempts"`
	Since    time.Time `json:"since"`
	Reason   string    `json:"reason"`
}

type outboxParkedCmd struct{}

func (outboxParkedCmd) Run(ctx context.Context, c *cli) error {
	return ask(ctx, c, "/parked", (*parked).print, func(p *parked) bool { return len(p.Parked) > 0 })
}

func (p *parked) print() {
	if len(p.Parked) == 0 {
		fmt.Println("nothing is parked")
		return
	}
	t := newWideTable("why", "ID", "topic", "attempts", "since", "why")
	for _, one := range p.Parked {
		t.AppendRow(table.Row{one.ID, one.Topic, one.Attempts, moment(one.Since), one.Reason})
	}
	t.Render()
	fmt.Println("once the cause is gone: hongbaoctl outbox retry ID TOPIC")
}

// moment is a time for people, on their own clock.
func moment(t time.Time) string { return t.Local().Format(time.DateTime) }

type outboxRetryCmd struct {
	ID    orderID       `arg:"" help:"The envelope's order ID, 23 digits."`
	Topic deliveryTopic `arg:"" help:"charge, book or event."`
}

func (r outboxRetryCmd) Run(ctx context.Context, c *cli) error {
	o, err := newOperator(c, "", lookParked)
	if err != nil {
		return err
	}
	if err := o.call(ctx, http.MethodPost, "/parked/"+string(r.ID)+"/"+string(r.Topic)+"/retry", nil, nil); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(map[string]any{"done": "retry", "id": r.ID, "topic": r.Topic})
	}
	fmt.Printf("envelope %s: %s is parked no longer\n", r.ID, r.Topic)
	return nil
}

// disputes is what GET /disputes answers.
type disputes struct {
	Disputes []dispute `json:"disputes"`
}

type dispute struct {
	Kind      string       `json:"kind"`
	Number    string       `json:"number"`
	ID        string       `json:"id,omitempty"`
	What      string       `json:"what"`
	AmountFen envelope.Fen `json:"amount_fen"`
	At        time.Time    `json:"at"`
}

type outboxDisputesCmd struct{}

func (outboxDisputesCmd) Run(ctx context.Context, c *cli) error {
	return ask(ctx, c, "/disputes", (*disputes).print, func(d *disputes) bool { return len(d.Disputes) > 0 })
}

func (d *disputes) print() {
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
