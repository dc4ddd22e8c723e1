package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"hongbao/cmd/internal/settings"
	"hongbao/envelope"
)

type verifyCmd struct {
	ID     string `arg:"" help:"The order ID, 23 digits."`
	Ticket string `help:"The envelope's ticket; without it, show as the sender."`
	User   string `help:"Who asks: the sender, or anyone when a ticket is given." default:"verifier"`
	API    string `help:"Base URL of the API; default: the settings' public listener."`
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
	s, err := settings.Load(c.Config)
	if err != nil {
		return err
	}
	if v.API == "" {
		v.API = "http://" + s.Listen.Public
	}
	token, err := mintToken(s, v.User, "", time.Minute)
	if err != nil {
		return err
	}
	shown, err := (&client{base: v.API, token: token}).show(ctx, v.ID, v.Ticket)
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
		err = errFinding
	}
	return err
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
		Total: envelope.Fen(s.TotalFen), Count: s.Count, ShareMax: envelope.Fen(s.ShareMax),
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
