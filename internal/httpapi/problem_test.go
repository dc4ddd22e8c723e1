package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"hongbao/envelope"
	"hongbao/internal/httpapi/bearer"
	"hongbao/queue"
)

// answers is what callers are promised for each error a call can end with.
func answers() map[string]struct {
	err    error
	status int
	code   string
	retry  string
} {
	busy := func(reason envelope.Reason, after time.Duration) error {
		return fmt.Errorf("SET 003: create: %w: %w", &envelope.BusyError{Reason: reason, RetryAfter: after}, context.DeadlineExceeded)
	}
	lane := func(reason queue.Reason) error {
		return &queue.BusyError{Reason: reason, RetryAfter: 1001 * time.Millisecond}
	}
	return map[string]struct {
		err    error
		status int
		code   string
		retry  string
	}{
		"envelope.ErrNotFound":         {fmt.Errorf("order ID: %w", envelope.ErrNotFound), 404, "not_found", ""},
		"envelope.ErrUnknownSet":       {fmt.Errorf("SET 003: %w", envelope.ErrUnknownSet), 404, "not_found", ""},
		"envelope.ErrNotActive":        {envelope.ErrNotActive, 409, "not_active", ""},
		"envelope.ErrPayoutHeld":       {envelope.ErrPayoutHeld, 409, "payout_held", ""},
		"envelope.ErrKeyReused":        {envelope.ErrKeyReused, 422, "key_reused", ""},
		"envelope.ErrTransferConflict": {envelope.ErrTransferConflict, 409, "transfer_conflict", ""},
		"envelope.ErrPaymentMismatch":  {envelope.ErrPaymentMismatch, 409, "payment_mismatch", ""},
		"envelope.ErrUnknownOutcome":   {fmt.Errorf("SET 003: %w", envelope.ErrUnknownOutcome), 504, "outcome_unknown", "1"},
		"envelope.InvalidError":        {&envelope.InvalidError{Field: "count", Why: "must be 1 to 100"}, 400, "invalid_field", ""},
		"envelope.BusyError":           {busy("set_unavailable", 0), 503, "set_unavailable", "1"},
		"envelope.RefusedError":        {fmt.Errorf("payment prepay: %w", &envelope.RefusedError{Status: 403, Code: "RULE_LIMIT", Final: true}), 422, "payment_refused", ""},
		"FS9 a contract that is not":   {&envelope.RefusedError{Status: 403, Code: "NO_AUTH", Final: true, Setup: true}, 503, "payment_setup", "60"},
		"FS9 our account is short":     {fmt.Errorf("%w: %w", busy("payment_funds", time.Minute), &envelope.RefusedError{Status: 403, Code: "NOT_ENOUGH"}), 503, "payment_funds", "60"},
		"FS9 an unknown code":          {fmt.Errorf("%w: %w", envelope.ErrUnknownOutcome, &envelope.RefusedError{Status: 400, Code: "NEVER_SEEN"}), 504, "outcome_unknown", "1"},
		"contended":                    {busy("envelope_contended", 200*time.Millisecond), 429, "envelope_contended", "1"},
		"no SET":                       {busy("no_set_available", time.Second), 503, "no_set_available", "1"},
		"too few homes of a key":       {busy("send_unconfirmed", time.Second), 503, "send_unconfirmed", "1"},
		"day not ready":                {busy("day_not_ready", 90*time.Second), 503, "day_not_ready", "90"},
		"a reason without a row":       {busy("moon_phase", -time.Hour), 503, "busy", "1"},
		"queue.ErrUnknown":             {fmt.Errorf("%w: %w", queue.ErrUnknown, &queue.BusyError{}), 504, "outcome_unknown", "1"},
		"queue.ErrClosed":              {queue.ErrClosed, 503, "draining", "1"},
		"queue.BusyError":              {lane(queue.ReasonQueueFull), 429, "queue_full", "2"},
		"over cap":                     {lane(queue.ReasonOverCap), 429, "over_cap", "2"},
		"draining":                     {lane(queue.ReasonDraining), 503, "draining", "2"},
		"overloaded":                   {lane(queue.ReasonOverloaded), 503, "overloaded", "2"},
		"cpu":                          {lane(queue.ReasonCPU), 503, "cpu", "2"},
		"lane full":                    {lane(queue.ReasonLaneFull), 503, "lane_full", "2"},
		"expired in the queue":         {lane(queue.ReasonExpired), 503, "expired", "2"},
		"database slow":                {lane(queue.ReasonDatabaseSlow), 503, "database_slow", "2"},
		"database down":                {lane(queue.ReasonDatabaseDown), 503, "database_down", "2"},
		"gate full":                    {lane(queue.ReasonGateFull), 503, "gate_full", "2"},
		"our deadline":                 {context.DeadlineExceeded, 504, "outcome_unknown", "1"},
		"canceled":                     {fmt.Errorf("read: %w", context.Canceled), 504, "outcome_unknown", "1"},
		"anything else":                {errStubInternal, 500, "internal", ""},
	}
}

func TestEveryErrorHasItsAnswer(t *testing.T) {
	for name, tt := range answers() {
		a, _ := newAPI(t, &stubTeller{err: tt.err})
		// The callback's own codes are answered in the provider's words: notify_test.go.
		path, method := "/v1/envelopes/"+string(someID())+"/open", "POST"
		if tt.code == "key_reused" || strings.HasPrefix(tt.code, "payment_") {
			path = "/v1/envelopes"
		}
		if tt.code == "payment_mismatch" || tt.code == "transfer_conflict" {
			r := classify(tt.err)
			if got := a.problems.row(r.code); got.status != tt.status || got.code != tt.code || !got.callback {
				t.Errorf("%s: %d %s, want %d %s", name, got.status, got.code, tt.status, tt.code)
			}
			continue
		}
		body := ""
		if path == "/v1/envelopes" {
			body = lucky
		}
		res, answer := do(t, a, request(t, method, path, body))
		var p struct {
			Code, Type, Field, Rule string
			Status                  int
			Retryable               bool
		}
		if err := json.Unmarshal([]byte(answer), &p); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if res.StatusCode != tt.status || p.Status != tt.status || p.Code != tt.code || p.Type != "urn:hongbao:problem:"+tt.code {
			t.Errorf("%s: %d %s, want %d %s", name, res.StatusCode, answer, tt.status, tt.code)
		}
		if got := res.Header.Get("Retry-After"); got != tt.retry || p.Retryable != (tt.retry != "") {
			t.Errorf("%s: Retry-After %q, retryable %v; want %q", name, got, p.Retryable, tt.retry)
		}
		if tt.code == "invalid_field" && (p.Field != "count" || p.Rule != "must be 1 to 100") {
			t.Errorf("%s: %s names another field or rule", name, answer)
		}
	}
}

// TestEveryErrorOfTheDomainIsInTheTable reads the packages whose errors reach
// us: a new sentinel there must get an answer here.
func TestEveryErrorOfTheDomainIsInTheTable(t *testing.T) {
	table := answers()
	for file, pkg := range map[string]string{"../../envelope/errors.go": "envelope", "../../queue/busy.go": "queue"} {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for name, object := range parsed.Scope.Objects {
			if object.Kind == ast.Var && strings.HasPrefix(name, "Err") || object.Kind == ast.Typ && strings.HasSuffix(name, "Error") {
				found++
				if _, ok := table[pkg+"."+name]; !ok {
					t.Errorf("%s.%s has no answer", pkg, name)
				}
			}
		}
		if found < 2 {
			t.Errorf("%s: found %d errors; the test looks in the wrong place", file, found)
		}
	}
}

func TestTheTableIsConsistent(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range problems() {
		if seen[p.code] || !regexp.MustCompile(`^[a-z_]+$`).MatchString(p.code) {
			t.Errorf("code %q: twice, or not snake_case", p.code)
		}
		seen[p.code] = true
		if http.StatusText(p.status) == "" || p.status < 400 || p.title == "" {
			t.Errorf("%s: status %d, title %q", p.code, p.status, p.title)
		}
		if busy := p.status == 429 || p.status == 503 || p.status == 504 || p.status == 408; busy != p.retryable {
			t.Errorf("%s: status %d and retryable %v contradict each other", p.code, p.status, p.retryable)
		}
	}
	for _, r := range []*refusal{errBodyUnreadable, errBodyNotAllowed, errBodyTimeout, errBodyTooLarge, errQueryNotAllowed,
		errNoSuchPath, errMethodNotAllowed, errMediaType, errForged, errUnknownOrder} {
		if !seen[r.code] {
			t.Errorf("refusal %v has no row", r)
		}
	}
	for _, err := range []error{&bearer.Error{}, bearer.Lacking(bearer.ScopeOpen)} {
		if r := classify(err); !seen[r.code] || r.code == codeInternal {
			t.Errorf("%v is answered as %s", err, r.code)
		}
	}
}

// FH15.
func TestAFaultIsOpaqueAndWholeInTheLog(t *testing.T) {
	id := string(someID())
	for name, teller := range map[string]*stubTeller{
		"error": {err: errStubInternal},
		"panic": {hold: func(context.Context) { panic(errStubInternal) }},
	} {
		for _, r := range []*http.Request{
			request(t, "POST", "/v1/envelopes", lucky), request(t, "GET", "/v1/envelopes/"+id, ""),
			request(t, "POST", "/v1/envelopes/"+id+"/grab", ""), request(t, "POST", "/v1/envelopes/"+id+"/open", ""),
			request(t, "POST", "/v1/payment/notifications", "paid"),
		} {
			a, logged := newAPI(t, teller)
			if r.URL.Path == "/v1/payment/notifications" && name == "panic" {
				continue // answered as a problem; the provider goes by the status alone
			}
			res, body := do(t, a, r)
			if res.StatusCode != http.StatusInternalServerError {
				t.Errorf("%s on %s: %d, want 500", name, r.URL.Path, res.StatusCode)
			}
			if leak := regexp.MustCompile(`(?i)select|sql|tcp|\.go|/srv|goroutine|panic`).FindString(body); leak != "" {
				t.Errorf("%s on %s: the answer says %q: %s", name, r.URL.Path, leak, body)
			}
			var p struct {
				RequestID string `json:"request_id"`
			}
			if err := json.Unmarshal([]byte(body), &p); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(logged.String(), errStubInternal.Error()) || !strings.Contains(logged.String(), p.RequestID) {
				t.Errorf("%s on %s: the log lacks the error or the request_id %q: %s", name, r.URL.Path, p.RequestID, logged)
			}
			if strings.Contains(logged.String(), "Bearer") || strings.Contains(logged.String(), "total_fen") {
				t.Errorf("%s on %s: the log has parts of the request: %s", name, r.URL.Path, logged)
			}
		}
	}
}

func TestALatePanicAbortsTheConnection(t *testing.T) {
	a, logged := newAPI(t, &stubTeller{})
	a.engine.GET("/half", func(c *gin.Context) {
		write(c, http.StatusOK, typeJSON, []byte(`{"outcome":"ope`))
		panic("half way")
	})
	defer func() {
		if p := recover(); p != http.ErrAbortHandler || !strings.Contains(logged.String(), "half way") {
			t.Errorf("panicked with %v, log %q; want the connection aborted and the panic logged", p, logged)
		}
	}()
	a.Public().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/half", nil))
}

// FH11.
func TestTheAccessLogNamesTheRouteAlone(t *testing.T) {
	var logged strings.Builder
	debug := slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	a, err := New(stubConfig(t, &stubTeller{outcome: envelope.Openable}, debug))
	if err != nil {
		t.Fatal(err)
	}
	do(t, a, call(t, "grab", "Envelope-Ticket", "s3cr3t\nlevel=ERROR"))
	line := logged.String()
	if !strings.Contains(line, `method=POST route=/v1/envelopes/:id/grab status=200 bytes=22`) {
		t.Errorf("log: %s", line)
	}
	for _, word := range []string{"alice", "s3cr3t", string(someID()), "ey"} {
		if strings.Contains(line, word) {
			t.Errorf("the log names %q: %s", word, line)
		}
	}
}

func TestAnUnknownOutcomeOfOursIsLogged(t *testing.T) {
	a, logged := newAPI(t, &stubTeller{err: fmt.Errorf("commit: %w", queue.ErrUnknown)})
	do(t, a, request(t, "POST", "/v1/envelopes/"+string(someID())+"/open", ""))
	if !strings.Contains(logged.String(), "commit: outcome unknown") {
		t.Errorf("log: %q", logged)
	}
	a, logged = newAPI(t, &stubTeller{err: context.Canceled})
	gone, leave := context.WithCancelCause(t.Context())
	leave(errors.New("the caller left"))
	do(t, a, request(t, "POST", "/v1/envelopes/"+string(someID())+"/open", "").WithContext(gone))
	if logged.Len() > 0 {
		t.Errorf("a caller who left is in the log: %s", logged)
	}
}
