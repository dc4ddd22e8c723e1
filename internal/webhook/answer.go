package webhook

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"hongbao/envelope"
)

// ErrGone says that the endpoint wants no more events (410).
var ErrGone = errors.New("the endpoint is gone")

// How long an endpoint may ask to be left alone. Less than the least would be no
// pause, and more than the most would outlive the reason.
const (
	retryAfterMin = time.Second
	retryAfterMax = 10 * time.Minute
)

// statusError is any answer that is not a yes.
type statusError int

func (e statusError) Error() string {
	return fmt.Sprintf("the endpoint answers %d %s", int(e), http.StatusText(int(e)))
}

// judge says what the status of an answer means.
func judge(res *http.Response, now time.Time) error {
	refused := statusError(res.StatusCode)
	switch {
	case res.StatusCode >= 200 && res.StatusCode < 300:
		return nil
	case res.StatusCode == http.StatusGone:
		return fmt.Errorf("%w: %w", ErrGone, refused)
	case res.StatusCode == http.StatusTooManyRequests || res.StatusCode == http.StatusServiceUnavailable:
		if wait, ok := retryAfter(res.Header.Get("Retry-After"), now); ok {
			return fmt.Errorf("%w: %w", &envelope.BusyError{Reason: envelope.ReasonEventEndpoint, RetryAfter: wait}, refused)
		}
	}
	return refused
}

// retryAfter reads seconds or a date.
func retryAfter(value string, now time.Time) (time.Duration, bool) {
	var wait time.Duration
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = at.Sub(now)
	} else {
		return 0, false
	}
	return min(max(wait, retryAfterMin), retryAfterMax), true
}
