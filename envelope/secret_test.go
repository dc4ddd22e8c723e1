package envelope

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// marker is what every secret of these tests begins with, and what nothing else
// in them contains.
const marker = "Zq7~Zq7~"

// spelled is how the marker shows in output: the ways in which fmt, the loggers,
// JSON and people write bytes.
func spelled(output string) (how string, leaks bool) {
	forms := map[string]string{"plainly": marker, "in base64": base64.StdEncoding.EncodeToString([]byte(marker[:6]))}
	for _, verb := range []string{"%x", "%X", "% x", "%v", "%o", "%b", "%c", "%U", "%t", "%q"} {
		forms["as by "+verb] = strings.Trim(fmt.Sprintf(verb, []byte(marker)), `[]"`)
	}
	forms["as by %#v"] = strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", []byte(marker)), "[]byte{"), "}")
	for how, s := range forms {
		if strings.Contains(output, s) {
			return how, true
		}
	}
	return "", false
}

func verbs() []string {
	return []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%#x", "%d", "%o", "%b", "%c", "%U", "%t"}
}

// TestALeakWouldBeSeen tries the tests below on a key without any protection.
func TestALeakWouldBeSeen(t *testing.T) {
	type bare []byte
	secret := bare(strings.Repeat(marker, 4))
	for _, verb := range verbs() {
		for name, v := range map[string]any{"bare": secret, "a struct": struct{ Key bare }{secret}, "hidden": struct{ key bare }{secret}} {
			if _, leaks := spelled(fmt.Sprintf(verb, v)); !leaks {
				t.Errorf("%s of %s leaks unseen: "+verb, verb, name, v)
			}
		}
	}
	if _, leaks := spelled(string(must(json.Marshal(secret)))); !leaks {
		t.Error("JSON leaks unseen")
	}
}

// holdersOfSecrets are all values that have key material inside.
func holdersOfSecrets(t *testing.T) map[string]any {
	t.Helper()
	secret := []byte(strings.Repeat(marker, 4))
	key := must(NewDrawKey(secret))
	ticket := TicketKey{Number: 1, Secret: secret}
	tickets := must(NewTickets(ticket, TicketKey{Number: 2, Secret: secret}))
	f := &shelf{}
	config := TellerConfig{Placement: f, Provider: f, DrawKey: key, Tickets: tickets, Limits: DefaultLimits(), Now: time.Now}
	teller := must(NewTeller(config))
	return map[string]any{
		"DrawKey": key, "*DrawKey": &key, "a struct with a DrawKey": struct{ Key DrawKey }{key}, "[]DrawKey": []DrawKey{key},
		"TicketKey": ticket, "*TicketKey": &ticket, "a struct with a TicketKey": struct{ Key TicketKey }{ticket}, "[]TicketKey": []TicketKey{ticket},
		"*Tickets": tickets, "Tickets": *tickets, "a struct with Tickets": struct{ T *Tickets }{tickets},
		"a hidden DrawKey": struct{ key DrawKey }{key}, "a hidden *Tickets": struct{ t *Tickets }{tickets}, "a hidden *Teller": struct{ t *Teller }{teller},
		"TellerConfig": config, "*TellerConfig": &config, "*Teller": teller, "Teller": *teller,
	}
}

func TestNoVerbPrintsASecret(t *testing.T) {
	for name, v := range holdersOfSecrets(t) {
		for _, verb := range verbs() {
			if how, leaks := spelled(fmt.Sprintf(verb, v)); leaks {
				t.Errorf("%s of %s prints the secret %s", verb, name, how)
			}
		}
		if how, leaks := spelled(fmt.Errorf("wrapped: %w, %v", errors.New("x"), v).Error()); leaks {
			t.Errorf("an error with %s prints the secret %s", name, how)
		}
	}
}

func TestNoLogAndNoJSONHoldsASecret(t *testing.T) {
	for name, v := range holdersOfSecrets(t) {
		var text, lines bytes.Buffer
		slog.New(slog.NewTextHandler(&text, nil)).Info("x", "value", v)
		slog.New(slog.NewJSONHandler(&lines, nil)).Info("x", "value", v)
		document, _ := json.Marshal(v) // what cannot be marshalled cannot leak
		for where, output := range map[string]string{"text log": text.String(), "JSON log": lines.String(), "JSON": string(document)} {
			if how, leaks := spelled(output); leaks {
				t.Errorf("the %s of %s holds the secret %s", where, name, how)
			}
		}
	}
}

// TestARedactedKeySaysWhatItIs: people who log a key see which one.
func TestARedactedKeySaysWhatItIs(t *testing.T) {
	if got := fmt.Sprint(drawKey()); got != "draw key (redacted)" {
		t.Errorf("have %q", got)
	}
	if got := fmt.Sprint(ticketKey(7)); got != "ticket key 7 (redacted)" {
		t.Errorf("have %q", got)
	}
}
