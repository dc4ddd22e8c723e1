package settings_test

import (
	"strings"
	"testing"
)

func TestAnIntegerIsDecimalDigits(t *testing.T) {
	d := newDeployment(t)
	sections := map[string]func(value string) func(string) string{
		"listen.connections_max": func(v string) func(string) string {
			return func(s string) string {
				return strings.Replace(s, "listen:\n", "listen:\n    connections_max: "+v+"\n", 1)
			}
		},
		"limits.share_min_fen": func(v string) func(string) string {
			return func(s string) string { return limitsOf(s, "share_min_fen: "+v) }
		},
		"sets[0].machine_block": func(v string) func(string) string {
			return func(s string) string { return replaceValue(s, "machine_block: ", v) }
		},
		"keys.ticket_number": func(v string) func(string) string {
			return func(s string) string { return replaceValue(s, "ticket_number: ", v) }
		},
	}
	for key, with := range sections {
		for _, value := range []string{"1.5", "1e3", "1.0", "0x10", "0o7", "0b1", "010", "1_000", "+1", "true", `"5"`, "'5'", ".inf", "five", "9223372036854775808", "!!int \"5\"", "2020-01-01"} {
			err := d.loadText(t, with(value))
			wantError(t, key+": "+value, err, key+": want a whole number in decimal digits, have ")
			if err != nil && strings.Contains(err.Error(), "cannot unmarshal") {
				t.Errorf("%s: %s is said twice: %v", key, value, err)
			}
		}
	}
	for key, value := range map[string]string{"listen.connections_max": "1000", "limits.share_min_fen": "12", "sets[0].machine_block": "5", "keys.ticket_number": "7"} {
		if err := d.loadText(t, sections[key](value)); err != nil {
			t.Errorf("%s: %s: %v", key, value, err)
		}
	}
	// What is no integer is read as ever.
	wantError(t, "a life without a unit", d.loadText(t, func(s string) string { return limitsOf(s, "life: 1.5") }), "cannot unmarshal")
	if err := d.loadText(t, func(s string) string { return limitsOf(s, "life: 1.5h") }); err != nil {
		t.Error(err)
	}
}

// limitsOf is the file with other limits.
func limitsOf(text, limits string) string {
	before, after, _ := strings.Cut(text, "limits:\n")
	for strings.HasPrefix(after, " ") {
		_, after, _ = strings.Cut(after, "\n")
	}
	return before + "limits: {" + limits + "}\n" + after
}

// replaceValue changes the first value of a key.
func replaceValue(text, key, value string) string {
	before, after, _ := strings.Cut(text, key)
	_, rest, _ := strings.Cut(after, "\n")
	return before + key + value + "\n" + rest
}
