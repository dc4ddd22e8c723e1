package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"hongbao/internal/httpapi/bearer"
	"hongbao/internal/operator"
	"hongbao/internal/settings"
)

// tokenLifeMax bounds what this command mints.
const tokenLifeMax = 24 * time.Hour

type tokenCmd struct {
	User  operator.Person `required:"" help:"The user the token speaks for (sub)."`
	Scope scopes          `help:"Separated by single spaces: send open show. Without it the token allows these three. operate, alone, is for a person who may operate, signed with the operators' key."`
	TTL   tokenLife       `help:"How long it is valid, 1s to 24h." default:"1h" name:"ttl"`
}

// scopes are the values of a token's scope; "" leaves the claim out.
type scopes string

// Validate implements the rule: a scope that is misspelt would be a token that
// allows less than was meant, and nothing would say so.
func (s scopes) Validate() error {
	known := []string{bearer.ScopeSend.String(), bearer.ScopeOpen.String(), bearer.ScopeShow.String(), bearer.ScopeOperate.String()}
	words := strings.Split(string(s), " ")
	for i, word := range words {
		switch {
		case !slices.Contains(known, word):
			return fmt.Errorf("want words of %q, each separated by one space, have %q", known, word)
		case slices.Contains(words[:i], word):
			return fmt.Errorf("%s is given twice", word)
		case word == bearer.ScopeOperate.String() && len(words) > 1:
			return errors.New("operate stands alone: such a token is signed with another key and is good on the operator's listener only")
		}
	}
	return nil
}

// tokenLife is how long a token is valid.
type tokenLife time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *tokenLife) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil {
		return errors.New("want a duration such as 90s or 1h")
	}
	if d < time.Second || d > tokenLifeMax {
		return fmt.Errorf("want 1s to %v, have %v", tokenLifeMax, d)
	}
	*l = tokenLife(d)
	return nil
}

func (t tokenCmd) Run(_ context.Context, c *cli) error {
	s, err := settings.Load(c.Config)
	if err != nil {
		return err
	}
	token, err := s.MintToken(string(t.User), string(t.Scope), time.Duration(t.TTL), time.Now())
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(map[string]any{"token": token, "user": t.User, "expires_in_s": int(time.Duration(t.TTL).Seconds())})
	}
	fmt.Println(token)
	return nil
}
