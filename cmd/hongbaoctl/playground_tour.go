package main

import (
	"context"
	"fmt"
	"time"

	"hongbao/cmd/internal/command"
)

var tourists = [...]string{"ming", "fang", "jun", "lan", "wei"}

const tourGroup = "spring-festival"

// tour walks one envelope: send, pay, grab, open by five people, details, the
// draw recomputed, and the money in everybody's hands.
func (p *playground) tour(ctx context.Context) error {
	sender, err := p.user("sender")
	if err != nil {
		return err
	}
	p.say.say("\n%s", p.say.strong("One envelope, from hand to hand"))
	s, err := sender.send(ctx, fmt.Sprintf("tour-%d", time.Now().UnixNano()), map[string]any{
		"kind": "lucky", "total_fen": 8888, "count": len(tourists), "group_id": tourGroup,
	})
	if err != nil {
		return fmt.Errorf("tour: send: %w", err)
	}
	p.say.say("  send 发   88.88 yuan in %d shares → order %s (%s)", len(tourists), s.ID, s.State)
	if err := sender.pay(ctx, s.Payment.CodeURL); err != nil {
		return fmt.Errorf("tour: pay: %w", err)
	}
	ticket, err := awaitTicket(ctx, sender, s.ID)
	if err != nil {
		return fmt.Errorf("tour: pay: %w", err)
	}
	p.say.say("  pay  付   the wallet paid %s", s.Payment.CodeURL)
	for _, name := range tourists {
		if err := p.tourOpen(ctx, name, s.ID, ticket); err != nil {
			return err
		}
	}
	done, err := sender.show(ctx, s.ID, "")
	if err != nil {
		return fmt.Errorf("tour: show: %w", err)
	}
	lucky := ""
	for _, one := range done.Shares {
		if one.BestLuck {
			lucky = one.UserID
			p.say.say("  show 看   %s; best luck 手气最佳: %s with %s yuan", done.State, one.UserID, yuan(one.AmountFen))
		}
	}
	v := verifyShown(&done)
	if !v.Verified {
		return fmt.Errorf("tour: the draw does not verify: %s", v.Why)
	}
	p.say.say("  verify 验  all %d amounts recomputed from the revealed seed %s…, committed to at send", v.Shares, v.Seed[:16])
	return p.tourMoney(ctx, sender, s.ID, ticket, lucky)
}

// tourMoney follows the money to the provider and into the books.
func (p *playground) tourMoney(ctx context.Context, sender *client, id, ticket, lucky string) error {
	var sum int64
	for _, name := range tourists {
		u, err := p.user(name)
		if err != nil {
			return err
		}
		s, err := await(ctx, "the payout of "+name, func() (show, bool, error) {
			s, err := u.show(ctx, id, ticket)
			return s, s.Payout.State == "posted", err
		})
		if err != nil {
			return fmt.Errorf("tour: payout: %w", err)
		}
		sum += s.Payout.AmountFen
	}
	p.say.say("  payout 到账 %d transfers posted by the provider, %s yuan: %s/simulator/ledger", len(tourists), yuan(sum), p.settings.Payment.BaseURL)
	sent, err := await(ctx, "the sender's book", func() (summary, bool, error) {
		b, err := sender.summary(ctx)
		return b, b.SentCount > 0, err
	})
	if err != nil {
		return fmt.Errorf("tour: book: %w", err)
	}
	p.say.say("  book 账本   sender sent %d, %s yuan", sent.SentCount, yuan(sent.SentFen))
	for _, name := range tourists {
		u, err := p.user(name)
		if err != nil {
			return err
		}
		b, err := await(ctx, "the book of "+name, func() (summary, bool, error) {
			b, err := u.summary(ctx)
			return b, b.ReceivedCount > 0 && (name != lucky || b.BestLuckCount > 0), err
		})
		if err != nil {
			return fmt.Errorf("tour: book: %w", err)
		}
		p.say.say("              %-5s received %d, %6s yuan, best luck %d", name, b.ReceivedCount, yuan(b.ReceivedFen), b.BestLuckCount)
	}
	p.say.say("  events 消息 told to the IM backend in order, signed: http://%s/", loopback(p.cmd.EventsPort))
	return nil
}

func (p *playground) tourOpen(ctx context.Context, name, id, ticket string) error {
	u, err := p.user(name)
	if err != nil {
		return err
	}
	g, err := u.grab(ctx, id, ticket)
	if err != nil {
		return fmt.Errorf("tour: grab: %w", err)
	}
	o, err := u.open(ctx, id, ticket)
	if err != nil {
		return fmt.Errorf("tour: open: %w", err)
	}
	p.say.say("  open 拆   %-5s grab: %s → %s %6s yuan, share %d", name, g.Outcome, o.Outcome, yuan(o.AmountFen), o.Seq)
	return nil
}

func (p *playground) user(name string) (*client, error) {
	token, err := p.settings.MintToken(name, "", time.Hour, time.Now())
	return &client{base: "http://" + p.settings.Listen.Public, token: token}, err
}

// awaitTicket waits until the payment has arrived and the sender is given the
// group's ticket.
func awaitTicket(ctx context.Context, sender *client, id string) (string, error) {
	s, err := await(ctx, "the payment", func() (show, bool, error) {
		s, err := sender.show(ctx, id, "")
		return s, s.Ticket != "", err
	})
	return s.Ticket, err
}

// await asks until the answer is there, for readyMax.
func await[T any](ctx context.Context, what string, ask func() (T, bool, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, readyMax)
	defer cancel()
	tick := time.NewTicker(readyEvery)
	defer tick.Stop()
	for {
		v, there, err := ask()
		if err != nil || there {
			return v, err
		}
		select {
		case <-ctx.Done():
			return v, fmt.Errorf("%s has not arrived after %v: see paysim.log and hongbaod.log", what, readyMax)
		case <-tick.C:
		}
	}
}

func yuan(fen int64) string { return fmt.Sprintf("%d.%02d", fen/100, fen%100) }

// announce prints where everything is and what to try.
func (p *playground) announce(asJSON bool) error {
	if asJSON {
		r, err := p.report()
		if err != nil {
			return err
		}
		return printJSON(r)
	}
	ctl, api := "bin/hongbaoctl --config "+command.Quote(p.path(configName)), "http://"+p.settings.Listen.Public
	p.say.say(`
%s
  API         %s        (OpenAPI 3.1: %s/openapi.json)
  operator    http://%s   /healthz /readyz /metrics /outbox; the rest with a token of scope operate
  payments    %s   /simulator/ledger /simulator/lies
  events      http://%s   what the IM backend is told
  scripts     %s

Try it (three lines, copy and paste):
  T=$(%s token --user me); E=$(curl -s %s/v1/envelopes -H "Authorization: Bearer $T" -H "Idempotency-Key: $RANDOM" -H 'Content-Type: application/json' -d '{"kind":"lucky","total_fen":1000,"count":3,"group_id":"g1"}'); echo "$E"
  curl -s -X POST "$(echo "$E" | sed 's/.*"code_url":"\([^"]*\)".*/\1/')"; ID=$(echo "$E" | sed 's/.*"id":"\([0-9]*\)".*/\1/'); K=$(curl -s %s/v1/envelopes/$ID -H "Authorization: Bearer $T" | sed 's/.*"ticket":"\([^"]*\)".*/\1/')
  curl -s -X POST %s/v1/envelopes/$ID/open -H "Authorization: Bearer $T" -H "Envelope-Ticket: $K"

Ctrl-C stops it all.`,
		p.say.strong("Serving"), api, api, p.settings.Listen.Operator, p.settings.Payment.BaseURL, loopback(p.cmd.EventsPort), p.path(reportName), ctl, api, api, api)
	return nil
}
