package bearer

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"hongbao/envelope"
)

// Caller is the user a verified token speaks for, and what it allows.
type Caller struct {
	User   envelope.UserID
	Scopes Scope
}

// Config is what an authenticator works with. Keys and Now are required.
type Config struct {
	Keys            []Key // 1 to 16, each with its own kid
	Now             func() time.Time
	CacheEntriesMax int // verified tokens remembered; 0 for 65536
	CacheBytesMax   int // and the bytes they take; 0 for 32 MiB
}

// Authenticator finds the caller of a request. It is safe for concurrent use.
type Authenticator struct {
	keys   map[string]Key
	now    func() time.Time
	parser *jwt.Parser
	cache  *tokenCache
	by     atomic.Pointer[Authenticator] // answers instead, if it is not nil
}

// Replace makes the authenticator answer as another one from now on, with its
// keys and none of what was verified under the old ones.
func (a *Authenticator) Replace(by *Authenticator) { a.by.Store(by) }

// validate refuses keys that could not protect anything.
func (cfg *Config) validate() error {
	if len(cfg.Keys) < 1 || len(cfg.Keys) > keysMax {
		return fmt.Errorf("token keys: want 1 <= keys <= %d, have %d", keysMax, len(cfg.Keys))
	}
	if cfg.Now == nil {
		return errors.New("authenticator: now is required")
	}
	var mistakes []error
	for i, k := range cfg.Keys {
		mistakes = append(mistakes, k.Check())
		if slices.ContainsFunc(cfg.Keys[:i], func(earlier Key) bool { return earlier.ID == k.ID }) {
			mistakes = append(mistakes, fmt.Errorf("token key %q: given twice", k.ID))
		}
	}
	return errors.Join(mistakes...)
}

// NewAuthenticator makes one that knows these keys.
func NewAuthenticator(cfg Config) (*Authenticator, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	keys := make(map[string]Key, len(cfg.Keys))
	for _, k := range cfg.Keys {
		keys[k.ID] = k
	}
	cache, err := newTokenCache(cmp.Or(cfg.CacheEntriesMax, 1<<16), cmp.Or(cfg.CacheBytesMax, 32<<20))
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
	token, err := tokenOf(h["Authorization"])
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
		return Caller{}, errExpired
	}
	if !known {
		a.cache.put(token, v)
	}
	return v.caller, nil
}

// tokenOf takes the token out of the header: one header, one space.
func tokenOf(values []string) (string, error) {
	if len(values) == 0 {
		return "", errNoToken
	}
	const scheme = "Bearer "
	v := values[0]
	if len(values) > 1 || len(v) <= len(scheme) || !strings.EqualFold(v[:len(scheme)], scheme) {
		return "", errNotBearer
	}
	if len(v) > len(scheme)+tokenBytesMax {
		return "", errMalformed
	}
	return v[len(scheme):], nil
}
