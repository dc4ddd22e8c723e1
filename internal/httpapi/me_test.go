package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"hongbao/envelope"
)

// stubBooks answers what the test put into it and remembers what it was asked.
type stubBooks struct {
	err      error
	received []envelope.ReceivedItem
	sent     []envelope.SentItem
	next     string
	summary  envelope.BookSummary
	hold     func(context.Context)

	asked bookAsk
	calls int
}

func (s *stubBooks) ask(ctx context.Context, q bookAsk) error {
	s.asked = q
	s.calls++
	if s.hold != nil {
		s.hold(ctx)
	}
	return s.err
}

func (s *stubBooks) Received(ctx context.Context, user envelope.UserID, year int, cursor string) ([]envelope.ReceivedItem, string, error) {
	return s.received, s.next, s.ask(ctx, bookAsk{user, year, cursor})
}

func (s *stubBooks) Sent(ctx context.Context, user envelope.UserID, year int, cursor string) ([]envelope.SentItem, string, error) {
	return s.sent, s.next, s.ask(ctx, bookAsk{user, year, cursor})
}

func (s *stubBooks) Summary(ctx context.Context, user envelope.UserID, year int) (envelope.BookSummary, error) {
	return s.summary, s.ask(ctx, bookAsk{user: user, year: year})
}

// newLibrary is an API with books, whose clock stands at noon.
func newLibrary(t *testing.T, books envelope.Books) (*API, *strings.Builder) {
	t.Helper()
	a, logged := newAPI(t, &stubTeller{})
	a.cfg.Books, a.cfg.Now = books, noon
	return a, logged
}

// bookCalls are the paths, and whether they take a cursor.
func bookCalls() map[string]bool {
	return map[string]bool{"/v1/me/received": true, "/v1/me/sent": true, "/v1/me/summary": false}
}

func TestABookIsAnsweredAsItStands(t *testing.T) {
	books := &stubBooks{next: "Q-_9", received: []envelope.ReceivedItem{
		{ID: someID(), Sender: `a"\`, Kind: envelope.Lucky, Seq: 2, Amount: 123, BestLuck: true, OpenedAt: noon().In(time.FixedZone("", 8*3600))},
		{ID: someID(), Sender: "bob", Kind: envelope.Exclusive, Seq: 1, Amount: 1, OpenedAt: noon().Add(1234567 * time.Microsecond)},
	}, sent: []envelope.SentItem{{ID: someID(), Kind: envelope.Equal, Total: 900, Count: 3, Refunded: 300, PaidAt: noon()}},
		summary: envelope.BookSummary{Year: 2026, SentCount: 1, SentTotal: 2, RefundedTotal: 3, ReceivedCount: 4, ReceivedTotal: 5, BestLuckCount: 6}}
	a, _ := newLibrary(t, books)
	id := string(someID())
	for path, want := range map[string]string{
		"/v1/me/received": `{"items":[{"id":"` + id + `","sender_id":"a\"\\","kind":"lucky","seq":2,"amount_fen":123,"best_luck":true,"opened_at":"2026-11-23T12:00:00.000Z"},` +
			`{"id":"` + id + `","sender_id":"bob","kind":"exclusive","seq":1,"amount_fen":1,"best_luck":false,"opened_at":"2026-11-23T12:00:01.234Z"}],"next_cursor":"Q-_9"}`,
		"/v1/me/sent":    `{"items":[{"id":"` + id + `","kind":"equal","total_fen":900,"count":3,"refunded_fen":300,"paid_at":"2026-11-23T12:00:00.000Z"}],"next_cursor":"Q-_9"}`,
		"/v1/me/summary": `{"year":2026,"sent_count":1,"sent_fen":2,"refunded_fen":3,"received_count":4,"received_fen":5,"best_luck_count":6}`,
	} {
		res, body := do(t, a, request(t, "GET", path, ""))
		if res.StatusCode != 200 || body != want {
			t.Errorf("%s: %d %s\nwant 200 %s", path, res.StatusCode, body, want)
		}
		if res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", path, res.Header)
		}
	}
	*books = stubBooks{}
	for path, paged := range bookCalls() {
		if res, body := do(t, a, request(t, "GET", path, "")); res.StatusCode != 200 || paged && body != `{"items":[]}` {
			t.Errorf("an empty %s: %d %s", path, res.StatusCode, body)
		}
	}
}

func TestBookYearDefaultsToTheCurrentOne(t *testing.T) {
	books := &stubBooks{}
	a, _ := newLibrary(t, books)
	for query, want := range map[string]bookAsk{
		"": {"alice", 2026, ""}, "?": {"alice", 2026, ""}, "?year=": {"alice", 2026, ""}, "?year=&cursor=": {"alice", 2026, ""}, "?year=2025": {"alice", 2025, ""},
		"?year=2100": {"alice", 2100, ""}, "?cursor=abc": {"alice", 2026, "abc"}, "?cursor=a%62c&year=20%325": {"alice", 2025, "abc"},
	} {
		for path, paged := range bookCalls() {
			if !paged && strings.Contains(query, "cursor") {
				continue
			}
			if res, body := do(t, a, request(t, "GET", path+query, "")); res.StatusCode != 200 || books.asked != want {
				t.Errorf("%s%s: %d %s, asked %+v, want %+v", path, query, res.StatusCode, body, books.asked, want)
			}
		}
	}
	newYear := time.Date(2026, 12, 31, 16, 0, 0, 0, time.UTC)
	for at, want := range map[time.Time]int{newYear.Add(-time.Millisecond): 2026, newYear: 2027} {
		a.cfg.Now = func() time.Time { return at }
		if do(t, a, request(t, "GET", "/v1/me/summary", "")); books.asked.year != want {
			t.Errorf("at %v the year is %d, want %d", at, books.asked.year, want)
		}
	}
}

func TestHostileBookQueriesAreRefused(t *testing.T) {
	books := &stubBooks{}
	a, _ := newLibrary(t, books)
	long := strings.Repeat("y", 4000)
	for query, field := range map[string]string{
		"year=2024": "year", "year=2101": "year", "year=0": "year", "year=-2026": "year", "year=+2026": "year", "year=02026": "year",
		"year=2026.0": "year", "year=2e3": "year", "year=0x7ea": "year", "year=%202026": "year", "year=2026%00": "year", "year=twenty": "year",
		"year=99999999999999999999": "year", "year=%EF%BC%92%EF%BC%90%EF%BC%92%EF%BC%96": "year", "year=2026'%20OR%201=1--": "year",
		"year=2026&year=2026": "year", "year=2026&year=2025": "year", "year=&year=": "year",
		"Year=2026": "Year", "YEAR=2026": "YEAR", "year%00=2026": "query", "ye%61r=2026&y=1": "y", "year[]=2026": "query",
		"user_id=bob": "user_id", "user=bob": "user", "sub=bob": "sub", "user_id=alice": "user_id", "year=2026&user_id=bob": "user_id",
		"limit=1000000": "limit", "page_size=0": "page_size", "order=asc": "order", "_method=DELETE": "_method", "=": "query", "&=2": "query",
		"%zz": "query", "year=%": "query", "year=2026;user=bob": "query", "%F0%9F%A7%A7=1": "query", long + "=1": "query", "<script>=1": "query",
	} {
		for path := range bookCalls() {
			r := request(t, "GET", path, "")
			r.URL.RawQuery = query
			res, body := do(t, a, r)
			if code, got := problemCode(t, body); res.StatusCode != 400 || code != "invalid_field" || got != field {
				t.Errorf("%s?%.60s: %d %s, want field %s", path, query, res.StatusCode, body, field)
			}
		}
	}
	for path, paged := range bookCalls() {
		want := "cursor" // repeated, or not known at all
		for _, query := range []string{"cursor=a&cursor=a", "cursor=&cursor="} {
			r := request(t, "GET", path, "")
			r.URL.RawQuery = query
			if _, body := do(t, a, r); !strings.Contains(body, `"field":"`+want+`"`) {
				t.Errorf("%s?%s, paged %v: %s", path, query, paged, body)
			}
		}
		if res, body := do(t, a, request(t, "GET", path, "{}")); res.StatusCode != 400 || !strings.Contains(body, "body_not_allowed") {
			t.Errorf("%s with a body: %d %s", path, res.StatusCode, body)
		}
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
			if res, body := do(t, a, request(t, method, path, "")); res.StatusCode != 405 || res.Header.Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: %d %s", method, path, res.StatusCode, body)
			}
		}
		for _, near := range []string{path + "/", path + "/bob", strings.Replace(path, "me", "bob", 1), strings.ToUpper(path), "/" + path} {
			if res, body := do(t, a, request(t, "GET", near, "")); res.StatusCode != 404 || !strings.Contains(body, "no_such_path") {
				t.Errorf("GET %s: %d %s", near, res.StatusCode, body)
			}
		}
	}
	if res, body := do(t, a, request(t, "GET", "/v1/me/summary?cursor=abc", "")); res.StatusCode != 400 || !strings.Contains(body, `"field":"cursor"`) {
		t.Errorf("a summary with a cursor: %d %s", res.StatusCode, body)
	}
	if books.calls > 0 {
		t.Errorf("%d refused questions reached the books", books.calls)
	}
}

// FH5, FH14.
func TestOnlyTheTokenNamesTheBook(t *testing.T) {
	books := &stubBooks{}
	a, _ := newLibrary(t, books)
	for path := range bookCalls() {
		books.asked = bookAsk{}
		r := request(t, "GET", path, "", "X-User-ID", "bob", "X-Forwarded-User", "bob", "Cookie", "user=bob", "From", "bob",
			"X-Original-URL", "/v1/me/received?user_id=bob", "Envelope-Ticket", "bob")
		if res, body := do(t, a, r); res.StatusCode != 200 || books.asked.user != "alice" {
			t.Errorf("%s: %d %s, asked for the book of %q", path, res.StatusCode, body, books.asked.user)
		}
		r = request(t, "GET", path, "", "Authorization", "Bearer "+tokenFor(t, "bob", "show"))
		if res, body := do(t, a, r); res.StatusCode != 200 || books.asked.user != "bob" {
			t.Errorf("%s: %d %s, asked for the book of %q", path, res.StatusCode, body, books.asked.user)
		}
		books.calls = 0
		for authorization, status := range map[string]int{"": 401, "Bearer x.y.z": 401, "Basic YTpi": 401,
			"Bearer " + tokenFor(t, "alice", "open send"): 403} {
			if res, body := do(t, a, request(t, "GET", path, "", "Authorization", authorization)); res.StatusCode != status {
				t.Errorf("%s as %.20q: %d %s, want %d", path, authorization, res.StatusCode, body, status)
			}
		}
		if books.calls > 0 {
			t.Errorf("%s: %d refused questions reached the books", path, books.calls)
		}
	}
}

func TestWithoutBooksTheirPathsAreNotThere(t *testing.T) {
	a, _ := newAPI(t, &stubTeller{})
	for path := range bookCalls() {
		for _, authorization := range []string{"", "Bearer " + tokenFor(t, "alice", "")} {
			res, body := do(t, a, request(t, "GET", path, "", "Authorization", authorization))
			if code, _ := problemCode(t, body); res.StatusCode != 404 || code != "no_such_path" {
				t.Errorf("%s: %d %s", path, res.StatusCode, body)
			}
		}
	}
}

func TestErrorsOfBooksHaveTheirAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		err    error
		status int
		code   string
	}{
		"a cursor no page returned": {&envelope.InvalidError{Field: "cursor", Why: "must be one"}, 400, "invalid_field"},
		"a shard that is down":      {fmt.Errorf("books: shard 1: list: %w: %w", &envelope.BusyError{Reason: "books_unavailable", RetryAfter: time.Second}, errStubInternal), 503, "books_unavailable"},
		"the caller left":           {fmt.Errorf("read: %w", context.Canceled), 504, "outcome_unknown"},
		"FH15 a fault":              {errors.Join(errStubInternal), 500, "internal"},
	} {
		for path := range bookCalls() {
			a, logged := newLibrary(t, &stubBooks{err: tt.err})
			res, body := do(t, a, request(t, "GET", path, ""))
			if code, _ := problemCode(t, body); res.StatusCode != tt.status || code != tt.code || strings.Contains(body, "SELECT") || strings.Contains(body, "items") {
				t.Errorf("%s, %s: %d %s, want %d %s", path, name, res.StatusCode, body, tt.status, tt.code)
			}
			if fault := tt.status == http.StatusInternalServerError; fault != strings.Contains(logged.String(), errStubInternal.Error()) {
				t.Errorf("%s, %s: log %q", path, name, logged)
			}
		}
	}
}

func TestBookQueryEndsAtItsTimeout(t *testing.T) {
	a, _ := newLibrary(t, &stubBooks{hold: func(ctx context.Context) { <-ctx.Done() }, err: context.DeadlineExceeded})
	a.cfg.AnswerMax = time.Millisecond
	for path := range bookCalls() {
		if res, body := do(t, a, request(t, "GET", path, "")); res.StatusCode != http.StatusGatewayTimeout || res.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s, want 504", path, res.StatusCode, body)
		}
	}
}
