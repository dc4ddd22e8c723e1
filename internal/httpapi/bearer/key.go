package bearer

import (
	"crypto/ed25519"
	"fmt"
	"strings"
	"time"
)

// The algorithms a key may have.
const (
	HS256 = "HS256"
	EdDSA = "EdDSA"
)

const (
	keysMax        = 16
	kidBytesMax    = 64
	secretBytesMin = 32
	tokenBytesMax  = 2 << 10

	audienceBytesMax = 255
	// clockLeeway is how far ahead an issuer's clock may be: it softens nbf and
	// iat, never exp.
	clockLeeway = 30 * time.Second
)

// Key is one registered key of an issuer of tokens. A token names it by kid and
// is accepted under its algorithm only.
type Key struct {
	ID        string             // kid, 1 to 64 bytes
	Person    string             // the one user whose tokens it signs; "": anybody's
	Algorithm string             // HS256 or EdDSA
	Secret    []byte             // HS256: at least 32 bytes
	Public    ed25519.PublicKey  // EdDSA
	Private   ed25519.PrivateKey // EdDSA: only where tokens are minted

	// What tokens under it must say, beside what every token must.
	Audience string        // named by aud; "" refuses any aud
	LifeMax  time.Duration // of exp - iat; 0 for DefaultLifeMax
}

// DefaultLifeMax is how long a token may live where nothing else is set. A
// token cannot be revoked, so it must end by itself.
const DefaultLifeMax = 7 * 24 * time.Hour

// lifeLongest bounds what can be set.
const lifeLongest = 10 * 365 * 24 * time.Hour

func (k *Key) lifeMax() time.Duration {
	if k.LifeMax == 0 {
		return DefaultLifeMax
	}
	return k.LifeMax
}

// CheckRules holds what tokens must say to sense; the error names the setting.
func (k Key) CheckRules() error {
	if strings.ContainsFunc(k.Audience, func(r rune) bool { return r <= ' ' || r > '~' }) || len(k.Audience) > audienceBytesMax {
		return fmt.Errorf("audience: must be at most %d visible ASCII characters", audienceBytesMax)
	}
	if life := k.lifeMax(); life < time.Second || life > lifeLongest {
		return fmt.Errorf("token_life_max: want 1s to %v, have %v", lifeLongest, life)
	}
	return nil
}

// String keeps the secret out of logs.
func (k Key) String() string { return fmt.Sprintf("token key %q (%s, redacted)", k.ID, k.Algorithm) }

// GoString does the same for %#v.
func (k Key) GoString() string { return k.String() }

// Check says what keeps tokens under the key from being accepted or minted.
func (k *Key) Check() error {
	switch {
	case k.ID == "" || len(k.ID) > kidBytesMax:
		return fmt.Errorf("token key: want a kid of 1 to %d bytes, have %d", kidBytesMax, len(k.ID))
	case k.Algorithm == HS256 && len(k.Secret) < secretBytesMin:
		return fmt.Errorf("token key %q: want a secret of at least %d bytes, have %d", k.ID, secretBytesMin, len(k.Secret))
	case k.Algorithm == EdDSA && len(k.Public) != ed25519.PublicKeySize:
		return fmt.Errorf("token key %q: want a public key of %d bytes, have %d", k.ID, ed25519.PublicKeySize, len(k.Public))
	case k.Algorithm != HS256 && k.Algorithm != EdDSA:
		return fmt.Errorf("token key %q: want algorithm %s or %s, have %q", k.ID, HS256, EdDSA, k.Algorithm)
	}
	return nil
}

// verifier is what jwt checks a signature with.
func (k *Key) verifier() any {
	if k.Algorithm == HS256 {
		return k.Secret
	}
	return k.Public
}
