package httpapi

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"hongbao/envelope"
	"hongbao/internal/httpapi/bearer"
	"hongbao/queue"
)

// A problem is one row of the one table between errors and HTTP (RFC 9457). Its
// code is stable: clients match on it.
type problem struct {
	code      string
	status    int
	title     string
	retryable bool   // the same request may pass later, unchanged
	callback  bool   // only the provider's callback is refused so, in the provider's words
	operator  bool   // only the operator's listener refuses so
	head      []byte // marshalled: the body without what only one request has, left open
}

// Codes that more than the table needs.
const (
	codeInternal        = "internal"
	codeBusy            = "busy" // a busy reason that the table does not know
	codeOutcomeUnknown  = "outcome_unknown"
	codeInvalidField    = "invalid_field"
	codeInvalidJSON     = "invalid_json"
	codeUnauthenticated = "unauthenticated"
	codeScope           = "insufficient_scope"
	codePaymentRefused  = "payment_refused"
	codePaymentSetup    = "payment_setup"
	codeHost            = "host_not_allowed"
	codeCrossOrigin     = "cross_origin"
	codeRuleForbids     = "rule_forbids"
	codeNotReady        = "not_ready"
)

const (
	bad         = http.StatusBadRequest
	tooMany     = http.StatusTooManyRequests
	unavailable = http.StatusServiceUnavailable
)

// problems is the table.
func problems() []problem { return slices.Concat(ownProblems(), refusals(), busyProblems()) }

// refusals are the rows of what is not said of a moment, and of what is not known.
func refusals() []problem {
	no := func(code string, status int, title string) problem {
		return problem{code: code, status: status, title: title}
	}
	notNow := func(code string, status int, title string) problem {
		return problem{code: code, status: status, title: title, retryable: true}
	}
	callback := func(code string, status int, title string) problem {
		return problem{code: code, status: status, title: title, callback: true}
	}
	operator := func(code string, status int, title string) problem {
		return problem{code: code, status: status, title: title, operator: true}
	}
	return []problem{
		no(codeInvalidField, bad, "A field breaks a rule."),
		no(codeInvalidJSON, bad, "The body is not one JSON object in valid UTF-8."),
		no("body_unreadable", bad, "The body ended early or is framed wrongly."),
		no("body_not_allowed", bad, "This call takes no body."),
		no("query_not_allowed", bad, "This call takes no query parameters."),
		no(codeUnauthenticated, http.StatusUnauthorized, "A valid bearer token is required."),
		no(codeScope, http.StatusForbidden, "The token's scope does not cover this call."),
		no("not_found", http.StatusNotFound, "There is no such envelope, or it is not for the caller."),
		no("no_such_path", http.StatusNotFound, "Nothing is served here; /openapi.json lists what is."),
		no("method_not_allowed", http.StatusMethodNotAllowed, "The Allow header lists the methods of this path."),
		notNow("body_timeout", http.StatusRequestTimeout, "The body did not arrive in time."),
		no("not_active", http.StatusConflict, "Nobody has paid for the envelope."),
		no("payout_held", http.StatusConflict, "The payout does not go on before people of the service have acted."),
		no("body_too_large", http.StatusRequestEntityTooLarge, "The body exceeds the bound of this call."),
		no("unsupported_media_type", http.StatusUnsupportedMediaType, "The body must be application/json, in no content coding."),
		no("key_reused", http.StatusUnprocessableEntity, "The Idempotency-Key came before with a different request."),
		no(codePaymentRefused, http.StatusUnprocessableEntity, "The payment provider refuses to charge for this; the same request is refused again."),
		callback("forged_notification", http.StatusUnauthorized, "The notification is not the provider's."),
		callback("not_ours", http.StatusNotFound, "The number is not one of ours."),
		callback("unreadable_notification", bad, "The notification cannot be understood."),
		callback("unknown_order", http.StatusNotFound, "No envelope asks for this payment."),
		callback("payment_mismatch", http.StatusConflict, "The payment is not the one the envelope asks for."),
		callback("transfer_conflict", http.StatusConflict, "The transfer is recorded otherwise."),

		operator(codeHost, http.StatusForbidden, "The Host header names no host of this listener."),
		operator(codeCrossOrigin, http.StatusForbidden, "A page of another origin may not call this."),
		operator(codeRuleForbids, http.StatusUnprocessableEntity, "A rule forbids it as things stand."),
		{code: codeNotReady, status: unavailable, title: "This process should be sent no requests now.", retryable: true, operator: true},
		notNow(codeOutcomeUnknown, http.StatusGatewayTimeout, "The outcome is not known yet; ask again with the same request."),
		no(codeInternal, http.StatusInternalServerError, "The fault is ours; request_id finds it in the log."),
	}
}

// A refusal is a refused request as the table sees it: a code, and what only
// this request has. Its strings name rules, never the caller's values.
type refusal struct {
	code       string
	detail     string
	field      string // with codeInvalidField
	rule       string // with codeInvalidField
	challenge  string // WWW-Authenticate
	requestID  string // with codeInternal
	retryAfter time.Duration
}

func (r *refusal) Error() string {
	if r.detail == "" {
		return r.code
	}
	return r.code + ": " + r.detail
}

// What HTTP itself refuses. The table's rows have the words.
var (
	errBodyUnreadable   = &refusal{code: "body_unreadable"}
	errFramedTwice      = &refusal{code: "body_unreadable", detail: "Transfer-Encoding beside Content-Length, or in HTTP/1.0"}
	errPipelinedChunks  = &refusal{code: "body_unreadable", detail: "a request in chunks must not be pipelined"}
	errBodyNotAllowed   = &refusal{code: "body_not_allowed"}
	errBodyTimeout      = &refusal{code: "body_timeout"}
	errBodyTooLarge     = &refusal{code: "body_too_large"}
	errQueryNotAllowed  = &refusal{code: "query_not_allowed"}
	errNoSuchPath       = &refusal{code: "no_such_path"}
	errMethodNotAllowed = &refusal{code: "method_not_allowed"}
	errMediaType        = &refusal{code: "unsupported_media_type", detail: "Content-Type must be application/json, once, in UTF-8"}
	errContentCoding    = &refusal{code: "unsupported_media_type", detail: "Content-Encoding must be absent or identity"}
	errForged           = &refusal{code: "forged_notification"}
	errNotOurs          = &refusal{code: "not_ours"}
	errUnreadableNotice = &refusal{code: "unreadable_notification"}
	errUnknownOrder     = &refusal{code: "unknown_order"}
)

// retryAfterPeople is when to ask again for what people have to put right first.
const retryAfterPeople = time.Minute

// retryAfterDefault is when to ask again where the error does not say.
const retryAfterDefault = time.Second

// classify finds the row of an error. Unknown comes before busy: an error that
// is both must not promise that nothing happened.
func classify(err error) refusal {
	if errors.Is(err, envelope.ErrUnknownOutcome) || errors.Is(err, queue.ErrUnknown) {
		return refusal{code: codeOutcomeUnknown, retryAfter: retryAfterDefault}
	}
	if busy, ok := errors.AsType[*queue.BusyError](err); ok {
		return refusal{code: string(busy.Reason), retryAfter: busy.RetryAfter}
	}
	if busy, ok := errors.AsType[*envelope.BusyError](err); ok {
		return refusal{code: string(busy.Reason), retryAfter: busy.RetryAfter}
	}
	if errors.Is(err, queue.ErrClosed) {
		return refusal{code: string(queue.ReasonDraining), retryAfter: retryAfterDefault}
	}
	if r, ok := errors.AsType[*refusal](err); ok {
		return *r
	}
	if bad, ok := errors.AsType[*bearer.Error](err); ok {
		return unauthorized(bad)
	}
	if invalid, ok := errors.AsType[*envelope.InvalidError](err); ok {
		return refusal{code: codeInvalidField, field: invalid.Field, rule: invalid.Why}
	}
	if refused, ok := errors.AsType[*envelope.RefusedError](err); ok {
		if refused.Setup {
			return refusal{code: codePaymentSetup, retryAfter: retryAfterPeople}
		}
		return refusal{code: codePaymentRefused}
	}
	switch {
	case errors.Is(err, envelope.ErrNotFound):
		return refusal{code: "not_found"}
	case errors.Is(err, envelope.ErrNotActive):
		return refusal{code: "not_active"}
	case errors.Is(err, envelope.ErrPayoutHeld):
		return refusal{code: "payout_held"}
	case errors.Is(err, envelope.ErrKeyReused):
		return refusal{code: "key_reused"}
	case errors.Is(err, envelope.ErrPaymentMismatch):
		return refusal{code: "payment_mismatch"}
	case errors.Is(err, envelope.ErrTransferConflict):
		return refusal{code: "transfer_conflict"}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		// A call that gave up at its deadline need not have done so in time.
		return refusal{code: codeOutcomeUnknown, retryAfter: retryAfterDefault}
	}
	return refusal{code: codeInternal}
}

// unauthorized is a 401 for a credential that does not count, and a 403 for one
// that does not cover the call.
func unauthorized(e *bearer.Error) refusal {
	code := codeUnauthenticated
	if e.Needs != 0 {
		code = codeScope
	}
	return refusal{code: code, detail: e.Why, challenge: e.Challenge()}
}
