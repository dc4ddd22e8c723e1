package operator

import (
	"strings"
	"testing"
)

func TestTypesOfParametersHoldTheirRules(t *testing.T) {
	validID := string(someID)
	for name, c := range map[string]struct {
		good, bad []interface{ Validate() error }
	}{
		"topics": {
			[]interface{ Validate() error }{Topic("outbox"), Topic("transfer"), DeliveryTopic("charge"), DeliveryTopic("event")},
			[]interface{ Validate() error }{Topic(""), Topic("Event"), Topic("event "), DeliveryTopic("transfer"), DeliveryTopic("")},
		},
		"numbers": {
			[]interface{ Validate() error }{OrderID(validID), TransferNo(validID + "R"), TransferNo(validID + "P001X2"), BatchNo("B" + validID + "P001"), StuckNo(validID + "R"), StuckNo("B" + validID + "P500X9")},
			[]interface{ Validate() error }{OrderID(""), OrderID(validID[1:]), OrderID(validID + "/"), TransferNo(validID), TransferNo(validID + "P1"), BatchNo(validID + "P001"), BatchNo("B" + validID + "R"), StuckNo(""), StuckNo("B" + validID),
				TransferNo(validID + "R/../../outbox"), TransferNo(validID + "P001X1"), TransferNo(validID + "P501")},
		},
		"people": {
			[]interface{ Validate() error }{Person("ann"), Person(strings.Repeat("x", 64))},
			[]interface{ Validate() error }{Person(""), Person("a b"), Person("安"), Person(strings.Repeat("x", 65)), Person("a\n")},
		},
		"reasons": {
			[]interface{ Validate() error }{Reason(""), Reason("the bank's holiday"), Reason(strings.Repeat("封", 255))},
			[]interface{ Validate() error }{Reason(strings.Repeat("x", 256)), Reason("\x1b[31m"), Reason("\xff"), Reason("two\nlines")},
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
