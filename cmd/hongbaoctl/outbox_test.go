package main_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/operator"
	"hongbao/internal/settest"
)

// said is what a verb came back with.
type said struct {
	out, err string
	code     int
}

// verb runs a verb on the playground, in an environment of its own.
func verb(t *testing.T, p *settest.Live, env []string, args ...string) said {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(p.Bin, "hongbaoctl"), append([]string{"--config", filepath.Join(p.Dir, "hongbao.yaml")}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return said{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// wantSaid fails unless a verb ends with a code, having said all of these.
func wantSaid(t *testing.T, p *settest.Live, code int, args []string, words ...string) string {
	t.Helper()
	s := verb(t, p, nil, args...)
	if s.code != code {
		t.Errorf("%v: exit %d, want %d: %s%s", args, s.code, code, s.out, s.err)
	}
	for _, word := range words {
		if !strings.Contains(s.out+s.err, word) {
			t.Errorf("%v said nothing of %q: %s%s", args, word, s.out, s.err)
		}
	}
	if strings.Contains(s.out, "\x1b") {
		t.Errorf("%v: a terminal is spoken to that is not there: %q", args, s.out)
	}
	return s.out
}

func words(line string) []string { return strings.Fields(line) }

func TestOutboxIsWatchedPausedAndRepaired(t *testing.T) {
	p := settest.Playground(t)
	testPauses(t, p)
	testParked(t, p)
	testDisputes(t, p)
	testMistakes(t, p)
	testWithoutSettings(t, p)
	testAudit(t, p)
	testDeadSET(t, p)
}

func testPauses(t *testing.T, p *settest.Live) {
	wantSaid(t, p, 0, words("outbox status"), "000", "001", "outbox", "charge", "book", "event", "transfer")
	wantSaid(t, p, 0, append(words("outbox pause --topic event --reason"), "the backend moves"), "event: paused in every SET", "outbox resume")
	wantSaid(t, p, 1, words("outbox status"), "the backend moves", "paused until", "outbox resume")
	var status struct {
		Sets []struct {
			Set    string
			Topics []struct{ Topic, Paused string }
		}
	}
	out := wantSaid(t, p, 1, words("outbox status --json"))
	if err := json.Unmarshal([]byte(out), &status); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if len(status.Sets) != 2 {
		t.Errorf("%d SETs, want 2", len(status.Sets))
	}
	for _, set := range status.Sets {
		for _, topic := range set.Topics {
			if (topic.Topic == "event") != (topic.Paused == "the backend moves") {
				t.Errorf("SET %s: %s is paused: %q", set.Set, topic.Topic, topic.Paused)
			}
		}
	}
	wantSaid(t, p, 0, words("outbox pause --json"), `"transfer"`, `"book"`)
	wantSaid(t, p, 1, words("outbox status --as ann"), "paused: by ")
	wantSaid(t, p, 0, words("outbox resume"), "transfer")
	wantSaid(t, p, 0, words("outbox status"))
}

func testParked(t *testing.T, p *settest.Live) {
	wantSaid(t, p, 0, words("outbox parked"), "nothing is parked")
	wantSaid(t, p, 0, words("outbox parked --json"), `"parked": []`)
	id, _ := p.Paid(t, "sender", `{"kind":"equal","share_fen":100,"count":2,"group_id":"g"}`)
	db := p.Admin(t, int(envelope.ID(id).Set()))
	eventually(t, "the event is owed", func() bool {
		res, err := db.ExecContext(t.Context(), "UPDATE delivery SET state = 'parked', attempts = 20, reason = 'poison \\r\x1b[2J' WHERE order_id = ? AND topic = 'event'", id)
		if err != nil {
			t.Fatal(err)
		}
		n, err := res.RowsAffected()
		return err == nil && n == 1
	})
	wantSaid(t, p, 1, words("outbox parked"), id, "event", "20", "poison \ufffd\ufffd[2J", "outbox retry")
	wantSaid(t, p, 1, words("outbox status"), "stuck: see hongbaoctl outbox parked")
	wantSaid(t, p, 0, words("outbox retry "+id+" event"), id, "no longer")
	wantSaid(t, p, 1, words("outbox retry "+id+" event"), "delivery is not parked", "hongbaoctl outbox parked")
	wantSaid(t, p, 0, words("outbox parked"), "nothing is parked")
	eventually(t, "the event is told", func() bool {
		var state string
		if err := db.QueryRowContext(t.Context(), "SELECT state FROM delivery WHERE order_id = ? AND topic = 'event'", id).Scan(&state); err != nil {
			t.Fatal(err)
		}
		return state == "idle"
	})
}

func testDisputes(t *testing.T, p *settest.Live) {
	wantSaid(t, p, 0, words("outbox disputes"), "nothing is disputed")
	const insert = "INSERT INTO dispute (kind, number, what, amount_fen, created_at) VALUES ('payment', 'wx123', 'paid twice', 12345, UTC_TIMESTAMP(3))"
	if _, err := p.Admin(t, 1).ExecContext(t.Context(), insert); err != nil {
		t.Fatal(err)
	}
	wantSaid(t, p, 1, words("outbox disputes"), "payment", "wx123", "paid twice", "123.45")
	wantSaid(t, p, 1, words("outbox disputes --json"), `"amount_fen": 12345`)
}

// testWithoutSettings is an operator on a machine that has a token and nothing else.
// FS34
func testWithoutSettings(t *testing.T, p *settest.Live) {
	dir := t.TempDir()
	token := strings.TrimSpace(wantSaid(t, p, 0, words("token --user ann --scope operate")))
	file := filepath.Join(dir, "a token's file")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	away := []string{"--config", filepath.Join(dir, "none.yaml"), "--operator", p.Operator, "--operator-token-file", file}
	wantSaid(t, p, 0, append(away, "outbox", "status"), "transfer")
	wantSaid(t, p, 0, append(away, "held", "list"), "nothing is held")
	wantSaid(t, p, 0, append(away, "outbox", "pause", "--topic", "book"), "--operator-token-file '"+dir+"/a token'\\''s file'")
	wantSaid(t, p, 1, words("outbox status"), "paused: by ann")
	wantSaid(t, p, 0, append(away, "outbox", "resume"))
	cpu := filepath.Join(dir, "cpu.pprof")
	wantSaid(t, p, 0, append(away, "profile", "profile", "--seconds", "1", "-o", cpu))
	if raw, err := os.ReadFile(cpu); err != nil || len(raw) < 100 {
		t.Errorf("a profile of %d bytes, %v", len(raw), err)
	}
	sender := strings.TrimSpace(wantSaid(t, p, 0, words("token --user sender")))
	id, _ := p.Paid(t, "sender", `{"kind":"equal","share_fen":100,"count":2,"group_id":"g"}`)
	wantSaid(t, p, 1, append(away, "verify", id, "--api", p.API, "--token", sender), "NOT verified", "active")
	s := verb(t, p, nil, append(away, "--json", "verify", id, "--api", p.API, "--token", sender+"x")...)
	var refused struct {
		Error struct {
			Exit    int
			Message string
		}
	}
	if err := json.Unmarshal([]byte(s.err), &refused); err != nil || s.code != 1 || refused.Error.Exit != 1 || !strings.Contains(refused.Error.Message, "401") {
		t.Errorf("exit %d, %v, %s", s.code, err, s.err)
	}
}

// FS34
func testAudit(t *testing.T, p *settest.Live) {
	id, ticket := p.Paid(t, "sender", `{"kind":"equal","share_fen":100,"count":2,"group_id":"g"}`)
	if a, err := p.Call(t.Context(), http.MethodPost, "/v1/envelopes/"+id+"/open", "ann", "", "Envelope-Ticket", ticket); err != nil || a.Status != http.StatusOK {
		t.Fatalf("open: %v %+v", err, a)
	}
	p.AwaitQuiet(t)
	wantSaid(t, p, 0, words("audit"), "SET 000", "SET 001", "0 violations", "users' books: 0 differences", "provider: 0 differences")
	db := p.Admin(t, int(envelope.ID(id).Set()))
	rename := func(from, to string) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), "UPDATE transfer SET provider_no = "+to+" WHERE order_id = ? AND "+from, id); err != nil {
			t.Fatal(err)
		}
	}
	rename("seq = 1", "CONCAT('other ', provider_no)")
	wantSaid(t, p, 1, words("audit --looks 2"), "provider: 1 differences", id, "provider's number")
	out := wantSaid(t, p, 1, words("audit --json --looks 1"), `"compared": true`)
	var found auditReport
	if err := json.Unmarshal([]byte(out), &found); err != nil || len(found.Provider.Differences) != 1 || len(found.Sets) != 2 {
		t.Errorf("%v: %s", err, out)
	}
	rename("seq = 1", "SUBSTRING(provider_no, 7)")
	wantSaid(t, p, 0, words("audit --looks 1"))
}

// auditReport is what audit --json prints, as far as the test needs it.
type auditReport struct {
	Sets     []struct{ Set string }
	Provider struct {
		Differences []struct{ Rule, Key, Want, Have string }
	}
}

// testDeadSET stops a database without closing its connections, which is worse
// than an end.
// FS24
func testDeadSET(t *testing.T, p *settest.Live) {
	pid := p.DatabasePID(1)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(pid, syscall.SIGCONT)
	wantSaid(t, p, 1, words("outbox status"), "does not answer", "001", "transfer")
	wantSaid(t, p, 1, words("held list"), "SET 001 does not answer", "nothing is held")
	wantSaid(t, p, 1, words("outbox disputes"), "SET 001 does not answer")
	wantSaid(t, p, 1, words("outbox pause --topic event"), "SET 000: event: done", "SET 001: pause NOT done", "a repeat does no harm")
	var half operator.Steered
	out := wantSaid(t, p, 1, words("--json outbox pause --topic event"))
	if err := json.Unmarshal([]byte(out), &half); err != nil || len(half.Missed()) != 1 || half.Missed()[0].Set != "001" || half.Missed()[0].Code == "" {
		t.Errorf("%v: %s", err, out)
	}
	a, err := p.Call(t.Context(), http.MethodGet, p.Operator+"/readyz", "", "")
	var ready operator.Readiness
	if err != nil || a.Status != http.StatusOK || json.Unmarshal(a.Body, &ready) != nil || ready.Sets[0].Error != "" || ready.Sets[1].Error == "" {
		t.Errorf("readyz with one SET: %v %+v", err, a)
	}
	wantSaid(t, p, 1, words("audit --looks 1"), "SET 001 could not be read", "not every SET")
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the SET answers again", func() bool { return verb(t, p, nil, "outbox", "resume").code == 0 })
	wantSaid(t, p, 0, words("outbox status"))
}

// testMistakes are those of people: each is told what was wrong and what to do.
func testMistakes(t *testing.T, p *settest.Live) {
	id, _ := p.Paid(t, "sender", `{"kind":"equal","share_fen":100,"count":2,"group_id":"g"}`)
	for line, word := range map[string]string{
		"outbox pause --topic everything":              "--topic",
		"outbox retry 123 event":                       "<id>",
		"outbox retry " + id + " transfer":             "<topic>",
		"held release " + id + " --as ann":             "<number>",
		"held release " + id + "R":                     "--as",
		"held redirect " + id + "P001 --as ann":        "--payee",
		"held redirect " + id + "P001 --payee= --as b": "--payee",
		"held approve " + id + "P001X1 --as ann":       "<number>",
	} {
		wantSaid(t, p, 2, words(line), "error: ", word)
	}
	elsewhere := id[:19] + "777" + id[22:]
	wantSaid(t, p, 0, words("held list"), "nothing is held")
	wantSaid(t, p, 0, words("held list --json"), `"held": []`)
	wantSaid(t, p, 1, words("held release "+id+"P001 --as ann"), "404", lookHeld)
	wantSaid(t, p, 1, words("held approve "+elsewhere+"P001 --as ann"), "404", lookHeld)
	wantSaid(t, p, 1, words("outbox retry "+elsewhere+" event"), "404", "hongbaoctl outbox parked")
	if s := verb(t, p, []string{"HONGBAO_LISTEN_OPERATOR=127.0.0.1:1"}, "outbox", "status"); s.code != 1 || !strings.Contains(s.err, "playground up") || s.out != "" {
		t.Errorf("nobody there: exit %d, %s%s", s.code, s.out, s.err)
	}
	other := filepath.Join(t.TempDir(), "other.yaml")
	if err := otherOperators(p, other); err != nil {
		t.Fatal(err)
	}
	wantSaid(t, p, 1, words("--config "+other+" held release "+id+"P001 --as ann"), "401", "keys.operators", "restart")
}

const lookHeld = "hongbaoctl held list"

// otherOperators writes settings whose operators have another key than the
// hongbaod that serves.
func otherOperators(p *settest.Live, file string) error {
	raw, err := os.ReadFile(filepath.Join(p.Dir, "hongbao.yaml"))
	if err != nil {
		return err
	}
	text := strings.ReplaceAll(string(raw), "keys/operator.key", "keys/ticket.key")
	return os.WriteFile(file, []byte(strings.ReplaceAll(text, "keys/", p.Dir+"/keys/")), 0o600)
}

// eventually asks until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	const waitMax = 30 * time.Second
	for deadline := time.Now().Add(waitMax); !holds(); <-time.After(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", waitMax, what)
		}
	}
}
