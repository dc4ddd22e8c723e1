package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hongbao/internal/cluster"
	"hongbao/internal/payment/simulator"
	"hongbao/internal/settest"
	"hongbao/internal/settings"
)

// deployment is a settings file with every key it names, and no database behind.
type deployment struct {
	*settings.Settings
	dir, bin string
}

func newDeployment(t *testing.T, bin string) *deployment {
	t.Helper()
	ports, err := cluster.FreePorts(4)
	if err != nil {
		t.Fatal(err)
	}
	at := func(i int) string { return fmt.Sprintf("127.0.0.1:%d", ports[i]) }
	block := 0
	account := func(user string) settings.Account {
		return settings.Account{User: user, PasswordFile: user + ".password"}
	}
	d := &deployment{bin: bin, dir: t.TempDir(), Settings: &settings.Settings{
		Environment: settings.Playground,
		Listen:      settings.Listen{Public: at(0), Operator: at(1)},
		Sets:        []settings.Set{{Set: "000", Primary: at(2), Minting: true, MachineBlock: &block}},
		Books:       []settings.Shard{{Primary: at(3)}},
		Accounts:    settings.Accounts{App: account("app"), Migrator: account("migrator")},
		Events:      settings.Events{URL: "http://127.0.0.1:9/events", SecretFile: "events.key", PreviousSecretFile: "events-1.key", AllowPrivate: true},
		Keys: settings.Keys{DrawFile: "draw.key", TicketFile: "ticket.key", TicketNumber: 2, PreviousTicketFile: "ticket-1.key", PreviousTicket: 1,
			Tokens:    []settings.TokenKey{{KeyID: "im", Algorithm: "HS256", File: "token.key"}},
			Operators: []settings.TokenKey{{KeyID: "people", Algorithm: "HS256", File: "operator.key", Person: "ann"}}},
		Payment: settings.Payment{BaseURL: "http://127.0.0.1:9", NotifyURL: "http://127.0.0.1:9/v1/payment/notifications", AppID: "wx1", MerchantID: "1900000001"},
	}}
	for _, name := range []string{"app.password", "migrator.password", "draw.key", "ticket.key", "ticket-1.key", "token.key", "operator.key"} {
		if err := settings.MakePlaygroundSecret(d.path(name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"events.key", "events-1.key"} {
		if err := settings.MakePlaygroundEventSecret(d.path(name)); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := simulator.GenerateKeys(d.dir)
	if err != nil {
		t.Fatal(err)
	}
	p := &d.Payment
	p.MerchantSerial, p.MerchantKeyFile, p.APIv3KeyFile = "5F", keys.MerchantPrivate, keys.APIv3
	p.PlatformKeys = []settings.PlatformKey{{Serial: "PUB_1", File: keys.PlatformPublic}}
	d.save(t)
	return d
}

func (d *deployment) path(name string) string { return filepath.Join(d.dir, name) }

func (d *deployment) save(t *testing.T) {
	t.Helper()
	if err := d.Save(d.path("hongbao.yaml")); err != nil {
		t.Fatal(err)
	}
}

// run runs a verb of hongbaod to its end.
func (d *deployment) run(t *testing.T, verb string, flags ...string) (out, said string, code int) {
	t.Helper()
	args := append([]string{verb, "--config", d.path("hongbao.yaml")}, flags...)
	cmd := exec.CommandContext(t.Context(), filepath.Join(d.bin, "hongbaod"), args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

// mistakes runs check.
func (d *deployment) mistakes(t *testing.T) []string {
	t.Helper()
	out, said, code := d.run(t, "check", "--json")
	var found struct{ Mistakes []string }
	if err := json.Unmarshal([]byte(out), &found); err != nil || (code == 0) != (len(found.Mistakes) == 0) || code > 1 {
		t.Fatalf("check: exit %d, %q, %q", code, out, said)
	}
	return found.Mistakes
}

func has(mistakes []string, parts ...string) bool {
	return slices.ContainsFunc(mistakes, func(m string) bool {
		return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(m, part) })
	})
}

// keyFiles are the settings that name a file, and the files.
func (d *deployment) keyFiles() map[string]string {
	return map[string]string{
		"accounts.app.password_file": "app.password", "accounts.migrator.password_file": "migrator.password",
		"keys.draw_file": "draw.key", "keys.ticket_file": "ticket.key", "keys.previous_ticket_file": "ticket-1.key",
		"keys.tokens[0].file": "token.key", "keys.operators[0].file": "operator.key",
		"events.secret_file": "events.key", "events.previous_secret_file": "events-1.key",
		"payment.merchant_key_file": d.Payment.MerchantKeyFile, "payment.apiv3_key_file": d.Payment.APIv3KeyFile,
		"payment.platform_keys[0].file": d.Payment.PlatformKeys[0].File,
	}
}

// TestAWrongKeyFileIsNamed is FS20: the real program, each key missing, empty
// and too short.
func TestAWrongKeyFileIsNamed(t *testing.T) {
	bin := settest.Programs(t)
	spoil := map[string]func(file string) error{
		"missing":   os.Remove,
		"empty":     func(file string) error { return os.WriteFile(file, nil, 0o600) },
		"too short": func(file string) error { return os.WriteFile(file, []byte("x\n"), 0o600) },
		"a folder":  func(file string) error { return os.Rename(file, file+".old") },
	}
	d := newDeployment(t, bin)
	for key, name := range d.keyFiles() {
		for what, do := range spoil {
			if what == "too short" && strings.HasPrefix(key, "accounts.") {
				continue // the database says what a password has to be
			}
			file := d.path(name)
			if filepath.IsAbs(name) {
				file = name
			}
			right, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := do(file); err != nil {
				t.Fatal(err)
			}
			if what == "a folder" {
				err = os.Mkdir(file, 0o700)
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Run(key+" "+what, func(t *testing.T) {
				_, said, code := d.run(t, "serve")
				if code != 1 || !strings.Contains(said, "hongbaod: settings: "+key) || strings.Contains(said, "goroutine") {
					t.Errorf("exit %d: %s", code, said)
				}
			})
			if err := os.RemoveAll(file); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, right, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestCheckNamesEveryMistakeAtOnce is FS20, too: settings, keys and databases.
func TestCheckNamesEveryMistakeAtOnce(t *testing.T) {
	d := newDeployment(t, settest.Programs(t))
	if found := d.mistakes(t); len(found) != 2 || !has(found, "SET 000", "unavailable") || !has(found, "books: shard 0", "unavailable") {
		t.Errorf("all in order but the databases, which are down: %q", found)
	}
	d.Payment.MerchantID, d.Keys.TicketNumber = "not an id", 300
	d.Events.URL = "ftp://im.example"
	d.save(t)
	for _, name := range []string{"draw.key", "token.key", "operator.key"} {
		if err := os.WriteFile(d.path(name), []byte("short\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(d.path("hongbao.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.path("hongbao.yaml"), append([]byte("colour: red\n"), raw...), 0o600); err != nil {
		t.Fatal(err)
	}
	found := d.mistakes(t)
	for _, want := range []string{"colour", "keys.ticket_number", "keys.draw_file", "keys.tokens[0].file", "keys.operators[0].file",
		"MerchantID", "events", "SET 000", "books: shard 0"} {
		if !has(found, want) {
			t.Errorf("%s is not among %q", want, found)
		}
	}
}
