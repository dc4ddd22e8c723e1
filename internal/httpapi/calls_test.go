package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongbao/envelope"
)

func someEnvelope() envelope.Envelope {
	return envelope.Envelope{
		ID: someID(), Kind: envelope.Lucky, State: envelope.Unpaid, Ver: 1, Sender: "alice", Group: "g-1",
		Greeting: "恭喜 \"发\"财 </script>\u2028", Total: 1000, Count: 3, ShareMax: 20000,
		Commitment: envelope.Seed{7}.Commitment(), CreatedAt: noon(), ExpiresAt: noon().Add(24 * time.Hour),
	}
}

// call builds a request of a call about the one envelope.
func call(t testing.TB, verb string, headers ...string) *http.Request {
	if verb == "show" {
		return request(t, "GET", "/v1/envelopes/"+string(someID()), "", headers...)
	}
	return request(t, "POST", "/v1/envelopes/"+string(someID())+"/"+verb, "", headers...)
}

func problemCode(t testing.TB, body string) (code, field string) {
	t.Helper()
	var p struct{ Code, Field string }
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return p.Code, p.Field
}

func TestSendReturnsEnvelopeAndPayment(t *testing.T) {
	e := someEnvelope()
	teller := &stubTeller{sent: envelope.Sent{Envelope: e, CodeURL: "http://pay/1?a=b&c=d"}}
	a, _ := newAPI(t, teller)
	res, body := do(t, a, request(t, "POST", "/v1/envelopes", lucky, "Content-Type", "Application/JSON; Charset=UTF-8"))
	want := `{"id":"` + string(e.ID) + `","kind":"lucky","state":"unpaid","total_fen":1000,"count":3,` +
		`"draw_commitment":"` + e.Commitment.Hex() + `","expires_at":"2026-11-24T12:00:00.000Z",` +
		`"payment":{"order_no":"` + string(e.ID) + `","code_url":"http://pay/1?a=b&c=d"}}`
	if res.StatusCode != http.StatusCreated || body != want {
		t.Errorf("%d %s\nwant 201 %s", res.StatusCode, body, want)
	}
	if got := res.Header.Get("Location"); got != "/v1/envelopes/"+string(e.ID) {
		t.Errorf("Location: %q", got)
	}
	wantOrder := envelope.Order{Sender: "alice", Key: "k-1", Kind: "lucky", Total: 1000, Count: 5, Group: "g"}
	if diff := cmp.Diff(wantOrder, teller.order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	teller.sent.CodeURL = "" // paid meanwhile
	if _, body = do(t, a, request(t, "POST", "/v1/envelopes", lucky)); strings.Contains(body, "code_url") {
		t.Errorf("a paid envelope is to be paid again: %s", body)
	}
}

func TestShowAnswersWhatIsKnownSoFar(t *testing.T) {
	e := someEnvelope()
	teller := &stubTeller{details: envelope.Details{Envelope: e}}
	a, _ := newAPI(t, teller)
	_, body := do(t, a, call(t, "show"))
	head := `{"id":"` + string(e.ID) + `","kind":"lucky","state":"%s","total_fen":1000,"count":3,"draw_commitment":"` + e.Commitment.Hex() +
		`","sender_id":"alice","group_id":"g-1","greeting":"恭喜 \"发\"财 </script>` + "\u2028" + `","share_min_fen":1,"share_max_fen":20000,`
	want := fmt.Sprintf(head, "unpaid") + `"opened_fen":0,"opened_count":0,"refunded_fen":0,"remaining_fen":1000,` +
		`"created_at":"2026-11-23T12:00:00.000Z","expires_at":"2026-11-24T12:00:00.000Z","shares":[]}`
	if diff := cmp.Diff(want, body); diff != "" {
		t.Errorf("unpaid (-want +got):\n%s", diff)
	}
	seed := envelope.Seed{7}
	e.State, e.Opened, e.OpenedCount = envelope.Empty, 1000, 3
	e.PaidAt, e.FinishedAt = noon().Add(time.Second), noon().Add(1234567*time.Microsecond)
	teller.details = envelope.Details{Envelope: e, BestLuck: 2, Seed: &seed, Ticket: "AQEBAQEBAQEBAQEBAQEBAQEB", Shares: []envelope.Share{
		{Seq: 1, User: "bob", Amount: 1, OpenedAt: noon()}, {Seq: 2, User: `"c\d"`, Amount: 999, OpenedAt: noon().In(time.FixedZone("", 8*3600))},
	}}
	_, body = do(t, a, call(t, "show"))
	want = fmt.Sprintf(head, "empty") + `"opened_fen":1000,"opened_count":3,"refunded_fen":0,"remaining_fen":0,` +
		`"created_at":"2026-11-23T12:00:00.000Z","paid_at":"2026-11-23T12:00:01.000Z","expires_at":"2026-11-24T12:00:00.000Z",` +
		`"finished_at":"2026-11-23T12:00:01.234Z","draw_seed":"` + seed.Hex() + `","ticket":"AQEBAQEBAQEBAQEBAQEBAQEB","shares":[` +
		`{"user_id":"bob","amount_fen":1,"seq":1,"opened_at":"2026-11-23T12:00:00.000Z","best_luck":false},` +
		`{"user_id":"\"c\\d\"","amount_fen":999,"seq":2,"opened_at":"2026-11-23T12:00:00.000Z","best_luck":true}]}`
	if diff := cmp.Diff(want, body); diff != "" {
		t.Errorf("finished (-want +got):\n%s", diff)
	}
	teller.details.Payouts = []envelope.Transfer{{State: envelope.Pending, Amount: 999, Hint: `p"1`}}
	teller.details.Refund = &envelope.Transfer{State: envelope.Posted, Amount: 7}
	const money = `,"payout":{"state":"pending","amount_fen":999,"confirm":"p\"1"},"refund":{"state":"posted","amount_fen":7},"shares"`
	if _, body = do(t, a, call(t, "show")); !strings.Contains(body, money) {
		t.Errorf("money under way is not shown: %s", body)
	}
	teller.details.Payouts = append(teller.details.Payouts, envelope.Transfer{State: envelope.Posted, Amount: 2}, envelope.Transfer{State: envelope.Redirected, Amount: 3})
	const more = `"confirm":"p\"1"},"more_payouts":[{"state":"posted","amount_fen":2},{"state":"redirected","amount_fen":3}],"refund"`
	if _, body = do(t, a, call(t, "show")); !strings.Contains(body, more) {
		t.Errorf("further payouts are not shown: %s", body)
	}
	e.Kind, e.Recipient = envelope.Exclusive, "bob"
	teller.details.Envelope = e
	if _, body = do(t, a, call(t, "show")); !strings.Contains(body, `"recipient_id":"bob"`) {
		t.Errorf("an exclusive envelope does not name its opener: %s", body)
	}
}

func TestGrabAndOpenAnswerTheOutcome(t *testing.T) {
	teller := &stubTeller{}
	a, _ := newAPI(t, teller)
	for _, o := range []envelope.Outcome{envelope.Openable, envelope.AlreadyOpened, envelope.Drained, envelope.TooLate, envelope.NotPaid} {
		teller.outcome = o
		if res, body := do(t, a, call(t, "grab")); res.StatusCode != 200 || body != `{"outcome":"`+string(o)+`"}` {
			t.Errorf("grab: %d %s, want %s", res.StatusCode, body, o)
		}
	}
	for o, want := range map[envelope.Outcome]string{
		envelope.Opened:        `{"outcome":"opened","amount_fen":123,"seq":4}`,
		envelope.AlreadyOpened: `{"outcome":"already_opened","amount_fen":123,"seq":4}`,
		envelope.Drained:       `{"outcome":"empty"}`, envelope.TooLate: `{"outcome":"expired"}`,
	} {
		teller.opening = envelope.Opening{Outcome: o, Share: envelope.Share{Seq: 4, User: "alice", Amount: 123}}
		if res, body := do(t, a, call(t, "open")); res.StatusCode != 200 || body != want {
			t.Errorf("open: %d %s, want %s", res.StatusCode, body, want)
		}
	}
}

// FS16: a payout is answered as show lists it, with a ticket or without.
func TestPayoutAnswersWhatGoesToTheCaller(t *testing.T) {
	teller := &stubTeller{}
	a, _ := newAPI(t, teller)
	own, other := envelope.Transfer{State: envelope.Pending, Amount: 999, Hint: `p"1`}, envelope.Transfer{State: envelope.Held, Amount: 2}
	for want, payouts := range map[string][]envelope.Transfer{
		`{"payout":{"state":"pending","amount_fen":999,"confirm":"p\"1"}}`:                                                  {own},
		`{"payout":{"state":"pending","amount_fen":999,"confirm":"p\"1"},"more_payouts":[{"state":"held","amount_fen":2}]}`: {own, other},
	} {
		for _, ticket := range []string{"", "T"} {
			teller.details.Payouts = payouts
			res, body := do(t, a, call(t, "payout", "Envelope-Ticket", ticket))
			if res.StatusCode != 200 || body != want || teller.asked != (ask{someID(), "alice", ticket}) {
				t.Errorf("%d %s, asked %+v, want %s", res.StatusCode, body, teller.asked, want)
			}
		}
	}
	for err, want := range map[error]int{envelope.ErrPayoutHeld: 409, envelope.ErrNotFound: 404, envelope.ErrUnknownOutcome: 504} {
		teller.err = err
		if res, body := do(t, a, call(t, "payout")); res.StatusCode != want {
			t.Errorf("%v: %d %s, want %d", err, res.StatusCode, body, want)
		}
	}
}

// FS29: a ticket that is missing is a mistake of the caller's program; one that
// is wrong says nothing about the envelope.
func TestGrabAndOpenWantATicket(t *testing.T) {
	teller := &stubTeller{err: envelope.ErrNotFound}
	a, _ := newAPI(t, teller)
	for _, verb := range []string{"grab", "open"} {
		for name, headers := range map[string][]string{"none": {"Envelope-Ticket", ""}, "misspelt": {"Envelope-Ticket", "", "Ticket", "T"}} {
			res, body := do(t, a, call(t, verb, headers...))
			if code, field := problemCode(t, body); res.StatusCode != 400 || code != "invalid_field" || field != "Envelope-Ticket" || teller.calls > 0 {
				t.Errorf("%s, %s: %d %s", verb, name, res.StatusCode, body)
			}
		}
		if res, body := do(t, a, call(t, verb, "Envelope-Ticket", "wrong")); res.StatusCode != 404 {
			t.Errorf("%s with a wrong one: %d %s", verb, res.StatusCode, body)
		}
		teller.calls = 0
	}
	if res, body := do(t, a, call(t, "show")); res.StatusCode != 404 {
		t.Errorf("show without one, as somebody else: %d %s", res.StatusCode, body)
	}
}

// FH5, FH14.
func TestOnlyTheTokenNamesTheCaller(t *testing.T) {
	teller := &stubTeller{outcome: envelope.Openable, opening: envelope.Opening{Outcome: envelope.Drained}, details: envelope.Details{Envelope: someEnvelope()}}
	a, _ := newAPI(t, teller)
	teller.details.Payouts = []envelope.Transfer{{State: envelope.Pending, Amount: 1}}
	for _, verb := range []string{"show", "grab", "open", "payout"} {
		r := call(t, verb, "X-User-ID", "bob", "X-Forwarded-For", "10.0.0.1", "X-Forwarded-User", "bob", "Cookie", "user=bob",
			"From", "bob", "X-Original-URL", "/v1/me", "X-HTTP-Method-Override", "DELETE", "Envelope-Ticket", "T")
		if res, body := do(t, a, r); res.StatusCode != 200 || teller.asked != (ask{someID(), "alice", "T"}) {
			t.Errorf("%s: %d %s, asked %+v", verb, res.StatusCode, body, teller.asked)
		}
		teller.asked = ask{}
		r = call(t, verb)
		r.URL.RawQuery = "user_id=bob"
		res, body := do(t, a, r)
		if code, _ := problemCode(t, body); res.StatusCode != 400 || code != "query_not_allowed" || teller.asked != (ask{}) {
			t.Errorf("%s with a user in the query: %d %s, asked %+v", verb, res.StatusCode, body, teller.asked)
		}
	}
}

func TestEveryCallNeedsATokenThatCoversIt(t *testing.T) {
	teller := &stubTeller{}
	a, _ := newAPI(t, teller)
	for verb, need := range map[string]string{"send": "send", "show": "show", "grab": "open", "open": "open", "payout": "open"} {
		build := func(authorization string) *http.Request {
			if verb == "send" {
				return request(t, "POST", "/v1/envelopes", lucky, "Authorization", authorization)
			}
			return call(t, verb, "Authorization", authorization)
		}
		res, body := do(t, a, build(""))
		if code, _ := problemCode(t, body); res.StatusCode != 401 || code != "unauthenticated" || res.Header.Get("WWW-Authenticate") != `Bearer realm="hongbao"` {
			t.Errorf("%s without a token: %d %s %v", verb, res.StatusCode, body, res.Header)
		}
		res, body = do(t, a, build("Bearer x.y.z"))
		if code, _ := problemCode(t, body); res.StatusCode != 401 || code != "unauthenticated" || !strings.Contains(res.Header.Get("WWW-Authenticate"), "invalid_token") {
			t.Errorf("%s with a bad token: %d %s %v", verb, res.StatusCode, body, res.Header)
		}
		for _, scope := range []string{"send", "open", "show", "admin"} {
			if scope == need {
				continue
			}
			res, body = do(t, a, build("Bearer "+tokenFor(t, "alice", scope)))
			if code, _ := problemCode(t, body); res.StatusCode != 403 || code != "insufficient_scope" ||
				!strings.Contains(res.Header.Get("WWW-Authenticate"), `scope="`+need+`"`) {
				t.Errorf("%s with scope %s: %d %s %v", verb, scope, res.StatusCode, body, res.Header)
			}
		}
	}
	if teller.calls > 0 {
		t.Errorf("%d refused requests reached the teller", teller.calls)
	}
}

// FH6.
func TestAbsentAndForbiddenAreTheSameBytes(t *testing.T) {
	teller := &stubTeller{err: fmt.Errorf("SET 003: no such row: %w", envelope.ErrNotFound)}
	a, _ := newAPI(t, teller)
	good := string(someID())
	wrongDigit := good[:22] + string('0'+(good[22]-'0'+1)%10)
	var first string
	for _, id := range []string{good, wrongDigit, "1", good + "0", good[:22], strings.Repeat("0", 23), strings.Repeat("9", 23),
		"%00", "..%00", "%F0%9F%A7%A7", "'%20OR%201=1--", strings.Repeat("x", 4000), "0x" + good[:21], good[:22] + "%20", "-" + good[:22]} {
		for method, path := range map[string]string{"GET": "", "POST": "/grab"} {
			res, body := do(t, a, request(t, method, "/v1/envelopes/"+id+path, ""))
			if first == "" {
				first = body
			}
			if res.StatusCode != 404 || body != first {
				t.Errorf("%s %.40s%s: %d %s, want 404 %s", method, id, path, res.StatusCode, body, first)
			}
		}
	}
	if code, _ := problemCode(t, first); code != "not_found" {
		t.Errorf("code %s", code)
	}
}

func TestHeadersThatMayComeOnceComeOnce(t *testing.T) {
	a, _ := newAPI(t, &stubTeller{})
	ticket := call(t, "open")
	ticket.Header["Envelope-Ticket"] = []string{"a", "b"}
	key := request(t, "POST", "/v1/envelopes", lucky)
	key.Header["Idempotency-Key"] = []string{"a", "a"}
	noKey := request(t, "POST", "/v1/envelopes", lucky, "Idempotency-Key", "")
	for want, r := range map[string]*http.Request{"Envelope-Ticket": ticket, "Idempotency-Key": key} {
		res, body := do(t, a, r)
		if code, field := problemCode(t, body); res.StatusCode != 400 || code != "invalid_field" || field != want {
			t.Errorf("%s twice: %d %s", want, res.StatusCode, body)
		}
	}
	query := request(t, "POST", "/v1/envelopes?sender_id=bob", lucky)
	query.Header.Set("Content-Type", "application/json")
	query.Header.Set("Idempotency-Key", "k-1")
	if res, body := do(t, a, query); res.StatusCode != 400 || !strings.Contains(body, "query_not_allowed") {
		t.Errorf("send with a query: %d %s", res.StatusCode, body)
	}
	if res, body := do(t, a, noKey); res.StatusCode != 400 || !strings.Contains(body, `"field":"Idempotency-Key","rule":"is required"`) {
		t.Errorf("no key: %d %s", res.StatusCode, body)
	}
}

func TestABodyIsOfTheRightTypeAndSize(t *testing.T) {
	teller := &stubTeller{}
	a, _ := newAPI(t, teller)
	for _, contentType := range []string{"", "text/plain", "application/json; charset=latin-1", "application/json; x=y", "application/jsonp",
		"application/json,text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", ";", "application/json; charset"} {
		res, body := do(t, a, request(t, "POST", "/v1/envelopes", lucky, "Content-Type", contentType))
		if code, _ := problemCode(t, body); res.StatusCode != 415 || code != "unsupported_media_type" {
			t.Errorf("Content-Type %q: %d %s", contentType, res.StatusCode, body)
		}
	}
	big := with("greeting", `"`+strings.Repeat("a", DefaultBodyBytesMax)+`"`)
	full := lucky + strings.Repeat(" ", DefaultBodyBytesMax-len(lucky))
	unknownLength := request(t, "POST", "/v1/envelopes", big)
	unknownLength.ContentLength = -1
	for name, tt := range map[string]struct {
		r      *http.Request
		status int
	}{
		"declared too large":     {request(t, "POST", "/v1/envelopes", big), 413},
		"turns out too large":    {unknownLength, 413},
		"one byte over":          {request(t, "POST", "/v1/envelopes", full+" "), 413},
		"exactly at the bound":   {request(t, "POST", "/v1/envelopes", full), 201},
		"a body for open":        {request(t, "POST", "/v1/envelopes/"+string(someID())+"/open", "{}"), 400},
		"a body for show":        {request(t, "GET", "/v1/envelopes/"+string(someID()), "{}"), 400},
		"a notification too big": {request(t, "POST", "/v1/payment/notifications", strings.Repeat("a", DefaultNotificationBytesMax+1)), 413},
	} {
		teller.sent.Envelope = someEnvelope()
		if res, body := do(t, a, tt.r); res.StatusCode != tt.status {
			t.Errorf("%s: %d %s, want %d", name, res.StatusCode, body, tt.status)
		} else if unread := tt.status == 413 || tt.status == 400; unread != (res.Header.Get("Connection") == "close") {
			t.Errorf("%s: Connection %q", name, res.Header.Get("Connection"))
		}
	}
}

func TestABodyThatDoesNotArriveIsNotAFault(t *testing.T) {
	a, _ := newAPI(t, &stubTeller{opening: envelope.Opening{Outcome: envelope.Drained}})
	for name, tt := range map[string]struct {
		err    error
		status int
	}{
		"cut": {io.ErrUnexpectedEOF, 400}, "framing": {errors.New("malformed chunked encoding"), 400},
		"slow": {fmt.Errorf("read tcp: %w", context.DeadlineExceeded), 400}, "timeout": {fmt.Errorf("read tcp: %w", os.ErrDeadlineExceeded), 408},
	} {
		for _, path := range []string{"/v1/envelopes", "/v1/envelopes/" + string(someID()) + "/open", "/v1/payment/notifications"} {
			r := request(t, "POST", path, "x")
			r.Header.Set("Content-Type", "application/json")
			r.Body, r.ContentLength = io.NopCloser(iotest.ErrReader(tt.err)), -1
			if res, body := do(t, a, r); res.StatusCode != tt.status {
				t.Errorf("%s on %s: %d %s, want %d", name, path, res.StatusCode, body, tt.status)
			}
		}
	}
	hidden := call(t, "open")
	hidden.Body, hidden.ContentLength = io.NopCloser(strings.NewReader("{}")), -1
	if res, body := do(t, a, hidden); res.StatusCode != 400 || !strings.Contains(body, "body_not_allowed") {
		t.Errorf("open with a chunked body: %d %s", res.StatusCode, body)
	}
	empty := call(t, "open")
	empty.Body, empty.ContentLength = io.NopCloser(strings.NewReader("")), -1
	if res, body := do(t, a, empty); res.StatusCode != 200 {
		t.Errorf("open with an empty chunked body: %d %s", res.StatusCode, body)
	}
}

func TestWhatIsNotServedIsAProblem(t *testing.T) {
	a, _ := newAPI(t, &stubTeller{})
	id := string(someID())
	for _, path := range []string{"/", "//", "/v1", "/v1/", "/v1/envelopes/", "/v1/envelopes/" + id + "/", "/v1/envelopes/" + id + "/Open",
		"/v1/envelopes/" + id + "/open/", "/v1//envelopes/" + id, "/V1/envelopes/" + id, "/v1/envelopes/../envelopes/" + id + "/x/y", "/v1/me/sent",
		"/metrics", "/debug/pprof/", "/healthz", "/readyz", "/v1/envelopes/" + id + "%2Fopen/x", "/favicon.ico", "/.git/config"} {
		res, body := do(t, a, request(t, "GET", path, ""))
		if code, _ := problemCode(t, body); res.StatusCode != 404 || code != "no_such_path" {
			t.Errorf("GET %s: %d %s", path, res.StatusCode, body)
		}
	}
	for path, allow := range map[string]string{"/v1/envelopes": "POST", "/v1/envelopes/" + id: "GET, HEAD", "/v1/envelopes/" + id + "/open": "POST",
		"/v1/envelopes/" + id + "/grab": "POST", "/v1/payment/notifications": "POST", "/openapi.json": "GET, HEAD"} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW"} {
			if slices.Contains(strings.Split(allow, ", "), method) {
				continue
			}
			res, body := do(t, a, request(t, method, path, ""))
			if code, _ := problemCode(t, body); res.StatusCode != 405 || code != "method_not_allowed" || res.Header.Get("Allow") != allow {
				t.Errorf("%s %s: %d %s, Allow %q", method, path, res.StatusCode, body, res.Header.Get("Allow"))
			}
		}
	}
}

func TestACallIsGivenUpAtItsBound(t *testing.T) {
	teller := &stubTeller{hold: func(ctx context.Context) { <-ctx.Done() }, err: context.DeadlineExceeded}
	a, _ := newAPI(t, teller)
	a.cfg.AnswerMax = time.Millisecond
	for _, r := range []*http.Request{call(t, "open"), call(t, "grab"), call(t, "show"), request(t, "POST", "/v1/envelopes", lucky),
		request(t, "POST", "/v1/payment/notifications", "paid")} {
		if res, body := do(t, a, r); res.StatusCode != http.StatusGatewayTimeout || res.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s, want 504", r.URL.Path, res.StatusCode, body)
		}
	}
}

func TestAnswersAreNotToBeKeptOrGuessedAt(t *testing.T) {
	a, _ := newAPI(t, &stubTeller{outcome: envelope.Openable})
	for _, r := range []*http.Request{call(t, "grab"), call(t, "grab", "Authorization", ""), request(t, "GET", "/nothing", "")} {
		res, _ := do(t, a, r)
		if res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", r.URL.Path, res.Header)
		}
	}
}
