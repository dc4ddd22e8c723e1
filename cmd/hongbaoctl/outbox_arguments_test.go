package main

import (
	"strings"
	"testing"
)

func TestArgumentsAreCheckedBeforeAnythingIsCalled(t *testing.T) {
	validID := validOrderID(t)
	for name, c := range map[string]struct {
		good, bad []interface{ Validate() error }
	}{
		"topics": {
			[]interface{ Validate() error }{topic("outbox"), topic("transfer"), deliveryTopic("charge"), deliveryTopic("event")},
			[]interface{ Validate() error }{topic(""), topic("Event"), topic("event "), deliveryTopic("transfer"), deliveryTopic("")},
		},
		"numbers": {
			[]interface{ Validate() error }{orderID(validID), transferNo(validID + "R"), transferNo(validID + "P001X2")},
			[]interface{ Validate() error }{orderID(""), orderID(validID[1:]), orderID(validID + "/"), transferNo(validID), transferNo(validID + "P1"),
				transferNo(validID + "R/../../outbox"), transferNo(validID + "P001X1"), transferNo(validID + "P501")},
		},
		"people": {
			[]interface{ Validate() error }{person("ann"), person(strings.Repeat("x", 64))},
			[]interface{ Validate() error }{person(""), person("a b"), person("安"), person(strings.Repeat("x", 65)), person("a\n")},
		},
		"reasons": {
			[]interface{ Validate() error }{reason(""), reason("the bank's holiday"), reason(strings.Repeat("封", 255))},
			[]interface{ Validate() error }{reason(strings.Repeat("x", 256)), reason("\x1b[31m"), reason("\xff"), reason("two\nlines")},
		},
	} {
		for _, v := range c.good {
			if err := v.Validate(); err != nil {
				t.Errorf("%s: %q: %v", name, v, err)
			}
		}
		for _, v := range c.bad {
			if err := v.Validate(); err == nil || err.Error() == "" {
				t.Errorf("%s: %q was taken", name, v)
			}
		}
	}
}

// validOrderID is one whose last digit is that of its body.
func validOrderID(t *testing.T) string {
	t.Helper()
	for digit := range 10 {
		if id := "0123456789012345678003" + string(rune('0'+digit)); orderID(id).Validate() == nil {
			return id
		}
	}
	t.Fatal("no digit fits the body")
	return ""
}

func TestATerminalObeysNothingThatStrangersWrote(t *testing.T) {
	for in, want := range map[string]string{
		"余额不足 12.00": "余额不足 12.00", "\x1b[2Jgone": "\ufffd[2Jgone", "a\rb\nc\u202ed": "a\ufffdb\ufffdc\ufffdd", "\xff": "\ufffd",
	} {
		if got := printable(in); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
}

func TestAgesAreShort(t *testing.T) {
	for ms, want := range map[int64]string{0: "", 250: "250ms", 1499: "1s", 90_061_000: "25h1m1s"} {
		if got := age(ms); got != want {
			t.Errorf("%d ms: %q, want %q", ms, got, want)
		}
	}
}
