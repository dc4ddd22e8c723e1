package envelope

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// wantInvalid holds an error to be an InvalidError of a field with a rule.
func wantInvalid(t rapid.TB, err error, field, why string) {
	t.Helper()
	var invalid *InvalidError
	switch {
	case !errors.As(err, &invalid):
		t.Errorf("have error %v, want an InvalidError of %s", err, field)
	case invalid.Field != field || !strings.Contains(invalid.Why, why):
		t.Errorf("have %s: %s\nwant %s: …%s…", invalid.Field, invalid.Why, field, why)
	}
}

func TestARefusalNamesTheFieldAndTheRule(t *testing.T) {
	err := invalid("count", "must be 1 to %d", 100)
	wantInvalid(t, fmt.Errorf("send: %w", err), "count", "must be 1 to 100")
	if got := err.Error(); got != "count: must be 1 to 100" {
		t.Errorf("have %q", got)
	}
}

func TestBusySaysWhyAndForHowLong(t *testing.T) {
	err := error(&BusyError{Reason: "lane_full", RetryAfter: 1500 * time.Millisecond})
	if got := err.Error(); got != "busy: lane_full, retry after 1.5s" {
		t.Errorf("have %q", got)
	}
	if !isBusy(fmt.Errorf("SET 003: %w", err)) || isBusy(ErrUnknownOutcome) || isBusy(nil) {
		t.Error("busy is not told from what is not")
	}
}
