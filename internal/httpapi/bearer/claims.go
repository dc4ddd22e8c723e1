package bearer

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/golang-jwt/jwt/v5"

	"hongbao/envelope"
)

// claims are the parts of a token that count (RFC 7519 §4.1). They are decoded
// here and not by the library: names are matched exactly and may not come twice,
// each has the type of the standard or the token is refused, and times are exact.
// A float64 in between would turn 10^19 into a time long past.
//
// Times must be whole seconds. The standard allows fractions; they would have to
// be rounded, and a library that rounds the other way would disagree with us
// about when a token ends.
type claims struct {
	jwt.RegisteredClaims `json:"-"` // only to be what the parser wants: it checks none of them

	Expires   seconds  `json:"exp"`
	NotBefore seconds  `json:"nbf"`
	IssuedAt  seconds  `json:"iat"`
	Subject   text     `json:"sub"`
	Issuer    text     `json:"iss"`
	ID        text     `json:"jti"`
	Scope     text     `json:"scope"`
	Audience  audience `json:"aud"`
}

func (c *claims) UnmarshalJSON(b []byte) error {
	type plain claims
	return json.Unmarshal(b, (*plain)(c))
}

// check holds a well-signed token to the rules, and to those of its key.
func (c *claims) check(key *Key, now time.Time) error {
	ahead := now.Add(clockLeeway)
	switch {
	case !c.Expires.given:
		return errNoExpiry
	case !now.Before(c.Expires.time()):
		return errExpired
	case c.NotBefore.given && c.NotBefore.time().After(ahead), c.IssuedAt.given && c.IssuedAt.time().After(ahead):
		return errNotYet
	case c.life(now) > key.lifeMax():
		return errLife
	case c.Audience.given && !c.Audience.names(key.Audience):
		return errForOthers
	case !c.Audience.given && key.Audience != "":
		return errNoAudience
	case envelope.CheckName("sub", c.Subject.text) != nil:
		return errSubject
	}
	return nil
}

// life is how long the token is good for: from its issue, or from now.
func (c *claims) life(now time.Time) time.Duration {
	from := now
	if c.IssuedAt.given {
		from = c.IssuedAt.time()
	}
	return c.Expires.time().Sub(from) // saturates at 292 years
}

// secondsMax is the end of the year 9999, the last that RFC 3339 can write.
const secondsMax = 253402300799

// seconds is a NumericDate that is exact.
type seconds struct {
	given bool
	n     int64
}

func (s *seconds) UnmarshalJSON(b []byte) error {
	n, err := strconv.ParseUint(string(b), 10, 64) // digits only: no sign, fraction, exponent or quotes
	if err != nil || n > secondsMax {
		return errTime
	}
	*s = seconds{given: true, n: int64(n)}
	return nil
}

func (s *seconds) time() time.Time { return time.Unix(s.n, 0) }

// text is a string claim: null is not one.
type text struct {
	given bool
	text  string
}

func (t *text) UnmarshalJSON(b []byte) error {
	if jsontext.Value(b).Kind() != '"' {
		return errText
	}
	t.given = true
	return json.Unmarshal(b, &t.text)
}

// audience is one string or a list of them.
type audience struct {
	given bool
	all   []text
}

func (a *audience) UnmarshalJSON(b []byte) error {
	a.given = true
	var one text
	if one.UnmarshalJSON(b) == nil {
		a.all = []text{one}
		return nil
	}
	if jsontext.Value(b).Kind() != '[' || json.Unmarshal(b, &a.all) != nil || len(a.all) == 0 {
		return errAudience
	}
	return nil
}

func (a *audience) names(service string) bool {
	for _, one := range a.all {
		if service != "" && one.text == service {
			return true
		}
	}
	return false
}
