package past

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"hongbao/envelope"
)

func testPast(t *testing.T, change func(*Config)) (*Past, error) {
	t.Helper()
	cfg := Config{Seed: 7, Envelopes: 4000, Sets: []envelope.SetNumber{3, 4}, Machine: 4000, DrawKey: drawKey(t), Now: time.Now()}
	if change != nil {
		change(&cfg)
	}
	return New(cfg)
}

func TestPastIsPossibleEnvelopes(t *testing.T) {
	p, err := testPast(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[envelope.ID]bool{}
	digits, kinds, states := map[int]int{}, map[envelope.Kind]int{}, map[envelope.State]int{}
	for set, number := range p.cfg.Sets {
		last := envelope.ID("")
		for snap := range p.Of(set) {
			e := &snap.Envelope
			if id, err := envelope.ParseID(string(e.ID)); err != nil || id.Set() != number || e.ID <= last || int(e.ID.Body())&4095 != p.cfg.Machine {
				t.Fatalf("%s after %s in SET %v: %v", e.ID, last, number, err)
			}
			last, seen[e.ID] = e.ID, true
			digits[e.ID.TableDigit()]++
			kinds[e.Kind]++
			states[e.State]++
			checkPast(t, p, snap)
		}
	}
	if len(seen) != p.cfg.Envelopes || len(digits) != envelope.TableDigits || len(kinds) != 3 {
		t.Errorf("%d envelopes in tables %v, kinds %v", len(seen), digits, kinds)
	}
	if active := states[envelope.Active]; len(states) != 2 || active < 200 || active > 400 {
		t.Errorf("states %v, want mostly settled ones and some active", states)
	}
}

// checkPast holds one envelope to what its columns must say.
func checkPast(t *testing.T, p *Past, snap envelope.Snapshot) {
	t.Helper()
	e := &snap.Envelope
	if err := envelope.Verify(e, p.cfg.DrawKey.Seed(e.ID), snap.Shares); err != nil {
		t.Errorf("%s: %v", e.ID, err)
	}
	if !e.CreatedAt.Equal(e.ID.Body().Time()) || !e.PaidAt.After(e.CreatedAt) || e.PaidAt.After(p.cfg.Now) || len(e.TransactionID) > 32 {
		t.Errorf("%s was sent at %v, paid at %v with %q", e.ID, e.CreatedAt, e.PaidAt, e.TransactionID)
	}
	if e.State == envelope.Active {
		if len(snap.Shares) > 0 || !e.ExpiresAt.After(p.cfg.Now.Add(time.Hour)) {
			t.Errorf("%s is active with %d shares until %v", e.ID, len(snap.Shares), e.ExpiresAt)
		}
		return
	}
	if len(snap.Shares) != e.Count || e.Remaining() != 0 || e.FinishedAt.After(p.cfg.Now) || e.Ver != 4 {
		t.Errorf("%s is %s with %d of %d shares at %v", e.ID, e.State, len(snap.Shares), e.Count, e.FinishedAt)
	}
	for _, s := range snap.Shares {
		if !e.MayOpen(s.User) || s.OpenedAt.Before(e.PaidAt) || !s.OpenedAt.Before(e.ExpiresAt) {
			t.Errorf("%s: share %+v", e.ID, s)
		}
	}
}

func TestTheSamePastIsTheSame(t *testing.T) {
	now := time.Now()
	same := func(c *Config) { c.Now = now }
	a, _ := testPast(t, same)
	b, _ := testPast(t, same)
	if !reflect.DeepEqual(slices.Collect(a.Of(1)), slices.Collect(b.Of(1))) {
		t.Error("one configuration made two pasts")
	}
	c, _ := testPast(t, func(c *Config) { c.Now, c.Seed = now, 8 })
	if a.Snapshot(5).Envelope.ID == c.Snapshot(5).Envelope.ID {
		t.Error("two seeds made one ID")
	}
}

func TestActiveOnesOfAPastAreOpenToAll(t *testing.T) {
	p, err := testPast(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	all := p.Active(EnvelopesMax)
	if few := p.Active(5); !slices.Equal(few, all[:5]) {
		t.Errorf("the newest are %v, want %v", few, all[:5])
	}
	want := 0
	for n := range p.cfg.Envelopes {
		if e := p.Snapshot(n).Envelope; e.State == envelope.Active && e.MayOpen("anyone") {
			want++
		}
	}
	if len(all) != want || want == 0 {
		t.Errorf("%d are active, want %d", len(all), want)
	}
}

func TestAPastThatCannotBeIsRefused(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no envelope":          func(c *Config) { c.Envelopes = 0 },
		"too many":             func(c *Config) { c.Envelopes = EnvelopesMax + 1 },
		"no SET":               func(c *Config) { c.Sets = nil },
		"no machine":           func(c *Config) { c.Machine = -1 },
		"a machine too large":  func(c *Config) { c.Machine = 4096 },
		"no draw key":          func(c *Config) { c.DrawKey = envelope.DrawKey{} },
		"no time to look back": func(c *Config) { c.Now = time.Time{} },
	} {
		if _, err := testPast(t, change); err == nil {
			t.Errorf("%s: made", name)
		}
	}
	if _, err := testPast(t, func(c *Config) { c.Envelopes = EnvelopesMax }); err != nil {
		t.Errorf("the largest: %v", err)
	}
}

func drawKey(t *testing.T) envelope.DrawKey {
	t.Helper()
	key, err := envelope.NewDrawKey([]byte("a draw key for tests, long enough"))
	if err != nil {
		t.Fatal(err)
	}
	return key
}
