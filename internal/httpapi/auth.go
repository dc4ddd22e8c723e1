package httpapi

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"hongbao/envelope"
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
	LifeMax  time.Duration // of exp - iat; 0 for DefaultTokenLifeMax
}

// DefaultTokenLifeMax is how long a token may live where nothing else is set. A
// token cannot be revoked, so it must end by itself.
const DefaultTokenLifeMax = 7 * 24 * time.Hour

// tokenLifeLongest bounds what can be set.
const tokenLifeLongest = 10 * 365 * 24 * time.Hour

func (k *Key) lifeMax() time.Duration {
	if k.LifeMax == 0 {
		return DefaultTokenLifeMax
	}
	return k.LifeMax
}

// CheckRules holds what tokens must say to sense; the error names the setting.
func (k Key) CheckRules() error {
	if strings.ContainsFunc(k.Audience, func(r rune) bool { return r <= ' ' || r > '~' }) || len(k.Audience) > audienceBytesMax {
		return fmt.Errorf("audience: must be at most %d visible ASCII characters", audienceBytesMax)
	}
	if life := k.lifeMax(); life < time.Second || life > tokenLifeLongest {
		return fmt.Errorf("token_life_max: want 1s to %v, have %v", tokenLifeLongest, life)
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

// Scope is a set of what a token allows.
type Scope uint8

// The scopes, spelled in a token as send, open, show and operate. A token
// without the claim has all but operate, which must be said.
const (
	ScopeSend Scope = 1 << iota
	ScopeOpen       // open and grab
	ScopeShow
	ScopeOperate // move held money, on the operator's listener
	scopeAll     = ScopeSend | ScopeOpen | ScopeShow
)

func (s Scope) String() string {
	switch s {
	case ScopeSend:
		return "send"
	case ScopeOpen:
		return "open"
	case ScopeShow:
		return "show"
	case ScopeOperate:
		return "operate"
	}
	return fmt.Sprintf("scopes %04b", uint8(s))
}

// parseScope reads the words it knows; others are for other services. Only the
// space separates them (RFC 6749 §3.3).
func parseScope(words string) Scope {
	var s Scope
	for word := range strings.SplitSeq(words, " ") {
		for _, one := range [...]Scope{ScopeSend, ScopeOpen, ScopeShow, ScopeOperate} {
			if word == one.String() {
				s |= one
			}
		}
	}
	return s
}

// Caller is who a verified token speaks for.
type Caller struct {
	User   envelope.UserID
	Scopes Scope
}

// AuthConfig is what an authenticator works with. Keys and Now are required.
type AuthConfig struct {
	Keys            []Key // 1 to 16, each with its own kid
	Now             func() time.Time
	CacheEntriesMax int // verified tokens remembered; 0 for 65536
	CacheBytesMax   int // and the bytes they take; 0 for 32 MiB
}

// Authenticator tells who asks. It is safe for concurrent use.
type Authenticator struct {
	keys   map[string]Key
	now    func() time.Time
	parser *jwt.Parser
	cache  *tokenCache
	by     atomic.Pointer[Authenticator] // has taken over; nil: nothing has
}

// Replace makes the authenticator answer as another one from now on, with its
// keys and none of what was verified under the old ones.
func (a *Authenticator) Replace(by *Authenticator) { a.by.Store(by) }

// NewAuthenticator refuses keys that could not protect anything.
func NewAuthenticator(cfg AuthConfig) (*Authenticator, error) {
	if len(cfg.Keys) < 1 || len(cfg.Keys) > keysMax {
		return nil, fmt.Errorf("token keys: want 1 <= keys <= %d, have %d", keysMax, len(cfg.Keys))
	}
	if cfg.Now == nil {
		return nil, errors.New("authenticator: now is required")
	}
	keys := make(map[string]Key, len(cfg.Keys))
	var mistakes []error
	for _, k := range cfg.Keys {
		mistakes = append(mistakes, k.Check())
		if _, twice := keys[k.ID]; twice {
			mistakes = append(mistakes, fmt.Errorf("token key %q: given twice", k.ID))
		}
		keys[k.ID] = k
	}
	if err := errors.Join(mistakes...); err != nil {
		return nil, err
	}
	setDefault(&cfg.CacheEntriesMax, 1<<16)
	setDefault(&cfg.CacheBytesMax, 32<<20)
	cache, err := newTokenCache(cfg.CacheEntriesMax, cfg.CacheBytesMax)
	if err != nil {
		return nil, err
	}
	// The library checks form and signature; what the claims say is checked in claims.go.
	parser := jwt.NewParser(jwt.WithValidMethods([]string{HS256, EdDSA}), jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation())
	return &Authenticator{keys: keys, now: cfg.Now, parser: parser, cache: cache}, nil
}

// Authenticate reads the Authorization header. A token seen before costs a look
// into the cache; its exp is honoured to the instant either way. An error is a
// 401 that says which rule the token breaks.
func (a *Authenticator) Authenticate(h http.Header) (Caller, error) {
	if by := a.by.Load(); by != nil {
		return by.Authenticate(h)
	}
	token, err := bearer(h["Authorization"])
	if err != nil {
		return Caller{}, err
	}
	now := a.now()
	v, known := a.cache.get(token)
	if !known {
		if v, err = a.verify(token); err != nil {
			return Caller{}, err
		}
	}
	if !now.Before(v.expires) {
		return Caller{}, errTokenExpired
	}
	if !known {
		a.cache.put(token, v)
	}
	return v.caller, nil
}

// bearer takes the token out of the header: one header, one space.
func bearer(values []string) (string, error) {
	if len(values) == 0 {
		return "", errNoToken
	}
	const scheme = "Bearer "
	v := values[0]
	if len(values) > 1 || len(v) <= len(scheme) || !strings.EqualFold(v[:len(scheme)], scheme) {
		return "", errNotBearer
	}
	if len(v) > len(scheme)+tokenBytesMax {
		return "", errTokenMalformed
	}
	return v[len(scheme):], nil
}
