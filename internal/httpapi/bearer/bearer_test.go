package bearer

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"

	"hongbao/envelope"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is when the tests take place, unless they say otherwise.
func noon() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

func hsKey() Key {
	return Key{ID: "hs-1", Algorithm: HS256, Secret: []byte("0123456789abcdef0123456789abcdef")}
}

func newAuth(t testing.TB, now func() time.Time, keys ...Key) *Authenticator {
	t.Helper()
	a, err := NewAuthenticator(Config{Keys: keys, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func tokenFor(t testing.TB, user envelope.UserID, scope string) string {
	t.Helper()
	s, err := Mint(hsKey(), user, scope, time.Hour, noon())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func edKey() Key {
	private := ed25519.NewKeyFromSeed([]byte("0123456789abcdef0123456789abcdef"))
	return Key{ID: "ed-1", Algorithm: EdDSA, Public: private.Public().(ed25519.PublicKey), Private: private}
}

func authorize(a *Authenticator, token string) (Caller, error) {
	return a.Authenticate(http.Header{"Authorization": {"Bearer " + token}})
}

func segment(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// forge signs any header and claims with a secret, as HS256 does.
func forge(header, claims string, secret []byte) string {
	text := segment(header) + "." + segment(claims)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// claimed is a well-signed token with these claims besides a good exp.
func claimed(claims string) string {
	return forge(`{"alg":"HS256","kid":"hs-1"}`, fmt.Sprintf(`{"exp":%d,%s}`, noon().Unix()+60, claims), hsKey().Secret)
}

func TestAMintedTokenSpeaksForItsUser(t *testing.T) {
	a := newAuth(t, noon, hsKey(), edKey())
	for _, key := range []Key{hsKey(), edKey()} {
		for scope, want := range map[string]Scope{
			"": scopeAll, "send": ScopeSend, "open": ScopeOpen, "show send": ScopeShow | ScopeSend, "admin": 0, "opens": 0, "operate": ScopeOperate,
		} {
			token, err := Mint(key, "alice", scope, time.Minute, noon())
			if err != nil {
				t.Fatal(err)
			}
			for _, pass := range []string{"first", "cached"} {
				got, err := authorize(a, token)
				if want := (Caller{"alice", want}); err != nil || got != want {
					t.Errorf("%s, scope %q, %s: %+v, %v; want %+v", key.Algorithm, scope, pass, got, err, want)
				}
			}
		}
	}
}

// TestAKeyOfOnePersonSignsForNoOther (FS14).
func TestAKeyOfOnePersonSignsForNoOther(t *testing.T) {
	bound, free := hsKey(), hsKey()
	bound.Person = "alice"
	a := newAuth(t, noon, bound)
	for user, want := range map[envelope.UserID]error{"alice": nil, "Alice": errPerson, "bob": errPerson} {
		token, err := Mint(free, user, "operate", time.Minute, noon())
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := authorize(a, token); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", user, err, want)
			}
		}
		if _, err := Mint(bound, user, "operate", time.Minute, noon()); (err == nil) != (want == nil) {
			t.Errorf("minted for %s: %v", user, err)
		}
	}
}

func TestATokenIsRefusedByTheRuleItBreaks(t *testing.T) {
	const good = `{"alg":"HS256","kid":"hs-1"}`
	a := newAuth(t, noon, hsKey(), edKey())
	now, hs := noon().Unix(), hsKey()
	claims := fmt.Sprintf(`{"sub":"alice","exp":%d}`, now+60)
	valid := forge(good, claims, hs.Secret)
	if _, err := authorize(a, valid); err != nil {
		t.Fatal(err) // so that the refusals below mean something
	}
	parts := strings.Split(valid, ".")
	ed, err := Mint(edKey(), "alice", "", time.Minute, noon())
	if err != nil {
		t.Fatal(err)
	}
	hs384, err := jwt.NewWithClaims(jwt.SigningMethodHS384, jwt.MapClaims{"sub": "alice", "exp": now + 60}).SignedString(hs.Secret)
	if err != nil {
		t.Fatal(err)
	}
	none := segment(`{"alg":"none","kid":"hs-1"}`) + "." + segment(claims) + "."
	for name, tt := range map[string]struct {
		token string
		want  error
	}{
		"alg none":                       {none, errSignature},
		"alg None":                       {segment(`{"alg":"None","kid":"hs-1"}`) + "." + segment(claims) + ".", errKey},
		"no alg":                         {forge(`{"kid":"hs-1"}`, claims, hs.Secret), errKey},
		"another HMAC with the secret":   {hs384, errSignature},
		"HS256 over the EdDSA kid":       {forge(`{"alg":"HS256","kid":"ed-1"}`, claims, edKey().Public), errKey},
		"EdDSA over the HS256 kid":       {strings.Replace(ed, segmentOf(ed, 0), segment(`{"alg":"EdDSA","kid":"hs-1"}`), 1), errKey},
		"EdDSA tampered":                 {strings.Replace(ed, segmentOf(ed, 1), segment(claims), 1), errSignature},
		"unknown kid":                    {forge(`{"alg":"HS256","kid":"hs-2"}`, claims, hs.Secret), errKey},
		"no kid":                         {forge(`{"alg":"HS256"}`, claims, hs.Secret), errKey},
		"kid not a string":               {forge(`{"alg":"HS256","kid":["hs-1"]}`, claims, hs.Secret), errKey},
		"critical header":                {forge(`{"alg":"HS256","kid":"hs-1","crit":["b64"],"b64":false}`, claims, hs.Secret), errKey},
		"wrong secret":                   {forge(good, claims, []byte("fedcba9876543210fedcba9876543210")), errSignature},
		"other claims, same signature":   {parts[0] + "." + segment(strings.Replace(claims, "alice", "mallory", 1)) + "." + parts[2], errSignature},
		"signature cut":                  {valid[:len(valid)-1], errMalformed},
		"signature missing":              {parts[0] + "." + parts[1] + ".", errSignature},
		"two segments":                   {parts[0] + "." + parts[1], errMalformed},
		"four segments":                  {valid + ".x", errMalformed},
		"padded":                         {valid + "=", errMalformed},
		"last bits of base64 not zero":   {valid[:len(valid)-1] + string(valid[len(valid)-1]+1), errMalformed},
		"header not JSON":                {forge(`{`, claims, hs.Secret), errMalformed},
		"claims not JSON":                {forge(good, `{"sub":`, hs.Secret), errMalformed},
		"claims null":                    {forge(good, `null`, hs.Secret), errNoExpiry},
		"claims an array":                {forge(good, `[]`, hs.Secret), errMalformed},
		"sub twice":                      {claimed(`"sub":"alice","sub":"bob"`), errMalformed},
		"no exp":                         {forge(good, `{"sub":"alice"}`, hs.Secret), errNoExpiry},
		"exp null":                       {forge(good, `{"sub":"alice","exp":null}`, hs.Secret), errTime},
		"exp in another case":            {forge(good, fmt.Sprintf(`{"sub":"alice","EXP":%d}`, now+60), hs.Secret), errNoExpiry},
		"exp beyond time":                {forge(good, `{"sub":"alice","exp":1e300}`, hs.Secret), errTime},
		"expired long ago":               {forge(good, fmt.Sprintf(`{"sub":"alice","exp":%d}`, now-3600), hs.Secret), errExpired},
		"expired within the leeway":      {forge(good, fmt.Sprintf(`{"sub":"alice","exp":%d}`, now-1), hs.Secret), errExpired},
		"expires now":                    {forge(good, fmt.Sprintf(`{"sub":"alice","exp":%d}`, now), hs.Secret), errExpired},
		"not before, beyond the leeway":  {claimed(fmt.Sprintf(`"sub":"alice","nbf":%d`, now+31)), errNotYet},
		"issued later than the leeway":   {claimed(fmt.Sprintf(`"sub":"alice","iat":%d`, now+31)), errNotYet},
		"no sub":                         {claimed(`"iss":"im"`), errSubject},
		"sub empty":                      {claimed(`"sub":""`), errSubject},
		"sub in another case":            {claimed(`"SUB":"alice"`), errSubject},
		"sub with long s":                {claimed(`"ſub":"alice"`), errSubject},
		"sub with a space":               {claimed(`"sub":"al ice"`), errSubject},
		"sub with a NUL":                 {claimed(`"sub":"al\u0000ice"`), errSubject},
		"sub not ASCII":                  {claimed(`"sub":"爱丽丝"`), errSubject},
		"sub too long":                   {claimed(`"sub":"` + strings.Repeat("a", 65) + `"`), errSubject},
		"sub a number":                   {claimed(`"sub":7`), errText},
		"scope null":                     {claimed(`"sub":"alice","scope":null`), errText},
		"scope a list":                   {claimed(`"sub":"alice","scope":["open"]`), errText},
		"too long":                       {claimed(`"sub":"alice","x":"` + strings.Repeat("a", tokenBytesMax) + `"`), errMalformed},
		"nothing":                        {"", errNotBearer},
		"two spaces":                     {" " + valid, errMalformed},
		"trailing space":                 {valid + " ", errMalformed},
		"a second token":                 {valid + "," + valid, errMalformed},
		"null byte":                      {valid + "\x00", errMalformed},
		"EdDSA key as an HS256 secret":   {forge(`{"alg":"HS256","kid":"ed-1"}`, claims, []byte(edKey().Public)), errKey},
		"key smuggled in the header":     {forge(`{"alg":"HS256","kid":"x","jwk":{"kty":"oct","k":"AA"}}`, claims, []byte{0}), errKey},
		"alg Ed25519":                    {strings.Replace(ed, segmentOf(ed, 0), segment(`{"alg":"Ed25519","kid":"ed-1"}`), 1), errKey},
		"alg Ed25519, signed":            {edSigned(`{"alg":"Ed25519","kid":"ed-1"}`, claims), errKey},
		"alg eddsa, signed":              {edSigned(`{"alg":"eddsa","kid":"ed-1"}`, claims), errKey},
		"kid of a path":                  {forge(`{"alg":"HS256","kid":"../../dev/null"}`, claims, nil), errKey},
		"compact serialisation of a JWE": {strings.Repeat("a.", 4) + "a", errMalformed},
	} {
		if got, err := authorize(a, tt.token); !errors.Is(err, tt.want) {
			t.Errorf("%s: %+v, %v; want %v", name, got, err, tt.want)
		}
	}
}

// edSigned signs any header and claims with the EdDSA key.
func edSigned(header, claims string) string {
	text := segment(header) + "." + segment(claims)
	return text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(edKey().Private, []byte(text)))
}

func segmentOf(token string, i int) string { return strings.Split(token, ".")[i] }

func TestATokenIssuedByAFastClockIsAccepted(t *testing.T) {
	a := newAuth(t, noon, hsKey())
	now := noon().Unix()
	for _, claims := range []string{
		fmt.Sprintf(`"sub":"alice","nbf":%d,"iat":%d`, now+29, now+29), `"sub":"alice","nbf":0`,
	} {
		if _, err := authorize(a, claimed(claims)); err != nil {
			t.Errorf("%s: %v", claims, err)
		}
	}
}

func TestAuthorizationIsOneBearerToken(t *testing.T) {
	a := newAuth(t, noon, hsKey())
	good := "Bearer " + tokenFor(t, "alice", "")
	for _, ok := range []string{good, "bearer" + good[6:], "BEARER" + good[6:]} {
		if _, err := a.Authenticate(http.Header{"Authorization": {ok}}); err != nil {
			t.Errorf("%.12s…: %v", ok, err)
		}
	}
	for _, tt := range []struct {
		values []string
		want   error
	}{
		{nil, errNoToken}, {[]string{good, good}, errNotBearer}, {[]string{""}, errNotBearer}, {[]string{"Bearer"}, errNotBearer},
		{[]string{"Bearer "}, errNotBearer}, {[]string{"Basic YTpi"}, errNotBearer}, {[]string{good[7:]}, errNotBearer},
		{[]string{"Token " + good[7:]}, errNotBearer}, {[]string{"Bearer\t" + good[7:]}, errNotBearer},
	} {
		if _, err := a.Authenticate(http.Header{"Authorization": tt.values}); !errors.Is(err, tt.want) {
			t.Errorf("%.40q: %v, want %v", tt.values, err, tt.want)
		}
	}
}

func TestACachedTokenExpiresToTheInstant(t *testing.T) {
	now := noon()
	a := newAuth(t, func() time.Time { return now }, hsKey())
	token := tokenFor(t, "alice", "") // for an hour
	for _, tt := range []struct {
		after time.Duration
		want  error
	}{{0, nil}, {time.Hour - time.Nanosecond, nil}, {time.Hour, errExpired}, {2 * time.Hour, errExpired}} {
		now = noon().Add(tt.after)
		if _, err := authorize(a, token); !errors.Is(err, tt.want) {
			t.Errorf("after %v: %v, want %v", tt.after, err, tt.want)
		}
	}
}

func TestARefusedTokenIsNotRemembered(t *testing.T) {
	a := newAuth(t, noon, hsKey())
	forged := forge(`{"alg":"HS256","kid":"hs-1"}`, `{"sub":"alice","exp":99999999999}`, make([]byte, 32))
	for range 3 {
		if _, err := authorize(a, forged); !errors.Is(err, errSignature) {
			t.Fatalf("forged token: %v, want %v", err, errSignature)
		}
	}
	if _, known := a.cache.get(forged); known {
		t.Error("a forged token is in the cache")
	}
}

func TestKeysThatProtectNothingAreRefused(t *testing.T) {
	short, private := hsKey(), edKey()
	short.Secret = short.Secret[:31]
	private.Public = private.Public[:31]
	none, nameless, long := hsKey(), hsKey(), hsKey()
	none.Algorithm, nameless.ID, long.ID = "none", "", strings.Repeat("k", 65)
	for name, keys := range map[string][]Key{
		"no key": nil, "short secret": {short}, "short public key": {private}, "algorithm none": {none},
		"no kid": {nameless}, "long kid": {long}, "same kid twice": {hsKey(), hsKey()}, "too many": make([]Key, keysMax+1),
	} {
		if _, err := NewAuthenticator(Config{Keys: keys, Now: noon}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := NewAuthenticator(Config{Keys: []Key{hsKey()}}); err == nil {
		t.Error("no clock: accepted")
	}
	for _, cfg := range []Config{{CacheEntriesMax: 1}, {CacheBytesMax: 1}} {
		cfg.Keys, cfg.Now = []Key{hsKey()}, noon
		if _, err := NewAuthenticator(cfg); err == nil {
			t.Errorf("cache of %d entries, %d bytes: accepted", cfg.CacheEntriesMax, cfg.CacheBytesMax)
		}
	}
}

func TestMintRefusesWhatTheServerWould(t *testing.T) {
	public := edKey()
	public.Private = nil
	for name, mint := range map[string]func() (string, error){
		"no user":     func() (string, error) { return Mint(hsKey(), "", "", time.Hour, noon()) },
		"bad user":    func() (string, error) { return Mint(hsKey(), "a b", "", time.Hour, noon()) },
		"no life":     func() (string, error) { return Mint(hsKey(), "alice", "", 0, noon()) },
		"public only": func() (string, error) { return Mint(public, "alice", "", time.Hour, noon()) },
		"no key":      func() (string, error) { return Mint(Key{}, "alice", "", time.Hour, noon()) },
	} {
		if token, err := mint(); err == nil {
			t.Errorf("%s: minted %s", name, token)
		}
	}
	private := edKey()
	private.Public = nil
	if _, err := Mint(private, "alice", "", time.Hour, noon()); err != nil {
		t.Errorf("private key alone: %v", err)
	}
}

func TestKeysPrintWithoutTheirSecrets(t *testing.T) {
	for _, k := range []Key{hsKey(), edKey()} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if s := fmt.Sprintf(verb, k); strings.Contains(s, "0123456789abcdef") || strings.Contains(s, "0x30") || strings.Contains(s, "48 49") {
				t.Errorf("%s prints the secret: %s", verb, s)
			}
		}
	}
}

func TestCacheKeepsItsBoundsAndUsedTokens(t *testing.T) {
	const entriesMax, bytesMax = 64 * 8, 1 << 20
	c, err := newTokenCache(entriesMax, bytesMax)
	if err != nil {
		t.Fatal(err)
	}
	hot := strings.Repeat("h", 300)
	for range 2 { // as two requests that verify it at once would
		c.put(hot, verified{caller: Caller{User: "hot"}})
	}
	for i := range 50 * entriesMax {
		c.put(fmt.Sprintf("%0*d", 100+i%1500, i), verified{caller: Caller{User: "cold"}})
		if v, ok := c.get(hot); !ok || v.caller.User != "hot" {
			t.Fatalf("the token in use was forgotten after %d others: %+v, %v", i, v, ok)
		}
	}
	entries, bytes := 0, 0
	for i := range c.shards {
		s := &c.shards[i]
		for _, generation := range []map[string]verified{s.young, s.old} {
			entries += len(generation)
			for token, v := range generation {
				bytes += len(token) + len(v.caller.User) + entryOverhead
			}
		}
	}
	if entries > entriesMax || bytes > bytesMax || entries < entriesMax/8 {
		t.Errorf("%d entries, %d bytes; want at most %d and %d, and not next to none", entries, bytes, entriesMax, bytesMax)
	}
}

// FuzzClaims holds that what gets in under a good signature says what the
// standard's own types can say, by another decoder.
func FuzzClaims(f *testing.F) {
	now := noon().Unix()
	for _, seed := range []string{
		fmt.Sprintf(`{"sub":"alice","exp":%d}`, now+60), fmt.Sprintf(`{"sub":"alice","exp":%d,"iat":%d,"nbf":%d,"aud":["a","us"]}`, now+60, now, now),
		`{"sub":"alice","exp":1e19}`, `{"sub":"alice","exp":"9"}`, fmt.Sprintf(`{"sub":"alice","exp":%d,"nbf":null}`, now+60),
		fmt.Sprintf(`{"sub":"alice","exp":%d.5,"iat":-0}`, now+60), fmt.Sprintf(`{"sub":"alice","exp":%d,"scope":"open\u00a0send"}`, now+60),
		fmt.Sprintf(`{"sub":"alice","exp":%d,"exp":1,"iss":7,"jti":[],"aud":{}}`, now+60),
	} {
		f.Add(seed)
	}
	key := hsKey()
	key.Audience = "us"
	a := newAuth(f, noon, hsKey())
	ours := newAuth(f, noon, key)
	f.Fuzz(func(t *testing.T, claims string) {
		token := forge(`{"alg":"HS256","kid":"hs-1"}`, claims, hsKey().Secret)
		for audience, a := range map[string]*Authenticator{"": a, "us": ours} {
			caller, err := authorize(a, token)
			if err != nil {
				if r, ok := errors.AsType[*Error](err); !ok || r.Needs != 0 {
					t.Fatalf("%q: %v, want a 401", claims, err)
				}
				continue
			}
			var said map[string]any
			dec := json.NewDecoder(strings.NewReader(claims))
			dec.UseNumber()
			if err := dec.Decode(&said); err != nil {
				t.Fatalf("%q got in and is no object: %v", claims, err)
			}
			at := map[string]*big.Int{}
			for _, name := range []string{"exp", "iat", "nbf"} {
				n, _ := said[name].(json.Number)
				number, isNumber := new(big.Int).SetString(string(n), 10)
				if at[name] = number; said[name] != nil && !isNumber {
					t.Fatalf("%q got in with %s %v", claims, name, said[name])
				}
			}
			from := big.NewInt(now)
			if at["iat"] != nil {
				from = at["iat"]
			}
			lives := new(big.Int).Sub(at["exp"], from)
			if at["exp"].Cmp(big.NewInt(now)) <= 0 || lives.Cmp(big.NewInt(int64(DefaultLifeMax/time.Second))) > 0 || said["sub"] != string(caller.User) {
				t.Fatalf("%q got in as %+v", claims, caller)
			}
			if _, named := said["aud"]; named != (audience != "") {
				t.Fatalf("%q got in where the audience is %q", claims, audience)
			}
		}
	})
}

// FS27: the claims of a token are what the standard says, exactly.
func TestClaimsHaveTheStandardsTypes(t *testing.T) {
	a := newAuth(t, noon, hsKey())
	now := noon().Unix()
	with := func(claims string) error { _, err := authorize(a, claimed(`"sub":"alice",`+claims)); return err }
	for _, name := range []string{"nbf", "iat"} {
		for _, value := range []string{"1e19", "1e3", "10000000000000000000", "9223372036854775808", "18446744073709551616", "18446744073709551617",
			"253402300800", "-1", "-0", "0.5", "1.0", "null", `"1"`, `""`, "true", "[]", "{}", "1E2"} {
			if err := with(`"` + name + `":` + value); !errors.Is(err, errTime) {
				t.Errorf("%s %s: %v, want %v", name, value, err, errTime)
			}
		}
		if err := with(fmt.Sprintf(`"%s":%d`, name, int64(secondsMax))); !errors.Is(err, errNotYet) {
			t.Errorf("%s in the year 9999: %v", name, err)
		}
	}
	for _, exp := range []string{"1e19", "10000000000000000000", "9223372036854775807", `"99999999999"`, fmt.Sprintf(`"%d"`, now+60), fmt.Sprintf("%d.0", now+60), "null", "true"} {
		if _, err := authorize(a, forge(`{"alg":"HS256","kid":"hs-1"}`, `{"sub":"alice","exp":`+exp+`}`, hsKey().Secret)); !errors.Is(err, errTime) {
			t.Errorf("exp %s: %v, want %v", exp, err, errTime)
		}
	}
	for _, claims := range []string{`"iss":7`, `"iss":null`, `"jti":{}`, `"scope":7`, `"scope":true`} {
		if err := with(claims); !errors.Is(err, errText) {
			t.Errorf("%s: %v, want %v", claims, err, errText)
		}
	}
	if err := with(`"iss":"im","jti":"1","anything":[null]`); err != nil {
		t.Errorf("other claims: %v", err)
	}
}

// FS27: only the space separates scopes.
func TestOnlyTheSpaceSeparatesScopes(t *testing.T) {
	a := newAuth(t, noon, hsKey())
	for scope, want := range map[string]Scope{
		`open send`: ScopeOpen | ScopeSend, `open  send`: ScopeOpen | ScopeSend, ` open `: ScopeOpen, ``: 0, ` `: 0,
		`open\u00a0send`: 0, `open\u3000send`: 0, `open\tsend`: 0, `open\nsend`: 0, `open\u000bsend`: 0, `open\u0085send`: 0, `open\u2028send`: 0,
		`x\toperate`: 0, `show\u00a0operate open`: ScopeOpen, `open,send`: 0, `OPEN`: 0, `open\u200b`: 0,
	} {
		got, err := authorize(a, claimed(`"sub":"alice","scope":"`+scope+`"`))
		if err != nil || got.Scopes != want {
			t.Errorf("scope %q: %v %v, want %v", scope, got.Scopes, err, want)
		}
	}
}

// FS27: a token that names an audience is for that audience only, and one
// without is refused where an audience is asked for.
func TestATokenIsForItsAudience(t *testing.T) {
	key := hsKey()
	key.Audience = "hongbao"
	open, ours := newAuth(t, noon, hsKey()), newAuth(t, noon, key)
	for claims, want := range map[string]struct{ open, ours error }{
		``:                         {nil, errNoAudience},
		`,"aud":"hongbao"`:         {errForOthers, nil},
		`,"aud":["x","hongbao"]`:   {errForOthers, nil},
		`,"aud":"Hongbao"`:         {errForOthers, errForOthers},
		`,"aud":""`:                {errForOthers, errForOthers},
		`,"aud":"hongbao other"`:   {errForOthers, errForOthers},
		`,"aud":["other"]`:         {errForOthers, errForOthers},
		`,"aud":[]`:                {errAudience, errAudience},
		`,"aud":null`:              {errAudience, errAudience},
		`,"aud":7`:                 {errAudience, errAudience},
		`,"aud":{"hongbao":1}`:     {errAudience, errAudience},
		`,"aud":["hongbao",null]`:  {errAudience, errAudience},
		`,"aud":["hongbao",["x"]]`: {errAudience, errAudience},
		`,"AUD":"other"`:           {nil, errNoAudience},
	} {
		token := claimed(`"sub":"alice"` + claims)
		if _, err := authorize(open, token); !errors.Is(err, want.open) {
			t.Errorf("%s, no audience set: %v, want %v", claims, err, want.open)
		}
		if _, err := authorize(ours, token); !errors.Is(err, want.ours) {
			t.Errorf("%s, audience hongbao: %v, want %v", claims, err, want.ours)
		}
	}
	minted, err := Mint(key, "alice", "", time.Hour, noon())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := authorize(ours, minted); err != nil {
		t.Errorf("minted under the key: %v", err)
	}
}

// FS27: a token cannot be revoked, so its life has a bound.
func TestATokensLifeHasABound(t *testing.T) {
	key := hsKey()
	key.LifeMax = time.Hour
	a := newAuth(t, noon, key)
	now := noon().Unix()
	for name, tt := range map[string]struct {
		claims string
		want   error
	}{
		"the bound":                    {fmt.Sprintf(`"exp":%d,"iat":%d`, now+3600, now), nil},
		"a second more":                {fmt.Sprintf(`"exp":%d,"iat":%d`, now+3601, now), errLife},
		"issued long ago":              {fmt.Sprintf(`"exp":%d,"iat":%d`, now+60, now-3600), errLife},
		"issued at no time":            {fmt.Sprintf(`"exp":%d`, now+3600), nil},
		"issued at no time, and later": {fmt.Sprintf(`"exp":%d`, now+3601), errLife},
		"in the year 9999":             {fmt.Sprintf(`"exp":%d`, int64(secondsMax)), errLife},
		"issued in 1970":               {fmt.Sprintf(`"exp":%d,"iat":0`, now+60), errLife},
	} {
		token := forge(`{"alg":"HS256","kid":"hs-1"}`, `{"sub":"alice",`+tt.claims+`}`, hsKey().Secret)
		if _, err := authorize(a, token); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	if token, err := Mint(key, "alice", "", time.Hour+time.Second, noon()); err == nil {
		t.Errorf("minted %s, which the server would refuse", token)
	}
	if _, err := authorize(newAuth(t, noon, hsKey()), forge(`{"alg":"HS256","kid":"hs-1"}`, fmt.Sprintf(`{"sub":"alice","exp":%d}`, now+8*24*3600), hsKey().Secret)); !errors.Is(err, errLife) {
		t.Errorf("eight days, with nothing set: %v", err)
	}
}

// FuzzBearer holds that nothing but the one signed token gets in, however the
// header is bent, and that a repeat is answered like the first.
func FuzzBearer(f *testing.F) {
	good := "Bearer " + tokenFor(f, "alice", "")
	for _, seed := range []string{good, good + ".", "Bearer", "Basic x", good + " ", "bearer " + strings.Repeat("a.", 9), good + "\x00"} {
		f.Add(seed)
	}
	a := newAuth(f, noon, hsKey())
	f.Fuzz(func(t *testing.T, header string) {
		h := http.Header{"Authorization": {header}}
		first, err := a.Authenticate(h)
		again, errAgain := a.Authenticate(h)
		if first != again || !errors.Is(errAgain, err) {
			t.Fatalf("%q: %+v, %v; again %+v, %v", header, first, err, again, errAgain)
		}
		if err != nil {
			if r, ok := errors.AsType[*Error](err); !ok || r.Needs != 0 || r.Challenge() == "" {
				t.Fatalf("%q: %v, want a 401", header, err)
			}
			return
		}
		if !strings.EqualFold(header[:7], "Bearer ") || header[7:] != good[7:] || first.User != envelope.UserID("alice") {
			t.Fatalf("%q got in as %+v", header, first)
		}
	})
}
