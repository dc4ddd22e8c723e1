package settings

import (
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"

	"hongbao/envelope"
	"hongbao/internal/httpapi"
	"hongbao/internal/payment"
)

// TokenKeys reads the registered keys of token issuers. An EdDSA file is a PEM
// public key; an HS256 file is the secret's text.
func (s *Settings) TokenKeys() ([]httpapi.Key, error) {
	keys := make([]httpapi.Key, 0, len(s.Keys.Tokens))
	for i, t := range s.Keys.Tokens {
		secret, err := s.Secret(fmt.Sprintf("keys.tokens[%d].file", i), t.File)
		if err != nil {
			return nil, err
		}
		key := httpapi.Key{ID: t.KeyID, Algorithm: t.Algorithm, Secret: secret}
		if t.Algorithm == httpapi.EdDSA {
			key.Secret = nil
			if key.Public, err = ed25519Public(secret); err != nil {
				return nil, fmt.Errorf("settings: keys.tokens[%d].file: %w", i, err)
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

// MintToken signs a token for user with the first HS256 key.
func (s *Settings) MintToken(user, scope string, ttl time.Duration, now time.Time) (string, error) {
	keys, err := s.TokenKeys()
	if err != nil {
		return "", err
	}
	for _, key := range keys {
		if key.Algorithm == httpapi.HS256 {
			return httpapi.MintToken(key, envelope.UserID(user), scope, ttl, now)
		}
	}
	return "", fmt.Errorf("settings: keys.tokens: no HS256 key, so only the issuer itself can mint")
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
	}, nil
}
