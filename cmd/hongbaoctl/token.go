package main

import (
	"context"
	"fmt"
	"time"

	"hongbao/cmd/internal/settings"
	"hongbao/envelope"
)

// tokenLifeMax bounds what this command mints.
const tokenLifeMax = 24 * time.Hour

type tokenCmd struct {
	User  string        `required:"" help:"The user the token speaks for (sub)."`
	Scope string        `help:"Space-separated: send open show. Empty allows these three. operate is for a person who may move held money, signed with the operators' key."`
	TTL   time.Duration `help:"How long it is valid, 1s to 24h." default:"1h" name:"ttl"`
}

func (t tokenCmd) Run(_ context.Context, c *cli) error {
	s, err := settings.Load(c.Config)
	if err != nil {
		return err
	}
	token, err := mintToken(s, t.User, t.Scope, t.TTL)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(map[string]any{"token": token, "user": t.User, "expires_in_s": int(t.TTL.Seconds())})
	}
	fmt.Println(token)
	return nil
}

// mintToken signs with the first configured key that can sign.
func mintToken(s *settings.Settings, user, scope string, ttl time.Duration) (string, error) {
	if err := envelope.CheckName("user", user); err != nil {
		return "", err
	}
	if ttl < time.Second || ttl > tokenLifeMax {
		return "", fmt.Errorf("ttl: want 1s <= ttl <= %v, have %v", tokenLifeMax, ttl)
	}
	return s.MintToken(user, scope, ttl, time.Now())
}
