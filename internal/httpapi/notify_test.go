package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"hongbao/envelope"
)

// FF9.
func TestOnlyATakenPaymentIsAcknowledged(t *testing.T) {
	const path = "/v1/payment/notifications"
	for name, tt := range map[string]struct {
		body   string
		paid   error
		status int
		logged string
	}{
		"paid, or a repeat":     {"paid", nil, 204, ""},
		"nothing to do":         {"refund", envelope.ErrNotFound, 204, ""},
		"forged":                {"anything", nil, 401, "serial 5C3B"},
		"empty":                 {"", nil, 401, "serial 5C3B"},
		"not about ours":        {"not ours", nil, 404, "code=not_ours"},
		"makes no sense":        {"unreadable", nil, 400, "code=unreadable_notification"},
		"before our commit":     {"paid", envelope.ErrNotFound, 404, "no such envelope"},
		"another amount":        {"paid", fmt.Errorf("101 fen, want 100: %w", envelope.ErrPaymentMismatch), 409, "101 fen"},
		"done, then refused":    {"paid", fmt.Errorf("posted, and now refused: %w", envelope.ErrTransferConflict), 409, "and now refused"},
		"our SET is down":       {"paid", &envelope.BusyError{Reason: "set_unavailable", RetryAfter: time.Second}, 503, ""},
		"our commit is unknown": {"paid", envelope.ErrUnknownOutcome, 504, "not known yet"},
		"our fault":             {"paid", errStubInternal, 500, "tx.go:17"},
	} {
		teller := &stubTeller{err: tt.paid}
		a, logged := newAPI(t, teller)
		res, body := do(t, a, request(t, "POST", path, tt.body, "Authorization", ""))
		if res.StatusCode != tt.status || (tt.status == 204) != (body == "") {
			t.Errorf("%s: %d %s, want %d", name, res.StatusCode, body, tt.status)
		}
		if tt.logged == "" && logged.Len() > 0 || !strings.Contains(logged.String(), tt.logged) {
			t.Errorf("%s: log %q, want %q", name, logged, tt.logged)
		}
		if strings.Contains(logged.String(), "forged") && tt.status != 401 {
			t.Errorf("%s: logged as forged: %s", name, logged)
		}
		if took := teller.calls > 0; took != (tt.body == "paid") {
			t.Errorf("%s: the teller was called: %v", name, took)
		}
		if strings.Contains(body, "serial") || strings.Contains(body, ".go") || strings.Contains(body, "else") || strings.Contains(body, "success_time") || strings.Contains(body, "101") {
			t.Errorf("%s: the answer says too much: %s", name, body)
		}
	}
}

// FF10.
func TestForgeriesDoNotFloodTheLog(t *testing.T) {
	a, logged := newAPI(t, &stubTeller{})
	now := noon()
	a.cfg.Now = func() time.Time { return now }
	for range 100 {
		do(t, a, request(t, "POST", "/v1/payment/notifications", "x", "Authorization", ""))
	}
	now = now.Add(time.Second)
	do(t, a, request(t, "POST", "/v1/payment/notifications", "x", "Authorization", ""))
	if lines := strings.Count(logged.String(), "\n"); lines != 2 {
		t.Errorf("%d lines in two seconds, want 2: %s", lines, logged)
	}
}

// FF8.
func TestNotificationsAreAnsweredInTime(t *testing.T) {
	a, _ := newAPI(t, &stubTeller{})
	a.cfg.AnswerMax = 50 * time.Millisecond
	a.cfg.Notified = func(ctx context.Context, _ http.Header, _ []byte) error {
		<-ctx.Done() // a database that does not answer
		return ctx.Err()
	}
	start := time.Now()
	res, body := do(t, a, request(t, "POST", "/v1/payment/notifications", "paid", "Authorization", ""))
	const patience = 5 * time.Second
	if took := time.Since(start); res.StatusCode != http.StatusGatewayTimeout || took >= patience {
		t.Errorf("%d %s after %v, want 504 so that it is sent again, before %v", res.StatusCode, body, took, patience)
	}
	if DefaultAnswerMax >= patience {
		t.Errorf("by default a notification may take %v, the provider waits %v", DefaultAnswerMax, patience)
	}
}
