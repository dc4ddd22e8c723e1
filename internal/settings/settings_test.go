package settings_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"hongbao/envelope"
	"hongbao/internal/settings"
)

func TestWhatIsSavedIsLoaded(t *testing.T) {
	d := newDeployment(t)
	got := d.mustLoad(t)
	if diff := cmp.Diff(d.Settings, got, cmpopts.IgnoreUnexported(settings.Settings{})); diff != "" {
		t.Errorf("saved (-), loaded (+):\n%s", diff)
	}
	info, err := os.Stat(d.file())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v, %v", info.Mode(), err)
	}
	if left, err := filepath.Glob(filepath.Join(d.dir, "*.new")); err != nil || len(left) != 0 {
		t.Errorf("saving left %v behind", left)
	}
}

func TestAnUnknownKeyIsRefusedAndNamed(t *testing.T) {
	d := newDeployment(t)
	for where, change := range map[string]func(string) string{
		"at the top":   func(s string) string { return s + "colour: red\n" },
		"in a section": func(s string) string { return strings.Replace(s, "    operator:", "    colour: red\n    operator:", 1) },
		"in a SET": func(s string) string {
			return strings.Replace(s, "      minting:", "      colour: red\n      minting:", 1)
		},
		"in another case": func(s string) string { return strings.Replace(s, "environment:", "Colour: red\nenvironment:", 1) },
	} {
		wantError(t, where, d.loadText(t, change), "olour")
	}
	wantError(t, "a key twice", d.loadText(t, func(s string) string { return s + "environment: drill\n" }), "environment")
	wantError(t, "another case", d.loadText(t, func(s string) string { return strings.Replace(s, "environment:", "Environment:", 1) }), "Environment")
}

func TestAFileThatIsNoSettingsIsRefused(t *testing.T) {
	d := newDeployment(t)
	for what, text := range map[string]string{
		"empty":      "",
		"no mapping": "- a\n- b\n",
		"no YAML":    "environment: [",
		"a number":   "7",
		"too large":  "# " + strings.Repeat("x", 1<<20),
		"wrong type": "environment: {a: b}\n",
	} {
		if err := d.loadText(t, func(string) string { return text }); err == nil {
			t.Errorf("%s: loaded", what)
		}
	}
	wantError(t, "a second document", d.loadText(t, func(s string) string { return s + "---\nenvironment: playground\n" }), "after the end")
	_, err := settings.Load(filepath.Join(d.dir, "absent.yaml"))
	wantError(t, "absent", err, "absent.yaml")
}

func TestEveryRequiredKeyIsAskedForByName(t *testing.T) {
	for key, clear := range map[string]func(*settings.Settings){
		"environment":            func(s *settings.Settings) { s.Environment = "" },
		"listen.public":          func(s *settings.Settings) { s.Listen.Public = "" },
		"listen.operator":        func(s *settings.Settings) { s.Listen.Operator = "" },
		"accounts.app.user":      func(s *settings.Settings) { s.Accounts.App.User = "" },
		"accounts.migrator.user": func(s *settings.Settings) { s.Accounts.Migrator.User = "" },
		"keys.draw_file":         func(s *settings.Settings) { s.Keys.DrawFile = "" },
		"keys.ticket_file":       func(s *settings.Settings) { s.Keys.TicketFile = "" },
		"keys.tokens":            func(s *settings.Settings) { s.Keys.Tokens = nil },
		"payment.base_url":       func(s *settings.Settings) { s.Payment.BaseURL = "" },
		"payment.notify_url":     func(s *settings.Settings) { s.Payment.NotifyURL = "" },
	} {
		d := newDeployment(t)
		clear(d.Settings)
		_, err := d.load(t)
		wantError(t, key, err, key+": ", d.file())
	}
}

func TestContradictorySettingsAreRefused(t *testing.T) {
	block := 64
	for what, c := range map[string]struct {
		change func(*settings.Settings)
		want   string
	}{
		"an unknown environment":      {func(s *settings.Settings) { s.Environment = "test" }, "environment: must be playground, drill or production"},
		"one listener for both":       {func(s *settings.Settings) { s.Listen.Operator = s.Listen.Public }, "listen.operator: must not be the public address"},
		"no SET":                      {func(s *settings.Settings) { s.Sets = nil }, "want 1 <= sets"},
		"a SET twice":                 {func(s *settings.Settings) { s.Sets[1].Set = "000" }, "SET 000 is listed twice"},
		"a SET with two digits":       {func(s *settings.Settings) { s.Sets[1].Set = "07" }, `sets[1].set: SET "07"`},
		"a SET with a letter":         {func(s *settings.Settings) { s.Sets[2].Set = "00x" }, `sets[2].set: SET "00x"`},
		"a primary without port":      {func(s *settings.Settings) { s.Sets[0].Primary = "db" }, `primary "db"`},
		"a block twice":               {func(s *settings.Settings) { s.Sets[1].MachineBlock = s.Sets[0].MachineBlock }, "both grant machine block 0"},
		"a block too far":             {func(s *settings.Settings) { s.Sets[1].MachineBlock = &block }, "have 64"},
		"no block":                    {func(s *settings.Settings) { s.Sets[0].MachineBlock, s.Sets[1].MachineBlock = nil, nil }, "machine_block"},
		"nothing minting":             {func(s *settings.Settings) { s.Sets[0].Minting, s.Sets[1].Minting = false, false }, "no SET is minting"},
		"too many shares":             {func(s *settings.Settings) { s.Limits.CountMax = 501 }, "count max <= 500"},
		"fewer shares than none":      {func(s *settings.Settings) { s.Limits.CountMax = -1 }, "1 <= count max"},
		"shares too large":            {func(s *settings.Settings) { s.Limits.ShareMaxFen = 20001 }, "share max <= 20000"},
		"shares too small":            {func(s *settings.Settings) { s.Limits.ShareMinFen = -1 }, "1 <= share min"},
		"no share is allowed":         {func(s *settings.Settings) { s.Limits.ShareMinFen = 10001 }, "1 <= share min <= share max = 10000 fen, have 10001"},
		"a life too short":            {func(s *settings.Settings) { s.Limits.Life = time.Millisecond }, "1s <= life"},
		"no books":                    {func(s *settings.Settings) { s.Books = nil }, "books: want 1"},
		"books nowhere":               {func(s *settings.Settings) { s.Books[1].Primary = "host" }, "books[1].primary"},
		"a day to pay and more":       {func(s *settings.Settings) { s.Limits.PayWithin = 25 * time.Hour }, "pay within <= 24h"},
		"more connections than files": {func(s *settings.Settings) { s.Listen.ConnectionsMax = 2_000_000 }, "listen.connections_max: want 1 to 1000000, have 2000000"},
		"fewer connections than none": {func(s *settings.Settings) { s.Listen.ConnectionsMax = -1 }, "listen.connections_max"},
		"an address above all":        {func(s *settings.Settings) { s.Listen.ConnectionsPerAddressMax = 10_001 }, "listen.connections_per_address_max: want 1 to connections_max (10000), have 10001"},
		"an audience of two words":    {func(s *settings.Settings) { s.Keys.Audience = "a b" }, "keys.audience: must be"},
		"tokens that never live":      {func(s *settings.Settings) { s.Keys.TokenLifeMax = time.Millisecond }, "keys.token_life_max: want 1s to"},
		"a ticket number too big":     {func(s *settings.Settings) { s.Keys.TicketNumber = 256 }, "keys.ticket_number: want 0 to 255, have 256"},
		"an operators' key of nobody": {func(s *settings.Settings) {
			s.Keys.Operators = []settings.TokenKey{{KeyID: "ops", Algorithm: "HS256", File: "im-1.key"}}
		}, "keys.operators[0].person: is required in production"},
		"an operators' key of a person in capitals": {func(s *settings.Settings) {
			s.Keys.Operators = []settings.TokenKey{{KeyID: "ops", Algorithm: "HS256", File: "im-1.key", Person: "Ann"}}
		}, "keys.operators[0].person: must be 1 to 64 lower-case letters"},
		"one operators' key for two people": {func(s *settings.Settings) {
			s.Keys.Operators = []settings.TokenKey{{KeyID: "a", Algorithm: "HS256", File: "im-1.key", Person: "ann"}, {KeyID: "b", Algorithm: "HS256", File: "im-1.key", Person: "bob"}}
		}, "keys.operators[1].file: is that of keys.operators[0]"},
		"a backend's key of a person": {func(s *settings.Settings) { s.Keys.Tokens[0].Person = "ann" }, "keys.tokens[0].person: only a key of keys.operators"},
		"a negative one before":       {func(s *settings.Settings) { s.Keys.PreviousTicket = -1 }, "keys.previous_ticket_number: want 0 to 255, have -1"},
		"retired with a letter":       {func(s *settings.Settings) { s.RetiredSets = []string{"00x"} }, `retired_sets[0]: SET "00x"`},
		"listed and retired":          {func(s *settings.Settings) { s.RetiredSets = []string{"009", "000"} }, "SET 000 is listed and retired"},
		"retired twice":               {func(s *settings.Settings) { s.RetiredSets = []string{"009", "009"} }, "SET 009 is retired twice"},
	} {
		d := newDeployment(t)
		c.change(d.Settings)
		_, err := d.load(t)
		wantError(t, what, err, c.want)
	}
}

func TestTheEnvironmentOverridesTheFile(t *testing.T) {
	for name, c := range map[string]struct {
		value string
		get   func(*settings.Settings) string
	}{
		"HONGBAO_ENVIRONMENT":        {"drill", func(s *settings.Settings) string { return s.Environment }},
		"HONGBAO_LISTEN_PUBLIC":      {"127.0.0.1:9080", func(s *settings.Settings) string { return s.Listen.Public }},
		"HONGBAO_LISTEN_OPERATOR":    {"127.0.0.1:9081", func(s *settings.Settings) string { return s.Listen.Operator }},
		"HONGBAO_PAYMENT_BASE_URL":   {"https://other.example", func(s *settings.Settings) string { return s.Payment.BaseURL }},
		"HONGBAO_PAYMENT_NOTIFY_URL": {"https://us.example/notify", func(s *settings.Settings) string { return s.Payment.NotifyURL }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, c.value)
			if got := c.get(newDeployment(t).mustLoad(t)); got != c.value {
				t.Errorf("got %q, want %q", got, c.value)
			}
		})
	}
	t.Run("and is checked like it", func(t *testing.T) {
		t.Setenv("HONGBAO_ENVIRONMENT", "test")
		_, err := newDeployment(t).load(t)
		wantError(t, "HONGBAO_ENVIRONMENT=test", err, "environment: must be")
	})
	t.Run("and completes it", func(t *testing.T) {
		t.Setenv("HONGBAO_LISTEN_PUBLIC", "127.0.0.1:9080")
		d := newDeployment(t)
		d.Listen.Public = ""
		d.mustLoad(t)
	})
}

func TestTheTopologyIsTheFiles(t *testing.T) {
	topology, err := newDeployment(t).mustLoad(t).Topology()
	if err != nil {
		t.Fatal(err)
	}
	specs := topology.Specs()
	if len(specs) != 3 || specs[1].Number != 7 || specs[1].MachineBlock != 1 || specs[2].MachineBlock != -1 || specs[2].Minting ||
		specs[0].Primary != "db-000.internal:3306" || len(specs[0].Memcached) != 1 {
		t.Errorf("got %+v", specs)
	}
}

// FS11: the provider's least amount is hearsay, so a setting below it is no mistake.
func TestTooSmallLeastShareIsAWarning(t *testing.T) {
	for _, payouts := range []string{"", settings.PayoutBills, settings.PayoutBatches} {
		for least, warned := range map[int64]bool{0: true, 1: true, 9: true, 10: false, 100: false} {
			d := newDeployment(t)
			d.Payment.Payouts, d.Limits.ShareMinFen = payouts, least
			warnings := d.mustLoad(t).Warnings()
			if warned != (len(warnings) == 1 && strings.HasPrefix(warnings[0], "limits.share_min_fen: ")) || !warned && len(warnings) > 0 {
				t.Errorf("%q, %d fen: warnings %q", payouts, least, warnings)
			}
		}
	}
}

func TestLimitsThatAreNotGivenAreTheDesigns(t *testing.T) {
	d := newDeployment(t)
	want := envelope.Limits{CountMax: 200, ShareMin: 10, ShareMax: 10000, Life: 12 * time.Hour, PayWithin: 10 * time.Minute}
	if got := d.mustLoad(t).Bounds(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	d.Limits = settings.Limits{}
	if got := d.mustLoad(t).Bounds(); got != envelope.DefaultLimits() {
		t.Errorf("got %+v, want the defaults", got)
	}
}

func TestSavingOverAFileReplacesIt(t *testing.T) {
	d := newDeployment(t)
	d.mustLoad(t)
	d.Listen.Public = "127.0.0.1:9080"
	if s := d.mustLoad(t); s.Listen.Public != "127.0.0.1:9080" {
		t.Errorf("loaded %q", s.Listen.Public)
	}
	if err := d.Save(filepath.Join(d.dir, "absent", "hongbao.yaml")); err == nil {
		t.Error("saved into a directory that is not there")
	}
}

// TestAnOperatorsKeySignsForOnePerson: two persons cannot be claimed with the key of
// one, nor with a copy of it (FS14).
func TestAnOperatorsKeySignsForOnePerson(t *testing.T) {
	d := newDeployment(t)
	d.write(t, "ann.key", secretText+" ann\n")
	d.write(t, "bob.key", secretText+" bob\n")
	d.write(t, "copy.key", secretText+" ann\n")
	d.Keys.Operators = []settings.TokenKey{{KeyID: "a", Algorithm: "HS256", File: "ann.key", Person: "ann"}, {KeyID: "b", Algorithm: "HS256", File: "bob.key", Person: "bob"}}
	s, err := d.load(t)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := s.OperatorKeys()
	if err != nil || len(keys) != 2 || keys[0].Person != "ann" || keys[1].Person != "bob" {
		t.Fatalf("keys %v, %v", keys, err)
	}
	for _, person := range []string{"ann", "bob"} {
		if _, err := s.MintToken(person, "operate", time.Minute, time.Now()); err != nil {
			t.Errorf("%s: %v", person, err)
		}
	}
	_, err = s.MintToken("cat", "operate", time.Minute, time.Now())
	wantError(t, "a third person", err, "no HS256 key that signs for cat")
	d.Keys.Operators[1].File = "copy.key"
	if s, err = d.load(t); err != nil {
		t.Fatal(err)
	}
	_, err = s.OperatorKeys()
	wantError(t, "a copy", err, "keys.operators[1].file: is the key of ann too")
}

// TestReturnAfterDaysIsBounded (FS16).
func TestReturnAfterDaysIsBounded(t *testing.T) {
	const day = 24 * time.Hour
	for n, want := range map[int]time.Duration{0: 0, 1: day, 14: 14 * day} {
		d := newDeployment(t)
		d.Payment.ReturnAfterDays = &n
		if got := d.mustLoad(t).Payment.ReturnAfter(); got != want {
			t.Errorf("%d days: %v, want %v", n, got, want)
		}
	}
	for _, n := range []int{-1, 15} {
		d := newDeployment(t)
		d.Payment.ReturnAfterDays = &n
		_, err := d.load(t)
		wantError(t, "out of bounds", err, "payment.return_after_days: must be 1 to 14, or 0 for never")
	}
	if got := newDeployment(t).mustLoad(t).Payment.ReturnAfter(); got != 7*day {
		t.Errorf("not given: %v, want 7 days", got)
	}
}
