package keyring

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"hongbao/envelope"
	"hongbao/internal/httpapi/bearer"
	"hongbao/internal/payment"
	"hongbao/internal/relay"
	"hongbao/internal/settings"
	"hongbao/internal/webhook"
	"hongbao/orderset"
)

// Keyring is every secret of the deployment, turned into what uses it.
type Keyring struct {
	App, Migrator orderset.Account
	Draw          envelope.DrawKey
	Tickets       *envelope.Tickets
	Auth          *bearer.Authenticator // of callers
	Operators     *bearer.Authenticator // nil: nothing can be changed on their listener
	OperatorTLS   *tls.Config           // of their listener; nil: it speaks none
	Provider      *payment.Client
	Sender        *webhook.Sender // of events; nil: none are sent
}

// Read reads all of it. The error names every setting whose file is missing
// or no key; what could be read is returned beside it.
func Read(conf *settings.Settings) (*Keyring, error) {
	k := &Keyring{}
	var mistakes []error
	note := func(err error) { mistakes = append(mistakes, err) }
	var err error
	k.App, err = conf.Account("app", conf.Accounts.App)
	note(err)
	k.Migrator, err = conf.Account("migrator", conf.Accounts.Migrator)
	note(err)
	k.Draw, err = conf.DrawKey()
	note(err)
	k.Tickets, err = conf.Tickets()
	note(err)
	k.Auth, k.Operators, err = ReadTokenKeys(conf)
	note(err)
	k.OperatorTLS, err = conf.OperatorTLS()
	note(err)
	k.Provider, err = newProvider(conf)
	note(err)
	k.Sender, err = newSender(conf, k.Tickets)
	note(err)
	return k, errors.Join(mistakes...)
}

// Close stops what was begun.
func (k *Keyring) Close() {
	if k.Sender != nil {
		k.Sender.Close()
	}
}

// noEvents is where events go in a deployment without an IM backend.
type noEvents struct{}

func (noEvents) Notify(context.Context, envelope.Fact) error { return nil }

// Events sends events to the IM backend, if there is one.
func (k *Keyring) Events() relay.Events {
	if k.Sender == nil {
		return noEvents{}
	}
	return k.Sender
}

// Gone reports whether an error of events says that their receiver is gone for good.
func (k *Keyring) Gone(err error) bool { return errors.Is(err, webhook.ErrGone) }

// ReadTokenKeys reads the keys of callers' tokens, and of those of operators
// where there are any.
func ReadTokenKeys(conf *settings.Settings) (callers, operators *bearer.Authenticator, err error) {
	var mistakes []error
	authenticator := func(setting string, read func() ([]bearer.Key, error)) *bearer.Authenticator {
		keys, err := read()
		if err == nil && len(keys) == 0 {
			return nil
		}
		var a *bearer.Authenticator
		if err == nil {
			if a, err = bearer.NewAuthenticator(bearer.Config{Keys: keys, Now: time.Now}); err != nil {
				err = fmt.Errorf("settings: %s: %w", setting, err)
			}
		}
		mistakes = append(mistakes, err)
		return a
	}
	callers = authenticator("keys.tokens", conf.TokenKeys)
	operators = authenticator("keys.operators", conf.OperatorKeys)
	return callers, operators, errors.Join(mistakes...)
}

// newProvider is the client of the payment provider.
func newProvider(conf *settings.Settings) (*payment.Client, error) {
	cfg, err := conf.PaymentConfig(time.Now)
	if err != nil {
		return nil, err
	}
	return payment.New(cfg)
}

// newSender connects to the IM backend, if there is one.
func newSender(conf *settings.Settings, tickets *envelope.Tickets) (*webhook.Sender, error) {
	secrets, err := conf.EventSecrets()
	if err != nil || conf.Events.URL == "" || tickets == nil {
		return nil, err
	}
	cfg := webhook.Config{URL: conf.Events.URL, Tickets: tickets, AllowPrivate: conf.Events.AllowPrivate, Now: time.Now}
	for _, s := range secrets {
		cfg.Secrets = append(cfg.Secrets, webhook.Secret(s))
	}
	sender, err := webhook.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("settings: events: %w", err)
	}
	return sender, nil
}
