package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"hongbao/cmd/internal/command"
	"hongbao/envelope"
	"hongbao/internal/operator"
	"hongbao/internal/settings"
)

type verifyCmd struct {
	ID     operator.OrderID `arg:"" help:"The order ID, 23 digits."`
	Ticket string           `help:"The envelope's ticket; without it, show as the sender."`
	User   operator.Person  `help:"Who asks: the sender, or anyone when a ticket is given." default:"verifier"`
	Token  string           `help:"The bearer token to ask with; default: one for --user, which needs an HS256 key in the settings." env:"HONGBAO_TOKEN"`
	API    string           `help:"Base URL of the API; default: the settings' public listener." placeholder:"URL"`
}

// verification is the report of one recomputed draw.
type verification struct {
	ID         string `json:"id"`
	Verified   bool   `json:"verified"`
	Shares     int    `json:"shares"`
	Seed       string `json:"draw_seed"`
	Commitment string `json:"draw_commitment"`
	Why        string `json:"why,omitempty"`
}

func (v verifyCmd) Run(ctx context.Context, c *cli) error {
	asker, err := v.asker(c)
	if err != nil {
		return err
	}
	shown, err := asker.show(ctx, string(v.ID), v.Ticket)
	if err != nil {
		return err
	}
	report := verifyShown(&shown)
	if c.JSON {
		err = printJSON(report)
	} else if report.Verified {
		fmt.Printf("envelope %s: all %d shares recomputed from seed %s\n", report.ID, report.Shares, report.Seed)
	} else {
		fmt.Printf("envelope %s: NOT verified: %s\n", report.ID, report.Why)
	}
	if err == nil && !report.Verified {
		err = command.ErrFinding
	}
	return err
}

// asker is a client of the API. Settings are read for what the flags do not say.
func (v verifyCmd) asker(c *cli) (*client, error) {
	if v.API != "" && v.Token != "" {
		return &client{base: v.API, token: v.Token}, nil
	}
	s, err := settings.Load(c.Config)
	if err != nil {
		return nil, err
	}
	if v.API == "" {
		v.API = "http://" + s.Listen.Public
	}
	if v.Token == "" {
		if v.Token, err = s.MintToken(string(v.User), "", time.Minute, time.Now()); err != nil {
			return nil, command.Advise(err, "give a token of the issuer's with --token")
		}
	}
	return &client{base: v.API, token: v.Token}, nil
}

// verifyShown recomputes a draw from nothing but what show answered.
func verifyShown(s *show) verification {
	r := verification{ID: s.ID, Shares: len(s.Shares), Seed: s.Seed, Commitment: s.Commitment}
	if s.Seed == "" {
		r.Why = fmt.Sprintf("it is %s; the seed is revealed when it is finished", s.State)
		return r
	}
	seed, err := envelope.ParseSeed(s.Seed)
	if err != nil {
		r.Why = err.Error()
		return r
	}
	e := envelope.Envelope{ID: envelope.ID(s.ID), Kind: envelope.Kind(s.Kind), State: envelope.State(s.State),
		Total: envelope.Fen(s.TotalFen), Count: s.Count, ShareMin: envelope.Fen(s.ShareMin), ShareMax: envelope.Fen(s.ShareMax),
		Opened: envelope.Fen(s.OpenedFen), OpenedCount: s.Opened, Refunded: envelope.Fen(s.Refunded)}
	if n, err := hex.Decode(e.Commitment[:], []byte(s.Commitment)); err != nil || n != len(e.Commitment) {
		r.Why = "draw_commitment is not 64 hex digits"
		return r
	}
	shares := make([]envelope.Share, len(s.Shares))
	for i, one := range s.Shares {
		shares[i] = envelope.Share{Seq: one.Seq, User: envelope.UserID(one.UserID), Amount: envelope.Fen(one.AmountFen)}
	}
	if err := envelope.Verify(&e, seed, shares); err != nil {
		r.Why = err.Error()
		return r
	}
	r.Verified = true
	return r
}
