package bearer

import (
	"crypto/ed25519"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"hongbao/envelope"
)

// Mint signs a token for user under key. scope is the claim's words, empty
// for a token without the claim, which may do everything; ttl is at least 1 s and
// at most what the key's tokens may live.
func Mint(key Key, user envelope.UserID, scope string, ttl time.Duration, now time.Time) (string, error) {
	if key.Algorithm == EdDSA && len(key.Private) == ed25519.PrivateKeySize && key.Public == nil {
		key.Public = key.Private.Public().(ed25519.PublicKey)
	}
	if err := key.Check(); err != nil {
		return "", err
	}
	if err := envelope.CheckName("sub", string(user)); err != nil {
		return "", err
	}
	if key.Person != "" && key.Person != string(user) {
		return "", fmt.Errorf("token key %q: it signs for %s alone", key.ID, key.Person)
	}
	if ttl < time.Second || ttl > key.lifeMax() {
		return "", fmt.Errorf("token: want 1s <= ttl <= %v, have %v", key.lifeMax(), ttl)
	}
	c := jwt.MapClaims{"sub": string(user), "iat": now.Unix(), "exp": now.Add(ttl).Unix()}
	if scope != "" {
		c["scope"] = scope
	}
	if key.Audience != "" {
		c["aud"] = key.Audience
	}
	method, secret := jwt.SigningMethod(jwt.SigningMethodHS256), any(key.Secret)
	if key.Algorithm == EdDSA {
		if len(key.Private) != ed25519.PrivateKeySize {
			return "", fmt.Errorf("token key %q: minting needs the private key", key.ID)
		}
		method, secret = jwt.SigningMethodEdDSA, key.Private
	}
	t := jwt.NewWithClaims(method, c)
	t.Header["kid"] = key.ID
	return t.SignedString(secret)
}
