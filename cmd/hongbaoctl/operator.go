package main

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"hongbao/cmd/internal/command"
	"hongbao/internal/httpapi/bearer"
	"hongbao/internal/operator"
	"hongbao/internal/settings"
	"hongbao/orderset/decision"
)

// operatorTokenLife is enough for one call.
const operatorTokenLife = time.Minute

// operatorFlags say where hongbaod's operator's listener is and as who to speak
// there: by the settings, or without them.
type operatorFlags struct {
	Operator  string          `help:"URL of hongbaod's operator's listener; default: as the settings say." placeholder:"URL" env:"HONGBAO_OPERATOR"`
	TokenFile string          `help:"File with a token of scope operate to use there; default: one is made with the settings' keys.operators." name:"operator-token-file" type:"path" env:"HONGBAO_OPERATOR_TOKEN_FILE"`
	As        operator.Person `help:"The person to act as there; default: the user of this machine. With a token file the token says it."`
}

// newOperator is a client of the operator's listener. What is not in the flags is
// in the settings, which are read for nothing else.
func newOperator(c *cli) (*operator.Client, error) {
	o := &operator.Client{Base: strings.TrimSuffix(c.Operator, "/")}
	if c.TokenFile != "" {
		raw, err := os.ReadFile(c.TokenFile)
		if err != nil {
			return nil, err
		}
		if o.Token = strings.TrimSpace(string(raw)); o.Token == "" {
			return nil, errors.New("--operator-token-file: " + c.TokenFile + " is empty")
		}
	}
	if o.Base != "" && o.Token != "" {
		return o, nil
	}
	s, err := settings.Load(c.Config)
	if err != nil {
		return nil, err
	}
	return completeOperator(o, s, c.As)
}

// completeOperator takes from the settings what is not known yet.
func completeOperator(o *operator.Client, s *settings.Settings, as operator.Person) (_ *operator.Client, err error) {
	if o.Base == "" {
		o.Base = s.OperatorURL()
		trust, err := s.OperatorClientTLS()
		if err != nil {
			return nil, err
		}
		if trust != nil {
			o.HTTP = &http.Client{Transport: &http.Transport{TLSClientConfig: trust}}
		}
	}
	if o.Token == "" && len(s.Keys.Operators) > 0 {
		o.Token, err = s.MintToken(string(cmp.Or(as, machineUser())), bearer.ScopeOperate.String(), operatorTokenLife, time.Now())
	}
	return o, err
}

// machineUser is the account that runs this program, by a name that a token can have.
func machineUser() operator.Person {
	if u, err := user.Current(); err == nil {
		if name := strings.ToLower(u.Username); decision.CheckPerson("", name) == nil {
			return operator.Person(name)
		}
	}
	return "operator"
}

// hint is a verb as this command line would be repeated with it: for the same
// settings and the same hongbaod, ready to be pasted into a shell.
func (c *cli) hint(verb string) string {
	line := "hongbaoctl " + verb
	if usual, err := filepath.Abs(defaultConfig); err != nil || c.Config != usual {
		line += " --config " + command.Quote(c.Config)
	}
	if c.Operator != "" {
		line += " --operator " + command.Quote(c.Operator)
	}
	if c.TokenFile != "" {
		line += " --operator-token-file " + command.Quote(c.TokenFile)
	}
	return line
}

// advice is what to do about an error of a call; look is the verb that lists what
// the call was about.
func (c *cli) advice(err error, look string) error {
	if err == nil {
		return nil
	}
	var what string
	p, answered := errors.AsType[*operator.Problem](err)
	switch {
	case errors.Is(err, operator.ErrNotReached):
		what = "does hongbaod serve with these settings (--config) or there (--operator)? a playground starts with: hongbaoctl playground up"
	case !answered:
		return err
	case p.Status == http.StatusUnauthorized:
		what = "if the token is good, hongbaod was started with other keys.operators than these settings name: restart it"
	case look != "" && (p.Status == http.StatusNotFound || p.Status == http.StatusUnprocessableEntity || p.Status == http.StatusConflict):
		what = "see what there is with: " + c.hint(look)
	case p.Retryable:
		what = "try again: a repeat does no harm"
	default:
		what = "hongbaod's log says more"
	}
	return command.Advise(err, what)
}

// look asks for what an operator may see, prints it, and is a finding when it is
// found to be one, or when a SET did not answer.
func look[T any](ctx context.Context, c *cli, get func(*operator.Client, context.Context) (T, error), print func(*cli, *T), finding func(*T) bool) error {
	o, err := newOperator(c)
	if err != nil {
		return err
	}
	got, err := get(o, ctx)
	if err != nil {
		return c.advice(err, "")
	}
	if c.JSON {
		if err := printJSON(got); err != nil {
			return err
		}
	} else {
		print(c, &got)
	}
	if finding(&got) {
		return command.ErrFinding
	}
	return nil
}

// newPerson is newOperator for what a person must answer for by name.
func newPerson(c *cli) (*operator.Client, error) {
	if c.As == "" && c.TokenFile == "" {
		return nil, command.Usage("missing flags: --as=PERSON, the person who decides")
	}
	return newOperator(c)
}
