package bearer

// Realm is the challenge to a caller without a credential.
const Realm = `Bearer realm="hongbao"`

// Error is why a credential is refused.
type Error struct {
	Why   string // names a rule, never what the caller sent; "" where there was no credential
	Needs Scope  // not 0: the token is good and does not cover the call

	challenge string
}

// Error says which rule the credential breaks.
func (e *Error) Error() string {
	if e.Why == "" {
		return "bearer token: none"
	}
	return "bearer token: " + e.Why
}

// Challenge is the answer's WWW-Authenticate (RFC 6750 §3).
func (e *Error) Challenge() string { return e.challenge }

// Why a credential is refused. The strings are all that a caller learns.
var (
	errNoToken    = &Error{challenge: Realm}
	errNotBearer  = badToken("Authorization must be given once, as Bearer and one token")
	errMalformed  = badToken("the token is not a JWT")
	errKey        = badToken("no registered key of this kid and algorithm")
	errSignature  = badToken("the signature is not of the named key")
	errNoExpiry   = badToken("exp is required")
	errTime       = badToken("exp, nbf and iat must be whole seconds since 1970, written as JSON numbers in digits only")
	errText       = badToken("sub, iss, jti and scope must be strings")
	errAudience   = badToken("aud must be a string, or a list of strings that is not empty")
	errForOthers  = badToken("aud does not name this service")
	errNoAudience = badToken("aud is required")
	errLife       = badToken("the token lives longer than it may: exp - iat, or exp - now without iat")
	errExpired    = badToken("the token has expired")
	errNotYet     = badToken("the token is not valid yet")
	errPerson     = badToken("the key signs for one person, and sub names another")
	errSubject    = badToken("sub must be 1 to 64 visible ASCII characters")
)

func badToken(why string) *Error {
	return &Error{Why: why, challenge: Realm + `, error="invalid_token", error_description="` + why + `"`}
}

// Lacking refuses a caller whose token does not cover the call.
func Lacking(need Scope) *Error {
	return &Error{Why: "needs scope " + need.String(), Needs: need,
		challenge: Realm + `, error="insufficient_scope", scope="` + need.String() + `"`}
}
