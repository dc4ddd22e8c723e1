package main_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// order is the good one with one member replaced, or added.
func order(member, value string) string {
	members := []string{`"kind":"lucky"`, `"total_fen":1000`, `"count":5`, `"group_id":"g"`}
	for i, m := range members {
		if strings.HasPrefix(m, `"`+member+`":`) {
			members[i] = `"` + member + `":` + value
			return "{" + strings.Join(members, ",") + "}"
		}
	}
	return "{" + strings.Join(append(members, `"`+member+`":`+value), ",") + "}"
}

// looseJSON is what laxer decoders take (FH2).
func (s *stage) looseJSON(c *campaign) {
	for _, body := range []string{
		"null", "[]", "7", `"x"`, "true", "{", "}", hostileOrder[:20], hostileOrder + "{}", hostileOrder + hostileOrder, hostileOrder + "x",
		hostileOrder + "\x00", hostileOrder + ",", "[" + hostileOrder + "]", "\ufeff" + hostileOrder, "\xff\xfe{\x00}\x00", "//\n" + hostileOrder,
		`{'kind':'lucky'}`, `{kind:"lucky"}`, `{"kind":"lucky",}`, "kind=lucky&count=5", "<order/>", strings.Repeat("[", 4096),
		order("total_fen", `1000,"total_fen":1`), order("kind", `"lucky","k\u0069nd":"equal"`), order("count", `5,"count":5`),
		order("total_fen", "01"), order("total_fen", "+1"), order("total_fen", "0x10"), order("total_fen", "NaN"), order("total_fen", "1_000"),
		order("greeting", "\"\xff\""), order("greeting", "\"\xed\xa0\x80\""), order("greeting", `"\ud800"`), order("greeting", "\"a\nb\""),
	} {
		c.add("400 invalid_json", fmt.Sprintf("JSON %.40q", body), c.good.carrying(body))
	}
	for _, one := range []struct{ member, value string }{
		{"Total_fen", "1"}, {"TOTAL_FEN", "1"}, {"Kind", `"lucky"`}, {"user_id", `"friend"`}, {"sender_id", `"sender"`}, {"sub", `"sender"`}, {"id", `"1"`},
		{"state", `"active"`}, {"opened_fen", "0"}, {"refunded_fen", "0"}, {"share_max_fen", "1"}, {"ticket", `"x"`}, {"expires_at", `"2099-01-01T00:00:00Z"`},
		{"draw_seed", `"00"`}, {"ver", "1"}, {"__proto__", "{}"}, {"constructor", "{}"},
	} {
		c.add("400 invalid_field "+one.member, "member "+one.member, c.good.carrying(order(one.member, one.value)))
	}
	for _, member := range []string{"\u017fhare_fen", "\u212aind", "", "kind ", "$where", strings.Repeat("a", 200), "total_fen\u0000"} {
		c.add("400 invalid_field body", fmt.Sprintf("member %.20q", member), c.good.carrying(order(strings.ReplaceAll(member, "\x00", `\u0000`), "1")))
	}
	for _, member := range []string{"kind", "total_fen", "count", "group_id", "greeting", "recipient_id", "share_fen"} {
		values := []string{"null", "[]", "{}", "true", strings.Repeat("[", 2000), `{"$gt":""}`}
		switch member {
		case "total_fen", "count", "share_fen":
			values = append(values, `"5"`, "1.0", "1e2", "5.5", "-0.5", "1e999", "9223372036854775808", "-9223372036854775809", strings.Repeat("9", 400))
		default:
			values = append(values, "7", "-1")
		}
		for _, value := range values {
			c.add("400 invalid_field "+member, fmt.Sprintf("%s as %.25s", member, value), c.good.carrying(order(member, value)))
		}
	}
}

// badOrders are good JSON and no order (FH1).
func (s *stage) badOrders(c *campaign) {
	refused := func(field, body string) {
		c.add("400 invalid_field "+field, fmt.Sprintf("%s in %.60s", field, body), c.good.carrying(body))
	}
	for _, fen := range []string{"-1", "0", "1", "4", "100001", "2000001", "10000001", "2147483648", "4294967296", "-2147483649",
		"9007199254740993", "9223372036854775807", "-9223372036854775808"} {
		refused("total_fen", order("total_fen", fen))
	}
	for _, count := range []string{"-1", "0", "101", "501", "65536", "65541", "4294967301", "9223372036854775807", "-9223372036854775808"} {
		refused("count", order("count", count))
	}
	for _, fen := range []string{"-1", "0", "20001", "9223372036854775807", "184467440737095517", "3689348814741910324"} {
		refused("share_fen", `{"kind":"equal","share_fen":`+fen+`,"count":5,"group_id":"g"}`)
	}
	for _, fen := range []string{"-1", "0", "20001", "9223372036854775807"} {
		refused("total_fen", `{"kind":"exclusive","total_fen":`+fen+`,"group_id":"g","recipient_id":"b"}`)
	}
	for _, name := range []string{"", " ", "a b", "群", strings.Repeat("g", 65), `\u0000`, `g\n`, `\u202e`, `g\u007f`} {
		refused("group_id", order("group_id", `"`+name+`"`))
		refused("recipient_id", `{"kind":"exclusive","total_fen":5,"group_id":"g","recipient_id":"`+name+`"}`)
	}
	for _, text := range []string{strings.Repeat("a", 129), strings.Repeat("福", 43), `a\u0000b`, `a\nb`, `\u001b[2J`, `a\u007f`,
		`a\u0080`, `\u0085`, `\u009f`, `\u202eb`, `\u202a`, `a\u2066`, `\u2069`, "\u202e", "\u0090"} {
		refused("greeting", order("greeting", `"`+text+`"`))
	}
	for _, kind := range []string{"", "Lucky", "lucky ", "LUCKY", "random", "0", `lucky' OR '1'='1`, `lucky\u0000`} {
		refused("kind", order("kind", `"`+kind+`"`))
	}
	refused("kind", "{}")
	refused("count", `{"kind":"lucky","total_fen":5,"group_id":"g"}`)
	refused("total_fen", `{"kind":"lucky","count":5,"group_id":"g"}`)
	refused("group_id", `{"kind":"lucky","total_fen":5,"count":5}`)
	refused("share_fen", order("share_fen", "0"))
	refused("recipient_id", order("recipient_id", `"b"`))
	refused("total_fen", `{"kind":"equal","share_fen":5,"total_fen":0,"count":5,"group_id":"g"}`)
	refused("share_fen", `{"kind":"equal","count":5,"group_id":"g"}`)
	refused("count", `{"kind":"exclusive","total_fen":5,"count":0,"group_id":"g","recipient_id":"b"}`)
	refused("count", `{"kind":"exclusive","total_fen":5,"count":2,"group_id":"g","recipient_id":"b"}`)
	refused("recipient_id", `{"kind":"exclusive","total_fen":5,"group_id":"g"}`)
}

// keys are idempotency keys that are none, badBodies what is no body of a send.
func (s *stage) keys(c *campaign) {
	const field = "400 invalid_field Idempotency-Key"
	c.add(field, "no key", c.good.without("Idempotency-Key"))
	c.add(field, "key twice", c.good.plus("Idempotency-Key: hostile"))
	for _, key := range []string{"", "a b", "钥匙", strings.Repeat("k", 129), "a\tb", "\xff"} {
		c.add(field, fmt.Sprintf("key %.20q", key), c.good.with("Idempotency-Key", key))
	}
}

func (s *stage) badBodies(c *campaign) {
	big := order("greeting", `"`+strings.Repeat("a", 4096)+`"`)
	chunked := c.good.framedBy("Transfer-Encoding: chunked")
	for name, l := range map[string]letter{
		"4 KiB and more": c.good.carrying(big), "a megabyte": c.good.carrying(strings.Repeat("[", 1<<20)),
		"padded": c.good.carrying(hostileOrder + strings.Repeat(" ", 4096)), "a terabyte announced": c.good.carrying("").framedBy("Content-Length: 1099511627776"),
		"in chunks": chunked.carrying(fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(big), big)),
	} {
		c.add("413 body_too_large", name, l)
	}
	for _, contentType := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp",
		"application/json; charset=utf-16", "application/json, text/plain", "application/problem+json", "json", "*/*"} {
		c.add("415 unsupported_media_type", "type "+contentType, c.good.with("Content-Type", contentType))
	}
	c.add("415 unsupported_media_type", "no type", c.good.without("Content-Type"))
	c.add("415 unsupported_media_type", "type twice", c.good.plus("Content-Type: application/json"))
	c.add("400 invalid_json", "no body", c.good.carrying(""))
	c.add("400 body_unreadable", "a chunk of no size", chunked.carrying("zz\r\n"))
	c.add("400 body_unreadable", "a chunk longer than it says", chunked.carrying("1\r\n{}\r\n0\r\n\r\n"))
	c.add("408 body_timeout", "half a body", c.good.framedBy("Content-Length: 50").carrying("{"))
}

// againstNotifications plays the provider without its key: every signature over
// every body, and each header left out.
func (s *stage) againstNotifications() *campaign {
	const forged = "401 FAIL"
	c := &campaign{name: "notifications", good: s.plain("POST", "/v1/payment/notifications").plus("Content-Type: application/json")}
	s.framings(c)
	s.surroundings(c, "GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	for i, body := range s.notifications() {
		now := strconv.FormatInt(time.Now().Unix(), 10)
		sum := sha256.Sum256([]byte(now + "\nn0nce\n" + body + "\n"))
		signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
		if err != nil {
			panic(err)
		}
		signed := c.good.carrying(body).plus("Wechatpay-Timestamp: "+now, "Wechatpay-Nonce: n0nce", "Wechatpay-Serial: PUB_KEY_ID_0114232134912410000000000000",
			"Wechatpay-Signature: "+base64.StdEncoding.EncodeToString(signature), "Wechatpay-Signature-Type: WECHATPAY2-SHA256-RSA2048")
		c.add(forged, fmt.Sprintf("body %d, another's key", i), signed)
		c.add(forged, fmt.Sprintf("body %d, unsigned", i), c.good.carrying(body))
		for _, name := range []string{"Wechatpay-Timestamp", "Wechatpay-Nonce", "Wechatpay-Serial", "Wechatpay-Signature"} {
			c.add(forged, fmt.Sprintf("body %d without %s", i, name), signed.without(name))
			c.add(forged, fmt.Sprintf("body %d, %s empty", i, name), signed.with(name, ""))
		}
		for name, value := range map[string]string{"Timestamp": "0", "Serial": "5157F09EFDC096DE15EBE81A47057A72", "Signature": "WECHATPAY/SIGNTEST/AAAA", "Nonce": "' OR '1'='1"} {
			c.add(forged, fmt.Sprintf("body %d, %s %s", i, name, value), signed.with("Wechatpay-"+name, value))
		}
	}
	c.add("413 FAIL", "64 KiB and more", c.good.carrying(strings.Repeat("a", 64<<10+1)))
	c.add("413 FAIL", "a megabyte", c.good.carrying(strings.Repeat("[", 1<<20)))
	c.add("413 FAIL", "a terabyte announced", c.good.framedBy("Content-Length: 1099511627776"))
	c.add("400 FAIL", "a chunk of no size", c.good.framedBy("Transfer-Encoding: chunked").carrying("zz\r\n"))
	c.add("408 FAIL", "half a body", c.good.framedBy("Content-Length: 50").carrying("{"))
	return c
}

func (s *stage) notifications() []string {
	event := func(resource string) string {
		return `{"id":"e-1","create_time":"2026-11-23T12:00:00+08:00","event_type":"TRANSACTION.SUCCESS","resource_type":"encrypt-resource","resource":` + resource + `}`
	}
	paid := fmt.Sprintf(`{"out_trade_no":%q,"transaction_id":"t-1","trade_state":"SUCCESS","amount":{"total":1000,"currency":"CNY"}}`, s.id)
	return []string{
		"", "{}", "null", "[", event("null"), event("{}"), paid, event(paid),
		event(`{"algorithm":"AEAD_AES_256_GCM","ciphertext":"","nonce":"","associated_data":"transaction","original_type":"transaction"}`),
		event(`{"algorithm":"AEAD_AES_256_GCM","ciphertext":"!!!","nonce":"123456789012","associated_data":"","original_type":"transaction"}`),
		event(`{"algorithm":"AEAD_AES_256_GCM","ciphertext":"` + base64.StdEncoding.EncodeToString([]byte(paid)) + `","nonce":"12345678901234567890","original_type":"transaction"}`),
		event(`{"algorithm":"none","ciphertext":"` + base64.StdEncoding.EncodeToString([]byte(paid)) + `","nonce":"123456789012","original_type":"transaction"}`),
		strings.Repeat("[", 60<<10), strings.ReplaceAll(event("{}"), "TRANSACTION.SUCCESS", "REFUND.SUCCESS"),
	}
}
