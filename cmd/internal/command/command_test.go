package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// grammar has a verb for each way to end.
type grammar struct {
	JSON    bool             `name:"json"`
	Version kong.VersionFlag `help:"The version."`
	Do      struct {
		Well    ends `cmd:""`
		Badly   ends `cmd:""`
		Advised ends `cmd:""`
		Find    ends `cmd:""`
		Misuse  ends `cmd:""`
	} `cmd:""`
}

type ends struct {
	Count int `default:"1"`
}

func (e ends) Validate() error {
	if e.Count < 1 {
		return errors.New("--count: want 1 at least")
	}
	return nil
}

func (ends) Run(ctx context.Context, c *kong.Context) error {
	switch c.Command() {
	case "do badly":
		return errors.Join(errors.New("the first reason"), errors.New("the second"))
	case "do advised":
		return Advise(answered{}, "do it again")
	case "do find":
		return ErrFinding
	case "do misuse":
		return Usage("--this goes not with --that")
	}
	return ctx.Err()
}

type answered struct{}

func (answered) Error() string         { return "the reason" }
func (answered) Answer() (int, string) { return 503, "busy" }

// FS34
func TestTheReasonComesFirst(t *testing.T) {
	for line, want := range map[string]struct {
		code int
		said string
	}{
		"do well":                  {0, ""},
		"do badly":                 {1, "p: the first reason\np: the second\n"},
		"do advised":               {1, "p: the reason\np: do it again\n"},
		"do find":                  {1, ""},
		"do misuse":                {2, "p: error: --this goes not with --that\np: usage: p do misuse --help\n"},
		"do well --count 0":        {2, "p: error: do well: --count: want 1 at least\np: usage: p do well --help\n"},
		"do well --count x":        {2, "p: error: --count: expected a valid 64 bit int but got \"x\"\np: usage: p do well --help\n"},
		"do well more":             {2, "p: error: unexpected argument more\np: usage: p do well --help\n"},
		"do well --more":           {2, "p: error: unknown flag --more\np: usage: p do well --help\n"},
		"do":                       {2, "p: usage: p do --help\n"},
		"":                         {2, "p: usage: p --help\n"},
		"undo":                     {2, "p: error: unexpected argument undo, did you mean \"do\"?\np: usage: p --help\n"},
		"--json do advised":        {1, `{"error":{"advice":"do it again","code":"busy","exit":1,"message":"the reason","status":503}}`},
		"do well --count 0 --json": {2, `{"error":{"advice":"usage: p do well --help","exit":2,"message":"do well: --count: want 1 at least"}}`},
	} {
		var stderr bytes.Buffer
		code := Run(t.Context(), "p", "A program.", &grammar{}, strings.Fields(line), &stderr)
		if said := stderr.String(); code != want.code || !strings.HasSuffix(strings.TrimSpace(said), strings.TrimSpace(want.said)) ||
			want.said == "" && said != "" || strings.Count(said, "\n") > 2 {
			t.Errorf("%q: exit %d, want %d, having said\n%swant\n%s", line, code, want.code, said, want.said)
		}
		if strings.Contains(line, "--json") && !json.Valid(stderr.Bytes()) {
			t.Errorf("%q: no JSON: %s", line, stderr.String())
		}
	}
}

func TestTheVersionNamesTheToolchain(t *testing.T) {
	if v := Version(); !strings.Contains(v, "go1.") || strings.HasPrefix(v, " ") {
		t.Errorf("version %q", v)
	}
}

func TestQuotedArgumentIsReadBackByAShell(t *testing.T) {
	for _, word := range []string{"plain", "/a/b-c_d.yaml", "", "a b", "it's", "$HOME", "`id`", "a\"b", "*", "~", "红包", "a\nb", "-x", "a\\b", "#", "a;b"} {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", "printf %s "+Quote(word)).Output()
		if err != nil || string(out) != word {
			t.Errorf("%q: %s reads as %q, %v", word, Quote(word), out, err)
		}
	}
	if Quote("/a/plain.yaml") != "/a/plain.yaml" {
		t.Error("a plain word is quoted")
	}
}
