package settings

import (
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"hongbao/envelope"
	"hongbao/internal/httpapi"
	"hongbao/internal/payment"
)

// TokenKeys reads the registered keys of IM backends. An EdDSA file is a PEM
// public key; an HS256 file is the secret's text.
func (s *Settings) TokenKeys() ([]httpapi.Key, error) {
	return s.readKeys("keys.tokens", s.Keys.Tokens)
}

// OperatorKeys reads the keys that operators' tokens are signed with.
func (s *Settings) OperatorKeys() ([]httpapi.Key, error) {
	return s.readKeys("keys.operators", s.Keys.Operators)
}

func (s *Settings) readKeys(setting string, from []TokenKey) ([]httpapi.Key, error) {
	keys := make([]httpapi.Key, 0, len(from))
	for i, t := range from {
		secret, err := s.Secret(fmt.Sprintf("%s[%d].file", setting, i), t.File)
		if err != nil {
			return nil, err
		}
		key := httpapi.Key{ID: t.KeyID, Algorithm: t.Algorithm, Secret: secret}
		if t.Algorithm == httpapi.EdDSA {
			key.Secret = nil
			if key.Public, err = ed25519Public(secret); err != nil {
				return nil, fmt.Errorf("settings: %s[%d].file: %w", setting, i, err)
			}
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func ed25519Public(text []byte) (ed25519.PublicKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("want a PEM public key")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if public, ok := key.(ed25519.PublicKey); ok && err == nil {
		return public, nil
	}
	return nil, fmt.Errorf("want an Ed25519 public key")
}

// MintToken signs a token for user with the first HS256 key of the IM backends,
// or of the operators when the scope is theirs.
func (s *Settings) MintToken(user, scope string, ttl time.Duration, now time.Time) (string, error) {
	setting, read := "keys.tokens", s.TokenKeys
	if slices.Contains(strings.Fields(scope), httpapi.ScopeOperate.String()) {
		setting, read = "keys.operators", s.OperatorKeys
	}
	keys, err := read()
	if err != nil {
		return "", err
	}
	for _, key := range keys {
		if key.Algorithm == httpapi.HS256 {
			return httpapi.MintToken(key, envelope.UserID(user), scope, ttl, now)
		}
	}
	return "", fmt.Errorf("settings: %s: no HS256 key, so only the issuer itself can mint", setting)
}

// webhookSecretPrefix is how Standard Webhooks spells a secret: the rest is
// base64.
const webhookSecretPrefix = "whsec_"

// EventSecrets reads the secrets that events are signed with, the current one
// first. None means that nobody is told.
func (s *Settings) EventSecrets() ([]string, error) {
	var secrets []string
	for _, f := range []struct{ key, file string }{
		{"events.secret_file", s.Events.SecretFile}, {"events.previous_secret_file", s.Events.PreviousSecretFile},
	} {
		if f.file == "" {
			continue
		}
		secret, err := s.Secret(f.key, f.file)
		if err != nil {
			return nil, err
		}
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(string(secret), webhookSecretPrefix))
		if err != nil || !strings.HasPrefix(string(secret), webhookSecretPrefix) {
			return nil, fmt.Errorf("settings: %s: want %s and base64", f.key, webhookSecretPrefix)
		}
		if s.Environment != Playground && strings.HasPrefix(string(raw), playgroundPrefix) {
			return nil, fmt.Errorf("settings: %s: %s holds a playground's secret; make one for %s", f.key, f.file, s.Environment)
		}
		secrets = append(secrets, string(secret))
	}
	if s.Events.URL != "" && len(secrets) == 0 {
		return nil, errors.New("settings: events.secret_file: is required with events.url")
	}
	return secrets, nil
}

// PaymentConfig reads our merchant account with the provider.
func (s *Settings) PaymentConfig(now func() time.Time) (payment.Config, error) {
	p := &s.Payment
	merchant, err := payment.LoadPrivateKey(s.Path(p.MerchantKeyFile))
	if err != nil {
		return payment.Config{}, fmt.Errorf("settings: payment.merchant_key_file: %w", err)
	}
	apiv3, err := payment.LoadAPIv3Key(s.Path(p.APIv3KeyFile))
	if err != nil {
		return payment.Config{}, fmt.Errorf("settings: payment.apiv3_key_file: %w", err)
	}
	platform := map[string]*rsa.PublicKey{}
	for i, k := range p.PlatformKeys {
		if platform[k.Serial], err = payment.LoadPublicKey(s.Path(k.File)); err != nil {
			return payment.Config{}, fmt.Errorf("settings: payment.platform_keys[%d].file: %w", i, err)
		}
	}
	return payment.Config{
		BaseURL: p.BaseURL, NotifyURL: p.NotifyURL, MerchantID: p.MerchantID, AppID: p.AppID,
		MerchantSerial: p.MerchantSerial, MerchantKey: merchant, PlatformKeys: platform, APIv3Key: apiv3, Now: now,
		Payouts: payment.Payouts{SceneID: p.TransferScene}, BillAccount: p.BillAccount,
	}, nil
}
