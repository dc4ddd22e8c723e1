package httpapi

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/golang-jwt/jwt/v5"

	"hongbao/envelope"
)

// Why a credential is refused. The strings are all that a caller learns.
var (
	errNoToken        = &refusal{code: codeUnauthenticated, challenge: `Bearer realm="hongbao"`}
	errNotBearer      = badToken("Authorization must be given once, as Bearer and one token")
	errTokenMalformed = badToken("the token is not a JWT")
	errTokenKey       = badToken("no registered key of this kid and algorithm")
	errTokenSignature = badToken("the signature is not of the named key")
	errTokenNoExpiry  = badToken("exp is required")
	errTokenExpired   = badToken("the token has expired")
	errTokenNotYet    = badToken("the token is not valid yet")
	errTokenSubject   = badToken("sub must be 1 to 64 visible ASCII characters")
)

func badToken(why string) *refusal {
	return &refusal{code: codeUnauthenticated, detail: why,
		challenge: `Bearer realm="hongbao", error="invalid_token", error_description="` + why + `"`}
}

// lacking refuses a caller whose token does not cover the call.
func lacking(need Scope) error {
	return &refusal{code: codeScope, detail: "needs scope " + need.String(),
		challenge: `Bearer realm="hongbao", error="insufficient_scope", scope="` + need.String() + `"`}
}

// claims are the parts of a token that count. Unlike the library's own decoding,
// names are matched exactly and may not come twice.
type claims struct {
	jwt.RegisteredClaims
	Scope scopeClaim `json:"scope"`
}

func (c *claims) UnmarshalJSON(b []byte) error {
	type plain claims
	return json.Unmarshal(b, (*plain)(c))
}

// scopeClaim must be a string when it is there: null is not "all".
type scopeClaim struct {
	given bool
	words string
}

func (s *scopeClaim) UnmarshalJSON(b []byte) error {
	if len(b) == 0 || b[0] != '"' {
		return errors.New("scope: want a string")
	}
	s.given = true
	return json.Unmarshal(b, &s.words)
}

// verify checks a token that is not in the cache.
func (a *Authenticator) verify(token string) (verified, error) {
	var c claims
	if _, err := a.parser.ParseWithClaims(token, &c, a.key); err != nil {
		return verified{}, tokenRefusal(err)
	}
	if envelope.CheckName("sub", c.Subject) != nil {
		return verified{}, errTokenSubject
	}
	scopes := scopeAll
	if c.Scope.given {
		scopes = parseScope(c.Scope.words)
	}
	return verified{
		caller:  Caller{User: envelope.UserID(c.Subject), Scopes: scopes},
		expires: c.ExpiresAt.Time,
	}, nil
}

// key finds the registered key and holds the token to its algorithm. A header
// marked critical that we do not know would change what is signed (RFC 7515).
func (a *Authenticator) key(t *jwt.Token) (any, error) {
	kid, _ := t.Header["kid"].(string)
	k, ok := a.keys[kid]
	if _, critical := t.Header["crit"]; !ok || critical || t.Method.Alg() != k.Algorithm {
		return nil, errTokenKey
	}
	return k.verifier(), nil
}

// tokenRefusal sorts the library's errors into ours.
func tokenRefusal(err error) error {
	switch {
	case errors.Is(err, errTokenKey), errors.Is(err, jwt.ErrTokenUnverifiable):
		return errTokenKey
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return errTokenSignature
	case errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		return errTokenNoExpiry
	case errors.Is(err, jwt.ErrTokenExpired):
		return errTokenExpired
	case errors.Is(err, jwt.ErrTokenNotValidYet), errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		return errTokenNotYet
	}
	return errTokenMalformed
}

// MintToken signs a token for user under key. scope is the claim's words, empty
// for a token without the claim, which may do everything; ttl is at least 1 s.
func MintToken(key Key, user envelope.UserID, scope string, ttl time.Duration, now time.Time) (string, error) {
	if key.Algorithm == EdDSA && len(key.Private) == ed25519.PrivateKeySize && key.Public == nil {
		key.Public = key.Private.Public().(ed25519.PublicKey)
	}
	if err := key.Check(); err != nil {
		return "", err
	}
	if err := envelope.CheckName("sub", string(user)); err != nil {
		return "", err
	}
	if ttl < time.Second {
		return "", fmt.Errorf("token: want ttl >= 1s, have %v", ttl)
	}
	c := jwt.MapClaims{"sub": string(user), "iat": now.Unix(), "exp": now.Add(ttl).Unix()}
	if scope != "" {
		c["scope"] = scope
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
