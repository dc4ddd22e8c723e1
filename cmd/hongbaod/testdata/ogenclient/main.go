// This program does what the README's tour does, with a client that was generated
// from /openapi.json and nothing else of the project. It is compiled and run by
// TestAGeneratedClientOpensAnEnvelope.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"hongbao/tools/client"
)

const patience = time.Minute

// bearer is one user's token.
type bearer string

func (b bearer) Token(context.Context, client.OperationName) (client.Token, error) {
	return client.Token{Token: string(b)}, nil
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := tour(ctx, os.Args[1], bearer(os.Getenv("SENDER")), bearer(os.Getenv("OPENER"))); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func tour(ctx context.Context, url string, sender, opener bearer) error {
	ming, err := client.NewClient(url, sender)
	if err != nil {
		return err
	}
	fang, err := client.NewClient(url, opener)
	if err != nil {
		return err
	}
	sent, err := send(ctx, ming)
	if err != nil {
		return err
	}
	id := sent.Response.ID
	if err := pay(ctx, sent.Response.Payment.CodeURL.Value); err != nil {
		return err
	}
	ticket, err := active(ctx, ming, id)
	if err != nil {
		return err
	}
	if err := wrongTicket(ctx, fang, id); err != nil {
		return err
	}
	for _, want := range []client.OpenedType{client.OpenedOpenedOpened, client.OpenedAlreadyOpenedOpened} {
		answer, err := fang.Open(ctx, client.OpenParams{ID: id, EnvelopeTicket: ticket})
		if err != nil {
			return err
		}
		opened, ok := answer.(*client.Opened)
		if !ok || opened.Type != want || opened.OpenedShare.AmountFen < 1 || opened.OpenedShare.Seq != 1 {
			return fmt.Errorf("open: %#v, want %s", answer, want)
		}
	}
	if answer, err := fang.Summary(ctx, client.SummaryParams{}); err != nil {
		return err
	} else if _, ok := answer.(*client.Summary); !ok {
		return fmt.Errorf("summary: %#v", answer)
	}
	fmt.Println(id)
	return nil
}

// send makes an envelope, and first one that breaks a rule.
func send(ctx context.Context, c *client.Client) (*client.SentHeaders, error) {
	order := client.NewOrderLuckyOrder(client.OrderLucky{Kind: client.OrderLuckyKindLucky, TotalFen: 1000, Count: 3, GroupID: "family",
		Greeting: client.NewOptGreeting("新年快乐")})
	few := order
	few.OrderLucky.TotalFen = 2
	answer, err := c.Send(ctx, few, client.SendParams{IdempotencyKey: "generated-few"})
	if err != nil {
		return nil, err
	}
	if refused, ok := answer.(*client.SendBadRequest); !ok || refused.Code != client.CodeInvalidField || refused.Field.Value != "total_fen" {
		return nil, fmt.Errorf("two fen for three: %#v", answer)
	}
	if answer, err = c.Send(ctx, order, client.SendParams{IdempotencyKey: "generated"}); err != nil {
		return nil, err
	}
	sent, ok := answer.(*client.SentHeaders)
	if !ok || sent.Location != "/v1/envelopes/"+string(sent.Response.ID) {
		return nil, fmt.Errorf("send: %#v", answer)
	}
	return sent, nil
}

// pay is the payer's wallet.
func pay(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return errors.New("pay: " + res.Status)
	}
	return nil
}

// active waits until the payment has arrived.
func active(ctx context.Context, c *client.Client, id client.ID) (client.Ticket, error) {
	for {
		answer, err := c.Show(ctx, client.ShowParams{ID: id})
		if err != nil {
			return "", err
		}
		e, ok := answer.(*client.Envelope)
		if !ok {
			return "", fmt.Errorf("show: %#v", answer)
		}
		if e.Ticket.Set {
			return e.Ticket.Value, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// wrongTicket is a refusal that the client has a type for.
func wrongTicket(ctx context.Context, c *client.Client, id client.ID) error {
	answer, err := c.Open(ctx, client.OpenParams{ID: id, EnvelopeTicket: "AQEAAAAAAAAAAAAAAAAAAAAA"})
	if err != nil {
		return err
	}
	if refused, ok := answer.(*client.OpenNotFound); !ok || refused.Code != client.CodeNotFound {
		return fmt.Errorf("open with a wrong ticket: %#v", answer)
	}
	return nil
}
