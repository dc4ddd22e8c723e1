package payment

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
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
	// retryAfterOutage is when a caller may retry while the provider is out.
	retryAfterOutage = 2 * time.Second
	// retryAfterFunds is when a caller may retry while our account at the provider
	// is short: people have to fill it.
	retryAfterFunds = time.Minute
	// messageBytesMax bounds how much of the provider's prose enters an error.
	messageBytesMax = 256

	codeSystemError = "SYSTEM_ERROR"
	codeTooMany     = "FREQUENCY_LIMITED"
	codeNotEnough   = "NOT_ENOUGH"
	codeNoResource  = "RESOURCE_NOT_EXISTS" // of a query: the number; of a refund: the charge
)

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

// setup lists those final codes that are about our requests as such: their form,
// or the contract with the provider. The others are about what one asks for.
func setup(code string) bool {
	switch code {
	case "PARAM_ERROR", "SIGN_ERROR", "NO_AUTH", "MCH_NOT_EXISTS", "APPID_MCHID_NOT_MATCH":
		return true
	}
	return false
}

// send makes the call, repeats it while the provider is out unless it moves
// money, and returns the body of a verified success. Otherwise the error is a
// [envelope.BusyError], an [envelope.ErrUnknownOutcome], what the code means to
// this call, or a final [envelope.RefusedError].
func (c *Client) send(ctx context.Context, q call) ([]byte, error) {
	for attempt := 1; ; attempt++ {
		a, err := c.attempt(ctx, q)
		if err == nil && !a.transient() || q.moves || attempt == attemptsMax || !pause(ctx, attempt) {
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

// ofProxy reports an answer that a proxy in front of the provider gives in its
// place. It is never signed.
func (a *answer) ofProxy() bool {
	return a.status == http.StatusBadGateway || a.status == http.StatusServiceUnavailable || a.status == http.StatusGatewayTimeout
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
	case err != nil && q.moves && !neverSent(err):
		return nil, fmt.Errorf("%w: %w", envelope.ErrUnknownOutcome, err)
	case err != nil:
		return nil, outage(err)
	case a.stamp != nil && !q.moves && a.ofProxy():
		// Nothing was asked that could move money, and the provider is out.
		return nil, outage(fmt.Errorf("an unsigned answer %d: %w", a.status, a.stamp))
	case a.stamp != nil:
		return nil, fmt.Errorf("%w: an answer %d that does not verify: %w", envelope.ErrUnknownOutcome, a.status, a.stamp)
	case a.status == http.StatusOK || a.status == http.StatusNoContent:
		return a.body, nil
	}
	refused := refusal(&a)
	means, answers := q.means[refused.Code]
	tooMany := a.status == http.StatusTooManyRequests || refused.Code == codeTooMany
	switch {
	case q.moves && (a.transient() || tooMany && refused.Code != codeTooMany):
		return nil, fmt.Errorf("%w: %w", envelope.ErrUnknownOutcome, refused)
	case a.transient() || tooMany:
		return nil, outage(refused)
	case answers:
		return nil, means
	case refused.Code == codeNotEnough:
		return nil, fmt.Errorf("%w: %w", &envelope.BusyError{Reason: envelope.ReasonFunds, RetryAfter: retryAfterFunds}, refused)
	case final(refused.Code) || q.moves && (refusesPayee(refused.Code) || refused.Code == codeNoResource):
		return nil, refused
	}
	return nil, fmt.Errorf("%w: %w", envelope.ErrUnknownOutcome, refused)
}

func outage(cause error) error {
	return fmt.Errorf("%w: %w", &envelope.BusyError{Reason: envelope.ReasonProvider, RetryAfter: retryAfterOutage}, cause)
}

// neverSent reports that no connection came about, so the request cannot have taken effect.
func neverSent(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// finalRefusal is the refusal that err is, unless it is only the cause of
// something that is not final.
func finalRefusal(err error) (*envelope.RefusedError, bool) {
	if _, busy := errors.AsType[*envelope.BusyError](err); busy || errors.Is(err, envelope.ErrUnknownOutcome) {
		return nil, false
	}
	return errors.AsType[*envelope.RefusedError](err)
}

// refusal reads {"code", "message"}. A body that has none is an unknown code.
func refusal(a *answer) *envelope.RefusedError {
	var body struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal(a.body, &body); err != nil {
		return &envelope.RefusedError{Status: a.status}
	}
	return &envelope.RefusedError{
		Status: a.status, Code: cut(body.Code, codeBytesMax), Message: cut(body.Message, messageBytesMax),
		Final: final(body.Code) && a.status < http.StatusInternalServerError, Setup: setup(body.Code),
	}
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
