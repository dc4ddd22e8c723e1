package payment

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"hongbao/envelope"
)

const (
	// attemptsMax bounds how often one call is sent. More would only pile load
	// onto a provider that is down; the caller comes back later.
	attemptsMax = 3
	// backoffFirst doubles with every attempt; the wait is between half and the
	// whole of it, so that callers that failed together do not return together.
	backoffFirst = 100 * time.Millisecond
	// retryAfterOutage is what a caller is told while the provider is out.
	retryAfterOutage = 2 * time.Second
	// messageBytesMax bounds how much of the provider's prose enters an error.
	messageBytesMax = 256
	codeSystemError = "SYSTEM_ERROR"
)

// RefusedError is a final no of the provider: repeating the call gets the same.
type RefusedError struct {
	Status  int    // HTTP
	Code    string // the provider's
	Message string // the provider's, for people
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("the provider answers %d %q: %q", e.Status, e.Code, e.Message)
}

// final lists the codes that say: this request never takes effect, however often
// it is sent. A code that is not here means unknown, not failed (FG5).
func final(code string) bool {
	switch code {
	case "PARAM_ERROR", "INVALID_REQUEST", "SIGN_ERROR", "NO_AUTH", "RULE_LIMIT", "ACCOUNT_ERROR",
		"MCH_NOT_EXISTS", "APPID_MCHID_NOT_MATCH", "OUT_TRADE_NO_USED", "ORDER_CLOSED":
		return true
	}
	return false
}

// send makes the call, repeats it while the provider is out, and returns the
// body of a verified success. Otherwise the error is a [envelope.BusyError], an
// [envelope.ErrUnknownOutcome], what the call's own code means, or a final
// [RefusedError].
func (c *Client) send(ctx context.Context, q call) ([]byte, error) {
	for attempt := 1; ; attempt++ {
		a, err := c.attempt(ctx, q)
		if err == nil && !a.transient() || attempt == attemptsMax || !pause(ctx, attempt) {
			body, err := settle(ctx, q, a, err)
			if err != nil {
				return nil, fmt.Errorf("payment %s: %w", q.name, err)
			}
			return body, nil
		}
	}
}

// transient reports whether the provider is having trouble of its own. It is
// asked of unsigned answers too: a proxy's 502 is worth a repeat, though at the
// end it stays unknown.
func (a *answer) transient() bool {
	return a.status >= http.StatusInternalServerError || a.status >= http.StatusBadRequest && refusal(a).Code == codeSystemError
}

// pause waits before the next attempt, and reports whether there is time for it.
func pause(ctx context.Context, attempt int) bool {
	longest := backoffFirst << (attempt - 1)
	timer := time.NewTimer(longest/2 + rand.N(longest/2))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// settle says what the last attempt means.
func settle(ctx context.Context, q call, a answer, err error) ([]byte, error) {
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, fmt.Errorf("%w: the caller left: %w", envelope.ErrUnknownOutcome, err)
	case err != nil:
		return nil, outage(err)
	case a.stamp != nil:
		return nil, fmt.Errorf("%w: an answer %d that does not verify: %w", envelope.ErrUnknownOutcome, a.status, a.stamp)
	case a.status == http.StatusOK || a.status == http.StatusNoContent:
		return a.body, nil
	}
	refused := refusal(&a)
	switch {
	case a.transient() || a.status == http.StatusTooManyRequests:
		return nil, outage(refused)
	case refused.Code == q.code:
		return nil, q.means
	case final(refused.Code):
		return nil, refused
	}
	return nil, fmt.Errorf("%w: %w", envelope.ErrUnknownOutcome, refused)
}

func outage(cause error) error {
	return fmt.Errorf("%w: %w", &envelope.BusyError{Reason: "payment_provider", RetryAfter: retryAfterOutage}, cause)
}

// refusal reads {"code", "message"}. A body that has none is an unknown code.
func refusal(a *answer) *RefusedError {
	var body struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal(a.body, &body); err != nil {
		return &RefusedError{Status: a.status}
	}
	return &RefusedError{Status: a.status, Code: cut(body.Code, messageBytesMax), Message: cut(body.Message, messageBytesMax)}
}

// cut shortens s to at most n bytes of valid UTF-8, never inside a rune.
func cut(s string, n int) string {
	s = strings.ToValidUTF8(s, "")
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 { // a continuation byte
		n--
	}
	return s[:n]
}
