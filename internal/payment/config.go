package payment

import (
	"cmp"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"net/url"
	"time"

	"hongbao/envelope"
	"hongbao/internal/payment/apiv3"
)

const (
	identifierBytesMax = 64
	notifyURLBytesMax  = 255
	timeoutMax         = 30 * time.Second
	timeoutDefault     = 3 * time.Second
	platformKeysMax    = 8
)

// Config is our account with the provider. All of it is required but where a field
// says otherwise.
type Config struct {
	BaseURL        string          // https://api.mch.weixin.qq.com; plain http on loopback only
	MerchantID     string          // mchid
	AppID          string          // appid bound to the merchant
	MerchantSerial string          // of the certificate that MerchantKey belongs to
	MerchantKey    *rsa.PrivateKey `json:"-"`

	// PlatformKeys verify what the provider says, by certificate serial or
	// PUB_KEY_ID. While it rotates its keys there are two.
	PlatformKeys map[string]*rsa.PublicKey
	// PlatformSerial is the key we ask the provider to answer under. It may stay
	// empty while there is one.
	PlatformSerial string

	APIv3Key  apiv3.Secret // 32 bytes; opens notifications
	NotifyURL string       // where the provider calls us back; no query
	Now       func() time.Time
	Timeout   time.Duration // of one attempt, answer included; 0 is 3 s, at most 30 s

	// OpenID is the payee's openid under AppID, 1 to 64 visible ASCII characters,
	// and the same for a user for ever. Nil takes user IDs for openids.
	OpenID func(envelope.UserID) string
	// Description is what every charge is called, as [CheckDescription] takes it; it
	// may stay empty. It is fixed because it stands in the provider's bills, whose
	// format has no quotes, and because emoji are reported to be refused.
	Description string
	// Payouts is what every payout says of itself. It may stay empty.
	Payouts Payouts
	// BillAccount is the account whose fund flow is billed: BASIC, which is what
	// empty means, or OPERATION, where payouts leave from it.
	BillAccount string
}

// String names the merchant and no key.
func (c Config) String() string {
	return fmt.Sprintf("payment config of merchant %s at %s", c.MerchantID, c.BaseURL)
}

// Format prints String under every verb, so that no verb reaches the keys.
func (c Config) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, c.String()) }

// LogValue is String.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// withDefaults fills in what may be left out.
func (c Config) withDefaults() Config {
	c.Timeout = cmp.Or(c.Timeout, timeoutDefault)
	if c.PlatformSerial == "" && len(c.PlatformKeys) == 1 {
		for serial := range c.PlatformKeys {
			c.PlatformSerial = serial
		}
	}
	if c.OpenID == nil {
		c.OpenID = func(u envelope.UserID) string { return string(u) }
	}
	c.BillAccount = cmp.Or(c.BillAccount, "BASIC")
	c.Description = cmp.Or(c.Description, "红包")
	c.Payouts = c.Payouts.withDefaults()
	return c
}

// validate names every field of names, addresses, keys and terms that breaks its
// rule, then the first of the rest.
func (c *Config) validate() error {
	var mistakes []error
	for _, check := range []func() error{c.checkNames, c.checkURLs, c.checkKeys, c.Payouts.check} {
		if err := check(); err != nil {
			mistakes = append(mistakes, fmt.Errorf("payment: %w", err))
		}
	}
	if len(mistakes) > 0 {
		return errors.Join(mistakes...)
	}
	switch {
	case CheckDescription(c.Description) != nil:
		return fmt.Errorf("payment: Description: %w", CheckDescription(c.Description))
	case c.Now == nil:
		return fmt.Errorf("payment: Now: want a clock")
	case c.BillAccount != "BASIC" && c.BillAccount != "OPERATION":
		return fmt.Errorf("payment: BillAccount: want BASIC or OPERATION, have %q", c.BillAccount)
	case c.Timeout < 0 || c.Timeout > timeoutMax:
		return fmt.Errorf("payment: Timeout: want 0 < timeout <= %v, have %v", timeoutMax, c.Timeout)
	}
	return nil
}

func (c *Config) checkNames() error {
	for _, id := range []struct{ name, value string }{
		{"MerchantID", c.MerchantID}, {"AppID", c.AppID}, {"MerchantSerial", c.MerchantSerial},
	} {
		if !isIdentifier(id.value) {
			return fmt.Errorf("%s: want 1 to %d letters, digits, '_' or '-', have %q", id.name, identifierBytesMax, id.value)
		}
	}
	return nil
}

// isIdentifier accepts what can stand between the quotes of an Authorization.
func isIdentifier(s string) bool {
	for i := range len(s) {
		b := s[i]
		if !(b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || b == '_' || b == '-') {
			return false
		}
	}
	return s != "" && len(s) <= identifierBytesMax
}

func (c *Config) checkURLs() error {
	base, err := url.Parse(c.BaseURL)
	switch {
	case err != nil || base.Host == "" || base.User != nil || base.Path != "" || base.RawQuery != "" || base.Fragment != "":
		return fmt.Errorf("BaseURL: want scheme://host and nothing after it, have %q", c.BaseURL)
	case base.Scheme != "https" && (base.Scheme != "http" || !isLoopback(base.Hostname())):
		return fmt.Errorf("BaseURL: want https, or http on loopback, have %q", c.BaseURL)
	}
	notify, err := url.Parse(c.NotifyURL)
	if err != nil || notify.Host == "" || notify.User != nil || notify.RawQuery != "" || notify.Fragment != "" ||
		(notify.Scheme != "https" && notify.Scheme != "http") || len(c.NotifyURL) > notifyURLBytesMax {
		return fmt.Errorf("NotifyURL: want http(s)://host/path without a query, of at most %d bytes, have %q", notifyURLBytesMax, c.NotifyURL)
	}
	return nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

func (c *Config) checkKeys() error {
	if c.MerchantKey == nil {
		return fmt.Errorf("MerchantKey: want an RSA private key")
	}
	if err := apiv3.CheckBits("MerchantKey", &c.MerchantKey.PublicKey); err != nil {
		return err
	}
	if n := len(c.PlatformKeys); n < 1 || n > platformKeysMax {
		return fmt.Errorf("PlatformKeys: want 1 <= keys <= %d, have %d", platformKeysMax, n)
	}
	for serial, key := range c.PlatformKeys {
		if !isIdentifier(serial) || key == nil {
			return fmt.Errorf("PlatformKeys: want a serial and a key, have %q", serial)
		}
		if err := apiv3.CheckBits("PlatformKeys: "+serial, key); err != nil {
			return err
		}
	}
	if c.PlatformKeys[c.PlatformSerial] == nil {
		return fmt.Errorf("PlatformSerial: want one of PlatformKeys, have %q", c.PlatformSerial)
	}
	if len(c.APIv3Key) != apiv3.SecretBytes {
		return fmt.Errorf("APIv3Key: want %d bytes, have %d", apiv3.SecretBytes, len(c.APIv3Key))
	}
	return nil
}
