package bearer

import (
	"errors"

	"github.com/golang-jwt/jwt/v5"

	"hongbao/envelope"
)

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
		return verified{}, errPerson
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
		return nil, errKey
	}
	return k.verifier(), nil
}

// tokenRefusal sorts the library's errors into ours.
func tokenRefusal(err error) error {
	if r, ok := errors.AsType[*Error](err); ok {
		return r
	}
	switch {
	case errors.Is(err, jwt.ErrTokenUnverifiable):
		return errKey
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return errSignature
	}
	return errMalformed
}
