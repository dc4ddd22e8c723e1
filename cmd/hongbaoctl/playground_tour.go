package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"hongbao/internal/playground"
	"hongbao/internal/settings"
)

var tourists = [...]string{"ming", "fang", "jun", "lan", "wei"}

const tourGroup = "spring-festival"

// tourEvery is the pause between two looks.
const tourEvery = 50 * time.Millisecond

// tour shows a new playground to people.
type tour struct {
	settings *settings.Settings
	say      *narrator
}

// walk walks one envelope: send, pay, grab, open by five people, details, the
// draw recomputed, and the money paid out.
func (t *tour) walk(ctx context.Context) error {
	sender, err := t.user("sender")
	if err != nil {
		return err
	}
	t.say.say("\n%s", t.say.strong("One envelope, from hand to hand"))
	s, err := sender.send(ctx, fmt.Sprintf("tour-%d", time.Now().UnixNano()), map[string]any{
		"kind": "lucky", "total_fen": 8888, "count": len(tourists), "group_id": tourGroup,
	})
	if err != nil {
		return fmt.Errorf("tour: send: %w", err)
	}
	t.say.say("  send 发   88.88 yuan in %d shares → order %s (%s)", len(tourists), s.ID, s.State)
	if err := sender.pay(ctx, s.Payment.CodeURL); err != nil {
		return fmt.Errorf("tour: pay: %w", err)
	}
	ticket, err := awaitTicket(ctx, sender, s.ID)
	if err != nil {
		return fmt.Errorf("tour: pay: %w", err)
	}
	t.say.say("  pay  付   the wallet paid %s", s.Payment.CodeURL)
	for _, name := range tourists {
		if err := t.open(ctx, name, s.ID, ticket); err != nil {
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
			t.say.say("  show 看   %s; best luck 手气最佳: %s with %s yuan", done.State, one.UserID, yuan(one.AmountFen))
		}
	}
	v := verifyShown(&done)
	if !v.Verified {
		return fmt.Errorf("tour: the draw does not verify: %s", v.Why)
	}
	t.say.say("  verify 验  all %d amounts recomputed from the revealed seed %s…, committed to at send", v.Shares, v.Seed[:16])
	return t.money(ctx, sender, s.ID, ticket, lucky)
}

// tourMoney follows the money to the provider and into the books.
func (t *tour) money(ctx context.Context, sender *client, id, ticket, lucky string) error {
	var sum int64
	for _, name := range tourists {
		u, err := t.user(name)
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
	t.say.say("  payout 到账 %d transfers posted by the provider, %s yuan: %s/simulator/ledger", len(tourists), yuan(sum), t.settings.Payment.BaseURL)
	sent, err := await(ctx, "the sender's book", func() (summary, bool, error) {
		b, err := sender.summary(ctx)
		return b, b.SentCount > 0, err
	})
	if err != nil {
		return fmt.Errorf("tour: book: %w", err)
	}
	t.say.say("  book 账本   sender sent %d, %s yuan", sent.SentCount, yuan(sent.SentFen))
	for _, name := range tourists {
		u, err := t.user(name)
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
		t.say.say("              %-5s received %d, %6s yuan, best luck %d", name, b.ReceivedCount, yuan(b.ReceivedFen), b.BestLuckCount)
	}
	t.say.say("  events 消息 told to the IM backend in order, signed: %s", strings.TrimSuffix(t.settings.Events.URL, "events"))
	return nil
}

func (t *tour) open(ctx context.Context, name, id, ticket string) error {
	u, err := t.user(name)
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
	t.say.say("  open 拆   %-5s grab: %s → %s %6s yuan, share %d", name, g.Outcome, o.Outcome, yuan(o.AmountFen), o.Seq)
	return nil
}

func (t *tour) user(name string) (*client, error) {
	token, err := t.settings.MintToken(name, "", time.Hour, time.Now())
	return &client{base: "http://" + t.settings.Listen.Public, token: token}, err
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

// await asks until the answer is there, for playground.ReadyMax.
func await[T any](ctx context.Context, what string, ask func() (T, bool, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, playground.ReadyMax)
	defer cancel()
	tick := time.NewTicker(tourEvery)
	defer tick.Stop()
	for {
		v, there, err := ask()
		if err != nil || there {
			return v, err
		}
		select {
		case <-ctx.Done():
			return v, fmt.Errorf("%s has not arrived after %v: see paysim.log and hongbaod.log", what, playground.ReadyMax)
		case <-tick.C:
		}
	}
}

func yuan(fen int64) string { return fmt.Sprintf("%d.%02d", fen/100, fen%100) }
