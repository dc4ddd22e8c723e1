package httpapi

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

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
	errTokenTime      = badToken("exp, nbf and iat must be whole seconds since 1970, written as JSON numbers in digits only")
	errTokenText      = badToken("sub, iss, jti and scope must be strings")
	errTokenAudience  = badToken("aud must be a string, or a list of strings that is not empty")
	errTokenForOthers = badToken("aud does not name this service")
	errTokenNoAud     = badToken("aud is required")
	errTokenLife      = badToken("the token lives longer than it may: exp - iat, or exp - now without iat")
	errTokenExpired   = badToken("the token has expired")
	errTokenNotYet    = badToken("the token is not valid yet")
	errTokenPerson    = badToken("the key signs for one person, and sub names another")
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

// verify checks a token that is not in the cache.
func (a *Authenticator) verify(token string) (verified, error) {
	var c claims
	t, err := a.parser.ParseWithClaims(token, &c, a.key)
	if err != nil {
		return verified{}, tokenRefusal(err)
	}
	key := a.keys[t.Header["kid"].(string)] // the parser found it there
	if err := c.check(&key, a.now()); err != nil {
		return verified{}, err
	}
	if key.Person != "" && key.Person != c.Subject.text {
		return verified{}, errTokenPerson
	}
	scopes := scopeAll
	if c.Scope.given {
		scopes = parseScope(c.Scope.text)
	}
	return verified{
		caller:  Caller{User: envelope.UserID(c.Subject.text), Scopes: scopes},
		expires: c.Expires.time(),
	}, nil
}

// key finds the registered key and holds the token to its algorithm. A header
// marked critical that we do not know would change what is signed (RFC 7515).
func (a *Authenticator) key(t *jwt.Token) (any, error) {
	kid, _ := t.Header["kid"].(string)
	k, ok := a.keys[kid]
	// The library has a second name for EdDSA: the header's own text counts.
	if _, critical := t.Header["crit"]; !ok || critical || t.Header["alg"] != k.Algorithm {
		return nil, errTokenKey
	}
	return k.verifier(), nil
}

// tokenRefusal sorts the library's errors into ours.
func tokenRefusal(err error) error {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r
	}
	switch {
	case errors.Is(err, jwt.ErrTokenUnverifiable):
		return errTokenKey
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return errTokenSignature
	}
	return errTokenMalformed
}

// MintToken signs a token for user under key. scope is the claim's words, empty
// for a token without the claim, which may do everything; ttl is at least 1 s and
// at most what the key's tokens may live.
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
