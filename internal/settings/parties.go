package settings

import (
	"bytes"
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
	"hongbao/internal/httpapi/bearer"
	"hongbao/internal/payment"
	"hongbao/internal/payment/apiv3"
	"hongbao/orderset/decision"
)

// TokenKeys reads the registered keys of IM backends. An EdDSA file is a PEM
// public key; an HS256 file is the secret's text.
func (s *Settings) TokenKeys() ([]bearer.Key, error) {
	return s.readKeys("keys.tokens", s.Keys.Tokens)
}

// OperatorKeys reads the keys that operators' tokens are signed with.
func (s *Settings) OperatorKeys() ([]bearer.Key, error) {
	keys, err := s.readKeys("keys.operators", s.Keys.Operators)
	if err != nil {
		return keys, err
	}
	for i, k := range keys {
		for _, other := range keys[:i] {
			if k.Person != other.Person && bytes.Equal(k.Secret, other.Secret) && k.Public.Equal(other.Public) {
				return nil, fmt.Errorf("settings: keys.operators[%d].file: is the key of %s too", i, other.Person)
			}
		}
	}
	return keys, nil
}

// personMistakes holds each operators' key to its person.
func (s *Settings) personMistakes() (found []error) {
	for i, k := range s.Keys.Tokens {
		if k.Person != "" {
			found = append(found, fmt.Errorf("keys.tokens[%d].person: only a key of keys.operators is one person's", i))
		}
	}
	for i, k := range s.Keys.Operators {
		field := fmt.Sprintf("keys.operators[%d].person", i)
		switch {
		case k.Person == "" && s.Environment == Production:
			found = append(found, fmt.Errorf("%s: is required in production: it takes two people to move held money, and one key for both is one", field))
		case k.Person != "":
			if err := decision.CheckPerson(field, k.Person); err != nil {
				found = append(found, err)
			}
		}
		for j, other := range s.Keys.Operators[:i] {
			if other.File == k.File && other.Person != k.Person {
				found = append(found, fmt.Errorf("keys.operators[%d].file: is that of keys.operators[%d], which is another person's", i, j))
			}
		}
	}
	return found
}

func (s *Settings) readKeys(setting string, from []TokenKey) ([]bearer.Key, error) {
	keys := make([]bearer.Key, 0, len(from))
	var mistakes []error
	for i, t := range from {
		key, err := s.readKey(fmt.Sprintf("%s[%d].file", setting, i), t)
		keys, mistakes = append(keys, key), append(mistakes, err)
	}
	return keys, errors.Join(mistakes...)
}

func (s *Settings) readKey(setting string, t TokenKey) (bearer.Key, error) {
	key := bearer.Key{ID: t.KeyID, Algorithm: t.Algorithm, Person: t.Person, Audience: s.Keys.Audience, LifeMax: s.Keys.TokenLifeMax}
	secret, err := s.Secret(setting, t.File)
	if err != nil {
		return key, err
	}
	if t.Algorithm != bearer.EdDSA {
		key.Secret = secret
	} else if key.Public, err = ed25519Public(secret); err != nil {
		return key, fmt.Errorf("settings: %s: %s: %w", setting, t.File, err)
	}
	if err := key.Check(); err != nil {
		return key, fmt.Errorf("settings: %s: %w", setting, err)
	}
	return key, nil
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
	if slices.Contains(strings.Split(scope, " "), bearer.ScopeOperate.String()) {
		setting, read = "keys.operators", s.OperatorKeys
	}
	keys, err := read()
	if err != nil {
		return "", err
	}
	for _, person := range []string{user, ""} { // a key of the user's own first
		for _, key := range keys {
			if key.Algorithm == bearer.HS256 && key.Person == person {
				return bearer.Mint(key, envelope.UserID(user), scope, ttl, now)
			}
		}
	}
	return "", fmt.Errorf("settings: %s: no HS256 key that signs for %s, so only the issuer itself can mint", setting, user)
}

// webhookSecretPrefix is how Standard Webhooks spells a secret: the rest is
// base64.
const webhookSecretPrefix = "whsec_"

// EventSecrets reads the secrets that events are signed with, the current one
// first. None means that no events are sent.
func (s *Settings) EventSecrets() ([]string, error) {
	var secrets []string
	var mistakes []error
	for _, f := range []struct{ key, file string }{
		{"events.secret_file", s.Events.SecretFile}, {"events.previous_secret_file", s.Events.PreviousSecretFile},
	} {
		if f.file == "" {
			continue
		}
		secret, err := s.eventSecret(f.key, f.file)
		secrets, mistakes = append(secrets, secret), append(mistakes, err)
	}
	if s.Events.URL != "" && s.Events.SecretFile == "" {
		mistakes = append(mistakes, errors.New("settings: events.secret_file: is required with events.url"))
	}
	return secrets, errors.Join(mistakes...)
}

// The standard's bounds of a webhook secret.
const (
	webhookBytesMin = 24
	webhookBytesMax = 64
)

func (s *Settings) eventSecret(key, file string) (string, error) {
	secret, err := s.Secret(key, file)
	if err != nil {
		return "", err
	}
	encoded, ok := strings.CutPrefix(string(secret), webhookSecretPrefix)
	raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
	switch {
	case err != nil || !ok:
		return "", fmt.Errorf("settings: %s: %s: want %s and base64", key, file, webhookSecretPrefix)
	case len(raw) < webhookBytesMin || len(raw) > webhookBytesMax:
		return "", fmt.Errorf("settings: %s: %s: want %d <= bytes <= %d, have %d", key, file, webhookBytesMin, webhookBytesMax, len(raw))
	case s.Environment != Playground && strings.HasPrefix(string(raw), playgroundPrefix):
		return "", fmt.Errorf("settings: %s: %s holds a playground's secret; make one for %s", key, file, s.Environment)
	}
	return string(secret), nil
}

// PaymentConfig reads our merchant account with the provider.
func (s *Settings) PaymentConfig(now func() time.Time) (payment.Config, error) {
	p := &s.Payment
	var mistakes []error
	merchant := keyFile(s, &mistakes, "payment.merchant_key_file", p.MerchantKeyFile, apiv3.LoadPrivateKey)
	secret := keyFile(s, &mistakes, "payment.apiv3_key_file", p.APIv3KeyFile, apiv3.LoadAPIv3Key)
	platform := map[string]*rsa.PublicKey{}
	for i, k := range p.PlatformKeys {
		platform[k.Serial] = keyFile(s, &mistakes, fmt.Sprintf("payment.platform_keys[%d].file", i), k.File, apiv3.LoadPublicKey)
	}
	terms, _ := p.Terms() // what is wrong with them was said when the file was read
	return payment.Config{
		BaseURL: p.BaseURL, NotifyURL: p.NotifyURL, MerchantID: p.MerchantID, AppID: p.AppID,
		MerchantSerial: p.MerchantSerial, MerchantKey: merchant, PlatformKeys: platform, APIv3Key: secret, Now: now,
		Description: p.ChargeDescription, Payouts: terms, BillAccount: p.BillAccount,
	}, errors.Join(mistakes...)
}

// keyFile reads a key of the payment provider, whose formats are its own.
func keyFile[K any](s *Settings, mistakes *[]error, key, file string, load func(file string) (K, error)) K {
	if file == "" {
		*mistakes = append(*mistakes, fmt.Errorf("settings: %s: is required", key))
		var none K
		return none
	}
	k, err := load(s.Path(file))
	if err != nil {
		*mistakes = append(*mistakes, fmt.Errorf("settings: %s: %w", key, err))
	}
	return k
}
