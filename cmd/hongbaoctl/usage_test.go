package main

import (
	"bytes"
	"strings"
	"testing"

	"hongbao/cmd/internal/command"
	"hongbao/internal/operator"
)

// FS34
func TestWrongUsageIsExitTwo(t *testing.T) {
	id := validOrderID(t)
	for line, word := range map[string]string{
		"":                                    "expected one of",
		"outbox":                              "expected one of",
		"nonsense":                            "nonsense",
		"outbox status now":                   "now",
		"outbox status --fast":                "--fast",
		"outbox pause --topic everything":     "--topic",
		"outbox pause --topic=":               "--topic",
		"outbox pause --reason \x1b[31m":      "--reason",
		"outbox retry 123 event":              "<id>",
		"outbox retry " + id + " transfer":    "<topic>",
		"outbox status --as a/b\x7f":          "--as",
		"held release " + id + " --as ann":    "<number>",
		"held release " + id + "R":            "--as",
		"held redirect " + id + "P001":        "--payee",
		"token":                               "--user",
		"token --user a\x00b":                 "--user",
		"token --user ann --scope sent":       "sent",
		"token --user ann --scope SEND":       "SEND",
		"token --user ann --scope send,open":  "send,open",
		"token --user ann --scope send\u00a0": "--scope",
		"token --user ann --ttl 25h":          "--ttl",
		"token --user ann --ttl 0s":           "--ttl",
		"token --user ann --ttl soon":         "--ttl",
		"verify 12":                           "<id>",
		"verify " + id + " --user a\x7f":      "--user",
		"playground up --sets 0":              "--sets",
		"playground up --sets 9":              "--sets",
		"playground up --life 0s":             "--life",
		"playground up --share-min 0":         "--share-min",
		"playground up --events-port 0":       "--events-port",
		"playground up --api-port 80":         "--api-port",
		"playground up --api-port 8081":       "--operator-port",
		"playground up --payouts cash":        "--payouts",
		"load run --duration 0s":              "--duration",
		"load run --rate 0":                   "--rate",
		"load run --rate NaN":                 "--rate",
		"load run --connections 0":            "--connections",
		"load run --scenario cold":            "--scenario",
		"load cell --callers 0":               "--callers",
		"load cell --rounds 101":              "--rounds",
		"load storm --hurry 0":                "--hurry",
		"load soak --lies 0.5":                "--lies",
		"load pipeline --share 2":             "--share",
		"load full --envelopes 0":             "--envelopes",
		"audit --looks 0":                     "--looks",
		"profile secrets":                     "profile",
		"profile heap --seconds 61":           "--seconds",
	} {
		var stderr bytes.Buffer
		args := strings.Split(line, " ")
		if line == "" {
			args = nil
		}
		code := command.Run(t.Context(), "hongbaoctl", "", &cli{}, args, &stderr)
		first, _, _ := strings.Cut(stderr.String(), "\n")
		if code != 2 || !strings.HasPrefix(first, "hongbaoctl: error: ") || !strings.Contains(first, word) || !strings.Contains(stderr.String(), " --help\n") {
			t.Errorf("%q: exit %d, want 2 and %q in the first line: %s", line, code, word, stderr.String())
		}
	}
}

// validOrderID is one whose last digit is that of its body.
func validOrderID(t *testing.T) string {
	t.Helper()
	for digit := range 10 {
		if id := "0123456789012345678003" + string(rune('0'+digit)); operator.OrderID(id).Validate() == nil {
			return id
		}
	}
	t.Fatal("no digit fits the body")
	return ""
}
