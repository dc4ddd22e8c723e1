package operator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hongbao/envelope"
	"hongbao/internal/httpapi/bearer"
	"hongbao/orderset"
	"hongbao/orderset/decision"
	"hongbao/orderset/owed"
)

var operatorKey = bearer.Key{ID: "operators", Algorithm: bearer.HS256, Secret: []byte(strings.Repeat("k", 32))}

// noted is a SET that notes what changes it, and answers as it is told. What a SET
// does with money is tested on a real database, in orderset and cmd/hongbaod.
type noted struct {
	number envelope.SetNumber
	err    error // of everything

	mu      sync.Mutex // guards what follows
	changes []string
	on      bool
}

func (s *noted) note(format string, args ...any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.changes = append(s.changes, fmt.Sprintf(format, args...))
	}
	return s.err
}

func (s *noted) Number() envelope.SetNumber { return s.number }
func (s *noted) Backlog(context.Context) (owed.Backlog, error) {
	return owed.Backlog{owed.TopicTransfer: {Pending: 3}}, s.err
}
func (s *noted) Paused(context.Context) (map[string]string, error) { return nil, s.err }
func (s *noted) Pause(_ context.Context, topic, reason string) error {
	return s.note("pause %s: %s", topic, reason)
}
func (s *noted) Resume(_ context.Context, topic string) error { return s.note("resume %s", topic) }
func (s *noted) ParkedDeliveries(context.Context, int) ([]owed.ParkedDelivery, error) {
	return []owed.ParkedDelivery{{Reason: "parked in " + s.number.String()}}, s.err
}
func (s *noted) UnparkDelivery(_ context.Context, id envelope.ID, topic envelope.Topic) error {
	return s.note("retry %s %s", id, topic)
}
func (s *noted) Disputes(_ context.Context, max int) ([]decision.Dispute, error) {
	return make([]decision.Dispute, max), s.err
}
func (s *noted) Held(_ context.Context, q decision.HeldQuery) ([]decision.HeldTransfer, error) {
	h := decision.HeldTransfer{Transfer: envelope.Transfer{OrderNo: someID, Seq: 1, Round: 1}, Sender: "sam", Disputes: []string{"it was paid"}}
	h.Since, h.Now = time.Unix(0, 0), time.Unix(90, 0)
	if q.Proposed != "" && q.Proposed != decision.HeldNotProposed {
		h.Proposal = &decision.Proposal{Action: decision.ActionRelease, By: q.Proposed}
	}
	return []decision.HeldTransfer{h}, s.err
}
func (s *noted) Propose(_ context.Context, no, by, action string, payee envelope.UserID) (decision.Proposal, error) {
	return decision.Proposal{Action: action, Payee: payee, By: by}, s.note("%s proposes %s %s %s", by, action, no, payee)
}
func (s *noted) Withdraw(_ context.Context, no, by string) error {
	return s.note("%s withdraws %s", by, no)
}
func (s *noted) Approve(_ context.Context, no, by string, seen decision.Proposal) (envelope.Transfer, error) {
	return envelope.Transfer{OrderNo: someID, Seq: 1, Round: 2}, s.note("%s approves %s: %s of %s", by, no, seen.Action, seen.At.UTC().Format(time.DateOnly))
}
func (s *noted) Decisions(_ context.Context, no string, _ int) ([]decision.Decision, error) {
	return []decision.Decision{{No: no}}, s.err
}
func (s *noted) Stuck(context.Context, int) ([]envelope.Transfer, []decision.StuckBatch, error) {
	return []envelope.Transfer{{OrderNo: someID, Round: 1, State: envelope.Stuck, Placed: true, Reason: "ABNORMAL"}}, []decision.StuckBatch{{No: "B" + string(someID) + "P001", Rejected: true}}, s.err
}
func (s *noted) Causes(context.Context) (map[string]map[string]int, error) {
	return map[string]map[string]int{owed.TopicTransfer: {"NO_AUTH": 2}}, s.err
}
func (s *noted) Retry(_ context.Context, no string) error { return s.note("retry %q", no) }
func (s *noted) ProposeDissolve(_ context.Context, no, by string) error {
	return s.note("%s proposes to dissolve %s", by, no)
}
func (s *noted) ApproveDissolve(_ context.Context, no, by string) error {
	return s.note("%s dissolves %s", by, no)
}
func (s *noted) Ping(context.Context) error { return s.err }
func (s *noted) Durability(context.Context) (orderset.Durability, error) {
	return orderset.Durability{Fsynced: true}, s.err
}
func (s *noted) Refuse(on bool) { s.on = on; _ = s.note("refuse %v", on) }
func (s *noted) Refusing() string {
	if s.on {
		return "draining"
	}
	return ""
}

// someID is an ID that can be.
var someID = func() envelope.ID {
	for digit := range 10 {
		if id, err := envelope.ParseID("0123456789012345678003" + string(rune('0'+digit))); err == nil {
			return id
		}
	}
	panic("no digit fits the body")
}()

var someNo = envelope.TransferNo(someID, 1, 1)

// newAPI is an API over two SETs, with the servers' own listener.
func newAPI(t *testing.T, adjust func(*Config)) (*API, []*noted) {
	t.Helper()
	operators, err := bearer.NewAuthenticator(bearer.Config{Keys: []bearer.Key{operatorKey}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	sets := []*noted{{number: 0}, {number: 1}}
	cfg := Config{
		Sets:      func() []Set { return []Set{sets[0], sets[1]} },
		Set:       func(id envelope.ID) (Set, error) { return sets[1], nil },
		Operators: operators, Log: slog.New(slog.DiscardHandler), Listen: "127.0.0.1:8081",
		Mint: func() error { return nil }, Draining: func() bool { return false }, Metrics: prometheus.NewRegistry(),
	}
	if adjust != nil {
		adjust(&cfg)
	}
	a, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return a, sets
}

func token(t *testing.T, person, scope string) string {
	t.Helper()
	token, err := bearer.Mint(operatorKey, envelope.UserID(person), scope, time.Minute, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// request is one that ann makes, as hongbaoctl would; headers are pairs.
func request(t *testing.T, method, target, body string, headers ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequest(method, "http://127.0.0.1:8081"+target, nil)
	if body != "" {
		r = httptest.NewRequest(method, "http://127.0.0.1:8081"+target, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Authorization", "Bearer "+token(t, "ann", "operate"))
	for i := 0; i < len(headers); i += 2 {
		if r.Header.Set(headers[i], headers[i+1]); headers[i+1] == "" {
			r.Header.Del(headers[i])
		}
	}
	return r
}

func do(a *API, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w
}

// wantProblem fails unless an answer is a problem of the table whose text has
// these words.
func wantProblem(t *testing.T, what string, w *httptest.ResponseRecorder, status int, code string, words ...string) {
	t.Helper()
	var p Problem
	err := json.Unmarshal(w.Body.Bytes(), &p)
	if err != nil || w.Code != status || p.Status != status || p.Code != code || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s: %d %s %s, want %d %s as a problem", what, w.Code, w.Header().Get("Content-Type"), w.Body, status, code)
	}
	for _, word := range words {
		if !strings.Contains(w.Body.String(), word) {
			t.Errorf("%s: the answer says nothing of %q: %s", what, word, w.Body)
		}
	}
}

// wantUnchanged fails if any SET was asked to change.
func wantUnchanged(t *testing.T, what string, sets []*noted) {
	t.Helper()
	for _, set := range sets {
		if len(set.changes) > 0 {
			t.Errorf("%s: SET %v was changed: %v", what, set.number, set.changes)
		}
		set.changes = nil
	}
}

// filled is a pattern with values that can be, and the query it needs.
func filled(pattern string) (method, target string) {
	method, path, _ := strings.Cut(pattern, " ")
	path = strings.NewReplacer("{no}", someNo, "{batch}", envelope.PayoutBatchNo(someNo), "{id}", string(someID), "{topic}", "event", "{set}", "001", "{profile}", "heap", "{$}", "").Replace(path)
	query := map[string]string{
		"POST /held/{no}/redirect": "?payee=carl", "POST /held/{no}/approve": "?action=release&proposed_at=2026-01-02T03:04:05.678Z",
		"POST /held/release": "?reason=NAME", "POST /held/approve": "?reason=NAME&proposed_by=bob&until=2026-01-02T03:04:05Z",
	}[pattern]
	return method, path + query
}

// everyCall runs a test for each line of the API.
func everyCall(t *testing.T, test func(t *testing.T, c call, method, target string)) {
	a, _ := newAPI(t, nil)
	for _, c := range a.calls() {
		t.Run(strings.ReplaceAll(c.pattern, "/", "_"), func(t *testing.T) {
			method, target := filled(c.pattern)
			test(t, c, method, target)
		})
	}
}

// FS18
func TestSensitiveCallsNeedScopeOperate(t *testing.T) {
	everyCall(t, func(t *testing.T, c call, method, target string) {
		a, sets := newAPI(t, nil)
		bare := do(a, request(t, method, target, "", "Authorization", ""))
		if c.open {
			if method != http.MethodGet || bare.Code != http.StatusOK {
				t.Errorf("open: %s answered %d", method, bare.Code)
			}
			return
		}
		wantProblem(t, "no token", bare, 401, "unauthenticated", "scope operate")
		if bare.Header().Get("Www-Authenticate") == "" {
			t.Error("no challenge")
		}
		wantProblem(t, "another scope", do(a, request(t, method, target, "", "Authorization", "Bearer "+token(t, "ann", "send open show"))), 403, "insufficient_scope", "operate")
		wantProblem(t, "no scope", do(a, request(t, method, target, "", "Authorization", "Bearer "+token(t, "ann", ""))), 403, "insufficient_scope")
		wantProblem(t, "no JWT", do(a, request(t, method, target, "", "Authorization", "Bearer xyz")), 401, "unauthenticated")
		without, more := newAPI(t, func(cfg *Config) { cfg.Operators = nil })
		wantProblem(t, "no keys", do(without, request(t, method, target, "")), 401, "unauthenticated", "keys.operators")
		wantUnchanged(t, "refused", append(sets, more...))
		if w := do(a, request(t, method, target, "")); w.Code/100 != 2 {
			t.Errorf("with its token: %d %s", w.Code, w.Body)
		}
	})
}

// FS18
func TestNoWebPageOperates(t *testing.T) {
	everyCall(t, func(t *testing.T, c call, method, target string) {
		a, sets := newAPI(t, nil)
		for name, headers := range map[string][]string{
			"another site":   {"Sec-Fetch-Site", "cross-site"},
			"another port":   {"Sec-Fetch-Site", "same-site"},
			"an old browser": {"Origin", "http://evil.example"},
			"no origin":      {"Origin", "null"},
		} {
			w := do(a, request(t, method, target, "", headers...))
			if method == http.MethodGet {
				if w.Code != http.StatusOK { // a look is not readable across origins, and a plain link must work
					t.Errorf("%s: %d", name, w.Code)
				}
				continue
			}
			wantProblem(t, name, w, 403, "cross_origin")
		}
		for _, host := range []string{"evil.example", "evil.example:8081", "127.0.0.1.evil.example:8081", "10.9.8.7:8081", "", "localhost.evil.example", "[2001:db8::1]:8081"} {
			r := request(t, method, target, "")
			r.Host = host
			wantProblem(t, "host "+host, do(a, r), 403, "host_not_allowed")
		}
		wantUnchanged(t, "refused", sets)
	})
}

func TestHostsThatMayBeAskedFor(t *testing.T) {
	a, _ := newAPI(t, func(cfg *Config) {
		cfg.Listen, cfg.Hosts = "ops.internal:8081", []string{"bastion.internal", "ops2.internal:9999"}
	})
	for _, host := range []string{"localhost:8081", "localhost", "LOCALHOST:1", "127.0.0.1:8081", "127.8.8.8", "[::1]:8081", "[::1]", "ops.internal:8081",
		"Ops.Internal.:8081", "bastion.internal:443", "ops2.internal:8081", "192.0.2.7:8081"} {
		r := request(t, "GET", "/outbox", "")
		r.Host = host
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 8081}))
		if w := do(a, r); w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", host, w.Code, w.Body)
		}
	}
}

// FS19
func TestUnknownFieldsAreRefusedByName(t *testing.T) {
	everyCall(t, func(t *testing.T, c call, method, target string) {
		a, sets := newAPI(t, nil)
		sign := "?"
		if strings.Contains(target, "?") {
			sign = "&"
		}
		for name, more := range map[string]string{
			"topics": "topics=event", "Topic": "Topic=event", "payees": "payees=x", "dry_run": "dry_run=true", "topic ": "topic%20=event",
			"query": "%zz=1", "a name": "%00%01=1", "given twice": "xyz=1&xyz=2",
		} {
			wantProblem(t, more, do(a, request(t, method, target+sign+more, "")), 400, "invalid_field", strings.TrimSpace(name))
		}
		if method == http.MethodGet {
			wantProblem(t, "a body", do(a, request(t, method, target, "{}")), 400, "body_not_allowed")
			return
		}
		for word, body := range map[string]string{
			`topics`: `{"topics":"event"}`, `"body"`: `[]`, `one JSON object`: `"event"`, `no valid JSON`: `{`, `member twice`: `{"xyz`,
			`must end`: `{} {}`, `Topic`: `{"Topic":"event"}`, `a name`: `{"\u0000":1}`,
		} {
			wantProblem(t, body, do(a, request(t, method, target, body)), 400, "invalid_field", word)
		}
		wantProblem(t, "no JSON", do(a, request(t, method, target, "topic=event", "Content-Type", "application/x-www-form-urlencoded")), 415, "unsupported_media_type")
		wantProblem(t, "too large", do(a, request(t, method, target, `{"topic":"`+strings.Repeat("x", bodyBytesMax)+`"}`)), 413, "body_too_large")
		wantUnchanged(t, "refused", sets)
	})
}

// FS19
func TestParametersAreHeldToTheirRules(t *testing.T) {
	id := string(someID)
	for _, c := range []struct{ target, body, field string }{
		{"/outbox/pause?topic=", "", "topic"}, {"/outbox/pause?topic", "", "topic"}, {"/outbox/pause?topic=everything", "", "topic"},
		{"/outbox/pause?topic=event&topic=book", "", "topic"}, {"/outbox/pause?topic=event&topic=event", "", "topic"},
		{"/outbox/pause?topic=event,book", "", "topic"}, {"/outbox/pause?topic=Event", "", "topic"}, {"/outbox/pause?topic=event%20", "", "topic"},
		{"/outbox/pause?topic=event;reason=x", "", "query"}, {"/outbox/pause?topic=%ff", "", "topic"},
		{"/outbox/pause?reason=%1b[31m", "", "reason"}, {"/outbox/pause?reason=" + strings.Repeat("x", 256), "", "reason"}, {"/outbox/pause?reason=%ff", "", "reason"},
		{"/outbox/pause?topic=event", `{"topic":"book"}`, "topic"}, {"/outbox/pause", `{"topic":null}`, "topic"}, {"/outbox/pause", `{"topic":["event"]}`, "topic"},
		{"/outbox/pause", `{"topic":1}`, "topic"}, {"/outbox/pause", `{"topic":""}`, "topic"}, {"/outbox/pause", `{"topic":"event","topic":"event"}`, "body"},
		{"/outbox/resume?reason=x", "", "reason"}, {"/outbox/resume?topic=none", "", "topic"},
		{"/held/" + someNo + "/redirect", "", "payee"}, {"/held/" + someNo + "/redirect?payee=", "", "payee"}, {"/held/" + someNo + "/redirect?payee=a%20b", "", "payee"},
		{"/held/" + someNo + "/release?payee=carl", "", "payee"}, {"/held/" + someNo + "/approve?by=ben", "", "by"},
		{"/held/" + id + "/release", "", "no"}, {"/held/" + someNo + "x/approve", "", "no"}, {"/held/-/redirect?payee=carl", "", "no"},
		{"/parked/123/event/retry", "", "id"}, {"/parked/" + id + "/transfer/retry", "", "topic"}, {"/sets/1/refuse", "", "set"}, {"/sets/abc/admit", "", "set"},
	} {
		a, sets := newAPI(t, nil)
		w := do(a, request(t, "POST", c.target, c.body))
		wantProblem(t, c.target+" "+c.body, w, 400, "invalid_field")
		var p Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Field != c.field || p.Rule == "" {
			t.Errorf("%s %s: names %q, want %q: %s", c.target, c.body, p.Field, c.field, w.Body)
		}
		wantUnchanged(t, c.target+" "+c.body, sets)
	}
}

func TestParametersComeInTheQueryOrTheBody(t *testing.T) {
	for target, body := range map[string]string{
		"/outbox/pause?topic=event&reason=the+move": "", "/outbox/pause?topic=event": `{"reason":"the move"}`, "/outbox/pause": `{"reason":"the move","topic":"event"}`,
	} {
		a, sets := newAPI(t, nil)
		if w := do(a, request(t, "POST", target, body)); w.Code != http.StatusOK {
			t.Errorf("%s %s: %d %s", target, body, w.Code, w.Body)
		}
		for _, set := range sets {
			if got := strings.Join(set.changes, "|"); got != "pause event: the move" {
				t.Errorf("%s %s: SET %v: %q", target, body, set.number, got)
			}
		}
	}
}

// FS19
func TestWhatIsNotServedIsAProblem(t *testing.T) {
	a, sets := newAPI(t, nil)
	for _, path := range []string{"/", "/outboxes", "/outbox/", "/outbox/pause/", "/OUTBOX", "/held/" + someNo, "/held//release", "//outbox", "/./outbox",
		"/v1/envelopes", "/out%62ox", "/held/" + someNo + "%2Frelease", "/sets/001"} {
		for _, method := range []string{"GET", "POST"} {
			wantProblem(t, method+" "+path, do(a, request(t, method, path, "")), 404, "no_such_path")
		}
	}
	everyCall(t, func(t *testing.T, c call, method, target string) {
		for _, other := range []string{"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"} {
			if other == method {
				continue
			}
			w := do(a, request(t, other, target, ""))
			wantProblem(t, other, w, 405, "method_not_allowed")
			if !strings.Contains(w.Header().Get("Allow"), method) {
				t.Errorf("%s: Allow %q, want %s", other, w.Header().Get("Allow"), method)
			}
		}
	})
	wantUnchanged(t, "not served", sets)
}

// FS24
func TestOneDeadSETHidesNoOther(t *testing.T) {
	a, sets := newAPI(t, nil)
	sets[0].err = &envelope.BusyError{Reason: "set_unavailable"}
	for _, path := range []string{"/outbox", "/held", "/parked", "/disputes"} {
		w := do(a, request(t, "GET", path, ""))
		var got struct {
			Sets                   []struct{ Set, Error, Code string }
			Held, Parked, Disputes []json.RawMessage
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK || len(got.Sets) != 2 {
			t.Fatalf("%s: %d %v %s", path, w.Code, err, w.Body)
		}
		if got.Sets[0].Set != "000" || got.Sets[0].Error == "" || got.Sets[0].Code != "set_unavailable" || got.Sets[1].Set != "001" || got.Sets[1].Error != "" {
			t.Errorf("%s: %+v", path, got.Sets)
		}
		if rows := len(got.Held) + len(got.Parked) + len(got.Disputes); rows == 0 && path != "/outbox" {
			t.Errorf("%s: the living SET has no rows: %s", path, w.Body)
		}
	}
	w := do(a, request(t, "POST", "/outbox/pause?topic=event", ""))
	var steered Steered
	if err := json.Unmarshal(w.Body.Bytes(), &steered); err != nil || w.Code != http.StatusMultiStatus {
		t.Fatalf("a pause of half: %d %s, want 207", w.Code, w.Body)
	}
	if missed := steered.Missed(); len(missed) != 1 || missed[0].Set != "000" || len(missed[0].Done) != 0 || len(steered.Sets) != 2 || len(steered.Sets[1].Done) != 1 {
		t.Errorf("a pause of half: %s", w.Body)
	}
	if got := strings.Join(sets[1].changes, "|"); got != "pause event: by ann" {
		t.Errorf("the living SET: %q", got)
	}
}

// FS24
func TestARefusingSETStandsInTheStatus(t *testing.T) {
	a, sets := newAPI(t, nil)
	c := clientOf(t, a)
	if err := c.Refuse(t.Context(), SetInput{"001"}); err != nil || !sets[1].on || sets[0].on {
		t.Fatalf("%v, refusing: %v %v", err, sets[0].on, sets[1].on)
	}
	o, err := c.Outbox(t.Context())
	if err != nil || o.Sets[0].Refusing != "" || o.Sets[1].Refusing != "draining" || !o.Impaired() {
		t.Errorf("%v %+v", err, o)
	}
	if err := c.Admit(t.Context(), SetInput{"001"}); err != nil || sets[1].on {
		t.Errorf("%v, still refusing: %v", err, sets[1].on)
	}
	if err := c.Refuse(t.Context(), SetInput{"007"}); !isProblem(err, 404, "not_found") {
		t.Errorf("a SET that is not there: %v", err)
	}
}

// clientOf is a client of an API that listens, as ann.
func clientOf(t *testing.T, a *API) *Client {
	t.Helper()
	s := httptest.NewServer(a)
	t.Cleanup(s.Close)
	return &Client{Base: s.URL, Token: token(t, "ann", "operate"), HTTP: s.Client()}
}

// get asks for what the client has no method for.
func (c *Client) get(ctx context.Context, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Base+path, nil)
	if err != nil {
		return err
	}
	_, err = c.do(req)
	return err
}

func isProblem(err error, status int, code string) bool {
	p, is := errors.AsType[*Problem](err)
	return is && p.Status == status && p.Code == code
}

func errOf(_ any, err error) error { return err }

func TestTheClientCallsEveryCall(t *testing.T) {
	a, sets := newAPI(t, nil)
	var mu sync.Mutex
	called := map[string]bool{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, pattern := a.mux.Handler(r)
		mu.Lock()
		called[pattern] = true
		mu.Unlock()
		a.ServeHTTP(w, r)
	}))
	defer s.Close()
	c := &Client{Base: s.URL, Token: token(t, "ann", "operate"), HTTP: s.Client()}
	no, id, batch := NumberInput{TransferNo(someNo)}, OrderID(someID), BatchInput{BatchNo(envelope.PayoutBatchNo(someNo))}
	for what, do := range map[string]func(context.Context) error{
		"outbox":   func(ctx context.Context) error { _, err := c.Outbox(ctx); return err },
		"pause":    func(ctx context.Context) error { _, err := c.Pause(ctx, PauseInput{"event", "a b&c"}); return err },
		"resume":   func(ctx context.Context) error { _, err := c.Resume(ctx, ResumeInput{}); return err },
		"parked":   func(ctx context.Context) error { _, err := c.Parked(ctx); return err },
		"retry":    func(ctx context.Context) error { return c.Retry(ctx, DeliveryInput{id, "event"}) },
		"disputes": func(ctx context.Context) error { _, err := c.Disputes(ctx); return err },
		"held":     func(ctx context.Context) error { _, err := c.Held(ctx, HeldInput{Sort: "age"}); return err },
		"release":  func(ctx context.Context) error { _, err := c.Release(ctx, no); return err },
		"redirect": func(ctx context.Context) error {
			_, err := c.Redirect(ctx, RedirectInput{TransferNo(someNo), "carl"})
			return err
		},
		"settle":   func(ctx context.Context) error { _, err := c.Settle(ctx, no); return err },
		"dismiss":  func(ctx context.Context) error { _, err := c.Dismiss(ctx, no); return err },
		"withdraw": func(ctx context.Context) error { return c.Withdraw(ctx, no) },
		"decisions": func(ctx context.Context) error {
			_, err := c.Decisions(ctx, DecisionsInput{TransferNo(someNo)})
			return err
		},
		"bulk release": func(ctx context.Context) error { _, err := c.BulkRelease(ctx, BulkReleaseInput{"NAME"}); return err },
		"bulk approve": func(ctx context.Context) error {
			b, err := c.BulkApprove(ctx, BulkApproveInput{"NAME", "bob", "2026-01-02T03:04:05Z"})
			if len(b.Done) != 2 {
				t.Errorf("approved %+v, want one of each SET", b)
			}
			return err
		},
		"approve": func(ctx context.Context) error {
			_, err := c.Approve(ctx, ApproveInput{TransferNo(someNo), "release", "", "2026-01-02T03:04:05.678Z"})
			return err
		},
		"dissolve":  func(ctx context.Context) error { return c.Dissolve(ctx, batch) },
		"dissolved": func(ctx context.Context) error { return c.ApproveDissolve(ctx, batch) },
		"retry what is stuck": func(ctx context.Context) error {
			_, err := c.RetryStuck(ctx, RetryStuckInput{})
			return errors.Join(err, errOf(c.RetryStuck(ctx, RetryStuckInput{No: StuckNo(batch.No)})))
		},
		"refuse":   func(ctx context.Context) error { return c.Refuse(ctx, SetInput{"000"}) },
		"admit":    func(ctx context.Context) error { return c.Admit(ctx, SetInput{"000"}) },
		"health":   func(ctx context.Context) error { return c.get(ctx, "/healthz") },
		"metrics":  func(ctx context.Context) error { _, err := c.Metrics(ctx); return err },
		"profiles": func(ctx context.Context) error { return c.get(ctx, "/debug/pprof/") },
		"profile": func(ctx context.Context) error {
			_, err := c.Profile(ctx, ProfileInput{Profile: "heap", GC: 1})
			return err
		},
		"mode": func(ctx context.Context) error { _, err := c.LoadMode(ctx); return err },
	} {
		if err := do(t.Context()); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, call := range a.calls() {
		if !called[call.pattern] {
			t.Errorf("the client has nothing for %s", call.pattern)
		}
	}
	if all := strings.Join(sets[1].changes, "|"); !strings.Contains(all, "pause event: a b&c") ||
		!strings.Contains(all, "ann proposes redirect "+someNo+" carl") || !strings.Contains(all, "ann approves "+someNo+": release of 2026-01-02") ||
		!strings.Contains(all, "ann proposes to dissolve B"+someNo) || !strings.Contains(all, "ann dissolves B"+someNo) || !strings.Contains(all, `retry ""|retry "B`+someNo+`"`) {
		t.Errorf("the SET was asked: %s", all)
	}
}

func TestTheClientSaysTheReasonFirst(t *testing.T) {
	a, sets := newAPI(t, nil)
	c := clientOf(t, a)
	sets[1].err = &envelope.InvalidError{Field: "transfer", Why: "is not held"}
	_, err := c.Release(t.Context(), NumberInput{TransferNo(someNo)})
	if !isProblem(err, 422, "rule_forbids") || !strings.HasPrefix(err.Error(), "transfer is not held") {
		t.Errorf("a rule of the SET: %v", err)
	}
	sets[1].err = fmt.Errorf("SET 001: propose: %w", envelope.ErrUnknownOutcome)
	if _, err := c.Release(t.Context(), NumberInput{TransferNo(someNo)}); !isProblem(err, 504, "outcome_unknown") || !strings.HasPrefix(err.Error(), "SET 001") {
		t.Errorf("an unknown outcome: %v", err)
	}
	c.Base = (&url.URL{Scheme: "http", Host: "127.0.0.1:1"}).String()
	if _, err := c.Outbox(t.Context()); !errors.Is(err, ErrNotReached) {
		t.Errorf("nothing listens: %v", err)
	}
}

// TestOperatorNameHasOneSpelling (FS14).
func TestOperatorNameHasOneSpelling(t *testing.T) {
	a, sets := newAPI(t, nil)
	for _, name := range []string{"Ann", "ANN", "a/nn", "ann!"} {
		w := do(a, request(t, http.MethodPost, "/held/"+someNo+"/release", "", "Authorization", "Bearer "+token(t, name, "operate")))
		wantProblem(t, name, w, 401, "unauthenticated", "lower-case")
	}
	wantUnchanged(t, "another spelling", sets)
}
