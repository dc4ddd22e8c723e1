package main_test

import (
	"fmt"
	"strings"
	"time"

	"hongbao/envelope"
)

const hostileOrder = `{"kind":"lucky","total_fen":1000,"count":5,"group_id":"g"}`

// sendLetter is a good send; callLetter a good call about an envelope.
func (s *stage) sendLetter() letter {
	return s.plain("POST", "/v1/envelopes").bearing(s.pg.Token("friend")).
		plus("Idempotency-Key: hostile", "Content-Type: application/json").carrying(hostileOrder)
}

func (s *stage) callLetter(method, id, verb string) letter {
	return s.plain(method, "/v1/envelopes/"+id+verb).bearing(s.pg.Token("friend")).plus("Envelope-Ticket: " + s.ticket)
}

func (s *stage) againstSend() *campaign {
	c := &campaign{name: "send", good: s.sendLetter()}
	s.credentials(c, "open")
	s.spoofs(c)
	s.framings(c)
	s.surroundings(c, "GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")
	s.keys(c)
	s.looseJSON(c)
	s.badOrders(c)
	s.badBodies(c)
	return c
}

func (s *stage) againstShow() *campaign {
	c := &campaign{name: "show", good: s.callLetter("GET", s.id, ""), harmless: true}
	s.aboutEnvelope(c, "", "send", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")
	return c
}

func (s *stage) againstGrab() *campaign {
	c := &campaign{name: "grab", good: s.callLetter("POST", s.id, "/grab"), harmless: true}
	s.aboutEnvelope(c, "/grab", "show", "GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")
	return c
}

func (s *stage) againstOpen() *campaign {
	c := &campaign{name: "open", good: s.callLetter("POST", s.id, "/open")}
	s.aboutEnvelope(c, "/open", "send show", "GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")
	return c
}

func (s *stage) aboutEnvelope(c *campaign, verb, wrongScope string, wrongMethods ...string) {
	s.credentials(c, wrongScope)
	s.spoofs(c)
	s.framings(c)
	s.surroundings(c, wrongMethods...)
	s.strangers(c)
	s.ids(c, verb)
	s.uninvitedBodies(c)
}

// credentials breaks the rules of authentication.
func (s *stage) credentials(c *campaign, wrongScope string) {
	const never = "401 unauthenticated"
	now := time.Now().Unix()
	header := fmt.Sprintf(`{"alg":"HS256","typ":"JWT","kid":%q}`, s.tokenKID)
	claims := fmt.Sprintf(`{"sub":"sender","exp":%d}`, now+600)
	mint := func(claims string) string { return sign(header, claims, s.tokenSecret) }
	good := mint(claims)
	part := strings.Split(good, ".")
	forged := part[0] + "." + strings.Split(mint(strings.Replace(claims, "sender", "friend", 1)), ".")[1] + "." + part[2]
	none := strings.Split(sign(`{"alg":"none"}`, claims, nil), ".")
	for name, token := range map[string]string{
		"tampered claims": forged, "no signature": part[0] + "." + part[1] + ".", "two parts": part[0] + "." + part[1],
		"signature cut": good[:len(good)-2], "alg none": none[0] + "." + none[1] + ".", "alg none, signed": strings.Join(none, "."),
		"wrong secret":       sign(header, claims, []byte("not the secret, but just as long")),
		"empty secret":       sign(header, claims, nil),
		"another algorithm":  sign(strings.Replace(header, "HS256", "HS512", 1), claims, s.tokenSecret),
		"an asymmetric one":  sign(strings.Replace(header, "HS256", "EdDSA", 1), claims, s.tokenSecret),
		"unknown kid":        sign(`{"alg":"HS256","kid":"k' OR '1'='1"}`, claims, s.tokenSecret),
		"kid of a file":      sign(`{"alg":"HS256","kid":"../../../dev/null"}`, claims, nil),
		"no kid":             sign(`{"alg":"HS256"}`, claims, s.tokenSecret),
		"expired":            mint(fmt.Sprintf(`{"sub":"sender","exp":%d}`, now-1)),
		"not yet valid":      mint(fmt.Sprintf(`{"sub":"sender","exp":%d,"nbf":%d}`, now+600, now+300)),
		"never expires":      mint(`{"sub":"sender"}`),
		"nobody":             mint(fmt.Sprintf(`{"exp":%d}`, now+600)),
		"empty sub":          mint(fmt.Sprintf(`{"sub":"","exp":%d}`, now+600)),
		"sub with SQL":       mint(fmt.Sprintf(`{"sub":"a' OR 1=1 -- ","exp":%d}`, now+600)),
		"sub twice":          mint(fmt.Sprintf(`{"sub":"friend","sub":"sender","exp":%d}`, now+600)),
		"sub too long":       mint(fmt.Sprintf(`{"sub":%q,"exp":%d}`, strings.Repeat("a", 65), now+600)),
		"megabyte of claims": mint(fmt.Sprintf(`{"sub":"sender","x":%q,"exp":%d}`, strings.Repeat("a", 4000), now+600)),
		"not a token":        "sender", "dots": "...", "NUL escaped": "%00", "unicode": "爱.丽.丝",
	} {
		c.add(never, "token: "+name, c.good.bearing(token))
	}
	c.add(never, "no Authorization", c.good.without("Authorization"))
	c.add(never, "Authorization empty", c.good.with("Authorization", ""))
	c.add(never, "Authorization twice", c.good.plus("Authorization: Bearer "+good))
	c.add(never, "Basic", c.good.with("Authorization", "Basic c2VuZGVyOg=="))
	c.add(never, "no scheme", c.good.with("Authorization", good))
	c.add(never, "two spaces", c.good.with("Authorization", "Bearer  "+good))
	c.add("403 insufficient_scope", "scope: "+wrongScope, c.good.bearing(mint(fmt.Sprintf(`{"sub":"sender","scope":%q,"exp":%d}`, wrongScope, now+600))))
	c.add("403 insufficient_scope", "scope: none", c.good.bearing(mint(fmt.Sprintf(`{"sub":"sender","scope":"","exp":%d}`, now+600))))
}

// spoofs claims to be a user without a token (FH14), or in the query (FH5).
func (s *stage) spoofs(c *campaign) {
	for _, line := range []string{"X-User-ID: sender", "X-Forwarded-User: sender", "X-Remote-User: sender", "Remote-User: sender",
		"Cookie: token=" + s.pg.Token("sender"), "X-Authorization: Bearer " + s.pg.Token("sender"), "Proxy-Authorization: Bearer " + s.pg.Token("sender"),
		"X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1", "Forwarded: for=127.0.0.1;by=sender", "X-Client-Cert: sender"} {
		c.add("401 unauthenticated", "instead of a token, "+line[:12], c.good.without("Authorization").plus(line))
	}
	for _, query := range []string{"user_id=sender", "sub=sender", "access_token=" + s.pg.Token("sender"), "ticket=" + s.ticket, "amount_fen=1",
		"a=1&a=2", "%00", ";", "x=%27%20OR%201%3D1"} {
		c.add("400 query_not_allowed", "query "+query[:1], c.good.at(c.good.target+"?"+query))
	}
}

// framings are not HTTP, or more of it than is taken (FH3).
func (s *stage) framings(c *campaign) {
	l := c.good
	for name, broken := range map[string]letter{
		"no Host": l.without("Host"), "two Hosts": l.plus("Host: other"), "Host with a space": l.with("Host", "a b"),
		"space in a header's name": l.plus("X Y: z"), "header without a colon": l.plus("nonsense"), "NUL in a header": l.plus("X: a\x00b"),
		"CR in a header": l.plus("X: a\rb"), "empty header name": l.plus(": x"), "space in the target": l.at("/v1/envel opes"),
		"control in the target": l.at("/v1/\x01"), "bad escape in the target": l.at("/v1/%zz"), "no target": l.at(""),
		"bad method": l.by("G@T"), "empty method": l.by(""), "method with a space": l.by("PO ST"),
		"negative length": l.framedBy("Content-Length: -1"), "hex length": l.framedBy("Content-Length: 0x5"),
		"two lengths": l.framedBy("Content-Length: 1").plus("Content-Length: 2"), "endless length": l.framedBy("Content-Length: " + strings.Repeat("9", 30)),
		"long target": l.at("/v1/" + strings.Repeat("a", 20<<10)), "long header": l.plus("X: " + strings.Repeat("a", 20<<10)),
		"many headers": l.plus(strings.Split(strings.TrimSuffix(strings.Repeat("X: aaaaaaaaaaaaaaaa\n", 2000), "\n"), "\n")...),
	} {
		c.add(netHTTPRefuses, "framing: "+name, broken)
	}
	both := l.framedBy("Transfer-Encoding: chunked").plus("Content-Length: 5").carrying("1\r\n{\r\n0\r\n\r\n")
	c.add(netHTTPRefuses, "framing: chunks and a length", both)
	for name, wire := range map[string]string{
		"TLS": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "HTTP/0.9": "GET /\r\n\r\n", "no version": "GET / HTTP\r\n\r\n",
		"version of letters": "GET / HTTP/x.y\r\nHost: x\r\n\r\n", "zeros": strings.Repeat("\x00", 64) + "\r\n\r\n", "JSON": hostileOrder + "\r\n\r\n",
	} {
		c.attacks = append(c.attacks, attack{"bytes: " + name, wire, "GET", netHTTPRefuses})
	}
}

// surroundings are other methods and paths nearby.
func (s *stage) surroundings(c *campaign, wrongMethods ...string) {
	for _, method := range wrongMethods {
		c.add("405 method_not_allowed", "method "+method, c.good.by(method))
	}
	for _, path := range []string{c.good.target + "/", c.good.target + "/open/x", "/" + c.good.target, strings.ToUpper(c.good.target), "/v2/envelopes",
		"/v1/envelopes/../../metrics", "/metrics", "/debug/pprof/", "/debug/pprof/heap", "/healthz", "/.env", "/v1/me/money", "*",
		c.good.target + "%2F", strings.Replace(c.good.target, "/v1/", "/v1%2f", 1), strings.Replace(c.good.target, "/v1/", "/v1%252f", 1), c.good.target + "%2Fopen", c.good.target + "%5Copen"} {
		c.add("404 no_such_path", "path "+path, c.good.at(path))
	}
}

// strangers have a good token and no right to the envelope (FH5, FH6, FH7).
func (s *stage) strangers(c *campaign) {
	const hidden = "404 not_found"
	missing := hidden // show is for the sender without a ticket
	if c.good.method == "POST" {
		missing = "400 invalid_field Envelope-Ticket"
	}
	bare := c.good.without("Envelope-Ticket")
	c.add(missing, "no ticket", bare)
	c.add(missing, "empty ticket", bare.plus("Envelope-Ticket:"))
	for _, line := range []string{"X-User-ID: sender", "X-Forwarded-User: sender", "Cookie: user=sender", "X-Original-User: sender", "From: sender",
		"Ticket: " + s.ticket, "X-Envelope-Ticket: " + s.ticket, "Cookie: Envelope-Ticket=" + s.ticket} {
		c.add(missing, "no ticket, "+line[:12], bare.plus(line))
	}
	for name, ticket := range map[string]string{
		"of another envelope": s.otherTicket, "cut": s.ticket[:23], "longer": s.ticket + "A", "twice in one": s.ticket + s.ticket,
		"padded": s.ticket + "=", "in capitals": strings.ToUpper(s.ticket), "all zero bits": strings.Repeat("A", 24), "all one bits": strings.Repeat("_", 24),
		"another version": "Ag" + s.ticket[2:], "another key": s.ticket[:2] + "8" + s.ticket[3:], "last bit": flipLast(s.ticket), "not base64": strings.Repeat("!", 24),
		"the ID": s.id, "SQL": "' OR '1'='1' -- aaaaaaaa", "a token": s.pg.Token("sender"), "4 KiB": strings.Repeat("A", 4<<10), "UTF-8": "门票门票门票门票",
		"null": "null", "a list": s.ticket + "," + s.otherTicket,
	} {
		c.add(hidden, "ticket "+name, c.good.with("Envelope-Ticket", ticket))
	}
	c.add("400 invalid_field Envelope-Ticket", "ticket twice", c.good.plus("Envelope-Ticket: "+s.ticket))
	c.add("400 invalid_field Envelope-Ticket", "two tickets", c.good.plus("Envelope-Ticket: "+s.otherTicket))
}

func flipLast(ticket string) string {
	last := byte('A')
	if ticket[len(ticket)-1] == last {
		last = 'B'
	}
	return ticket[:len(ticket)-1] + string(last)
}

// ids are of envelopes that do not exist, or cannot (FH4, FH6). The same bytes
// answer for all of them, and without a ticket as for those that do.
func (s *stage) ids(c *campaign, verb string) {
	id, err := envelope.ParseID(s.id)
	if err != nil {
		panic(err) // the service made it
	}
	body, now := id.Body(), time.Since(envelope.BodyEpoch()).Milliseconds()
	ago := func(d time.Duration) string {
		const belowTime = envelope.BodySequenceBits + envelope.BodyMachineBits
		return string(envelope.Body((now - d.Milliseconds()) << belowTime).In(id.Set()))
	}
	for name, id := range map[string]string{
		"next body": string((body + 1).In(id.Set())), "another SET": string(body.In(1 - min(1, id.Set()))), "no such SET": string(body.In(999)),
		"yesterday": ago(24 * time.Hour), "a month ago": ago(31 * 24 * time.Hour), "the epoch": ago(time.Duration(now-1) * time.Millisecond),
		"tomorrow": ago(-24 * time.Hour), "in ten days": ago(-10 * 24 * time.Hour), "in fifty years": ago(-50 * 365 * 24 * time.Hour),
		"wrong table digit": s.id[:22] + string('0'+(s.id[22]-'0'+1)%10), "zeros": strings.Repeat("0", 23), "nines": strings.Repeat("9", 23),
		"a digit less": s.id[1:], "a digit more": s.id + "0", "one": "1", "minus": "-" + s.id[1:], "plus": "%2B" + s.id[1:], "hex": "0x" + s.id[2:],
		"a decimal": s.id[:20] + ".00", "full-width digits": "%EF%BC%90" + s.id[3:], "a space": s.id + "%20", "NUL": s.id + "%00", "newline": s.id + "%0A",
		"SQL": "%27%20OR%20%271%27%3D%271", "SQL in digits": s.id[:10] + "%27%3B--" + s.id[:8], "format": "%25s%25n", "dots": "..%2e%2e", "tilde": "~",
		"4 KiB": strings.Repeat("7", 4<<10), "UTF-8 cut": "%E7%BA", "a name": "sender", "braces": "%7Bid%7D",
	} {
		target := "/v1/envelopes/" + id + verb
		c.add("404 not_found", "ID "+name, c.good.at(target))
		without := "404 not_found"
		if verb != "" {
			without = "400 invalid_field Envelope-Ticket"
		}
		c.add(without, "ID without a ticket, "+name, c.good.at(target).without("Envelope-Ticket"))
	}
}

// uninvitedBodies go with calls that take none.
func (s *stage) uninvitedBodies(c *campaign) {
	const no = "400 body_not_allowed"
	for _, body := range []string{"{}", "null", " ", "\x00", `{"user_id":"sender"}`, `{"amount_fen":20000}`, "user_id=sender", strings.Repeat("[", 1<<20)} {
		c.add(no, fmt.Sprintf("body %.20q", body), c.good.carrying(body))
		c.add(no, fmt.Sprintf("JSON body %.20q", body), c.good.carrying(body).plus("Content-Type: application/json"))
	}
	c.add(no, "one chunk", c.good.carrying("1\r\n{\r\n0\r\n\r\n").framedBy("Transfer-Encoding: chunked"))
	c.add(no, "a terabyte announced", c.good.framedBy("Content-Length: 1099511627776"))
	c.add(no, "a body waiting for leave", c.good.plus("Expect: 100-continue").carrying("{}"))
	c.add("400 body_unreadable", "a chunk of no size", c.good.carrying("zz\r\n").framedBy("Transfer-Encoding: chunked"))
	c.add("408 body_timeout", "a chunk that never comes", c.good.framedBy("Transfer-Encoding: chunked"))
}
