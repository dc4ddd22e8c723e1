package webhook

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"net/url"
	"time"

	"hongbao/envelope"
)

const (
	urlBytesMax    = 2048
	secretsMax     = 2
	timeoutMax     = 30 * time.Second
	timeoutDefault = 10 * time.Second
)

// Config is where events go and under which secrets. All of it is required but
// where a field says otherwise.
type Config struct {
	URL     string            // https://im.example/hongbao/events; plain http only with AllowPrivate
	Secrets []Secret          // the current one and, while receivers change over, the previous one
	Tickets *envelope.Tickets // the active event carries the ticket

	// AllowPrivate is for an IM backend inside the house: loopback, private and
	// shared addresses may be dialled too. Without it only public ones.
	AllowPrivate bool

	Now     func() time.Time
	Timeout time.Duration // of one event, answer included; 0 is 10 s, at most 30 s
}

// String names the endpoint's host. Some endpoints keep a key in path or query.
func (c Config) String() string { return "webhook config of " + host(c.URL) }

// Format prints String under every verb, so that no verb reaches the secrets.
func (c Config) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, c.String()) }

// LogValue is String.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

func host(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return "no URL"
	}
	return u.Scheme + "://" + u.Host
}

// withDefaults fills in what may be left out.
func (c Config) withDefaults() Config {
	c.Timeout = cmp.Or(c.Timeout, timeoutDefault)
	return c
}

func (c *Config) validate() error {
	var mistakes []error
	if err := c.checkURL(); err != nil {
		mistakes = append(mistakes, fmt.Errorf("webhook: URL: %w", err))
	}
	if err := c.checkSecrets(); err != nil {
		mistakes = append(mistakes, fmt.Errorf("webhook: Secrets: %w", err))
	}
	if len(mistakes) > 0 {
		return errors.Join(mistakes...)
	}
	switch {
	case c.Tickets == nil:
		return errors.New("webhook: Tickets: want the keys of the tickets")
	case c.Now == nil:
		return errors.New("webhook: Now: want a clock")
	case c.Timeout < 0 || c.Timeout > timeoutMax:
		return fmt.Errorf("webhook: Timeout: want 0 < timeout <= %v, have %v", timeoutMax, c.Timeout)
	}
	return nil
}

func (c *Config) checkURL() error {
	u, err := url.Parse(c.URL)
	switch {
	case len(c.URL) > urlBytesMax:
		return fmt.Errorf("want at most %d bytes, have %d", urlBytesMax, len(c.URL))
	case err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "":
		return errors.New("want scheme://host/path without user, password and fragment")
	case u.Scheme != "https" && (u.Scheme != "http" || !c.AllowPrivate):
		return fmt.Errorf("want https, or http with AllowPrivate, have %q", u.Scheme)
	}
	// A name is checked when it is dialled; an address can be refused now.
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil {
		return c.guard().check(addr)
	}
	return nil
}

func (c *Config) guard() guard {
	u, err := url.Parse(c.URL)
	return guard{allowPrivate: c.AllowPrivate, clear: err != nil || u.Scheme != "https"}
}

func (c *Config) checkSecrets() error {
	if n := len(c.Secrets); n < 1 || n > secretsMax {
		return fmt.Errorf("want 1 <= secrets <= %d, have %d", secretsMax, n)
	}
	for i, s := range c.Secrets {
		if _, err := s.key(); err != nil {
			return fmt.Errorf("number %d: %w", i+1, err)
		}
		if i > 0 && bytes.Equal(s, c.Secrets[0]) {
			return errors.New("the same one twice")
		}
	}
	return nil
}
