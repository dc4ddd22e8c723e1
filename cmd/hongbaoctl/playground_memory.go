package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"hongbao/internal/durable"
	"hongbao/internal/settings"
)

// upName is the file in which a playground keeps how it was started.
const upName = "up.json"

// up is how a playground was started, and what it wrote into its settings: the next
// start goes on like that where it is not told otherwise, and does not write over
// an edit made meanwhile.
type up struct {
	Flags  playgroundFlags `json:"flags"`
	Config string          `json:"config_sha256"` // of hongbao.yaml as it was written
}

// playgroundFlags are those that shape a playground and are remembered. Zero is
// "as before, else the default".
type playgroundFlags struct {
	Sets          int `help:"How many SETs, 1 to 8, each on a mariadbd of its own; never fewer than before. Default 2.." json:"sets"`
	APIPort       int `help:"Public API. Default 8080." json:"api_port"`
	OperatorPort  int `help:"Health, metrics, profiles. Default 8081." json:"operator_port"`
	SimulatorPort int `help:"Payment simulator. Default 8090." json:"simulator_port"`
	MemcachedPort int `help:"memcached. Default 11311." json:"memcached_port"`
	DatabasePort  int `help:"First SET's mariadbd; the next SET's is 10 higher. Default 13000." json:"database_port"`
	BooksPort     int `help:"mariadbd of users' books. Default 13900." json:"books_port"`
	EventsPort    int `help:"Receiver of events, standing in for the IM backend. Default 8091." json:"events_port"`

	Life      time.Duration `help:"From payment to expiry; short ones show refunds sooner. Default 24h." json:"life"`
	ShareMin  int64         `help:"Fen in the least share; the simulated provider refuses payouts below it. The real one is reported to ask for 10. Default 1." json:"share_min"`
	PayWithin time.Duration `help:"From order to closing it unpaid. Default 15m." json:"pay_within"`
	Payouts   string        `help:"The provider's product for payouts: bills, each confirmed by its payee, or batches of hundreds. Default bills." default:"" enum:",bills,batches" json:"payouts"`
}

// setsDefault is how many SETs a new playground has.
const setsDefault = 2

var flagDefaults = playgroundFlags{
	Sets: setsDefault, APIPort: 8080, OperatorPort: 8081, SimulatorPort: 8090, MemcachedPort: 11311, DatabasePort: 13000,
	BooksPort: 13900, EventsPort: 8091, Life: 24 * time.Hour, ShareMin: 1, PayWithin: 15 * time.Minute, Payouts: settings.PayoutBills,
}

// or takes from other what is not given.
func (f playgroundFlags) or(other playgroundFlags) playgroundFlags {
	return playgroundFlags{
		Sets: cmp.Or(f.Sets, other.Sets), APIPort: cmp.Or(f.APIPort, other.APIPort),
		OperatorPort: cmp.Or(f.OperatorPort, other.OperatorPort), SimulatorPort: cmp.Or(f.SimulatorPort, other.SimulatorPort),
		MemcachedPort: cmp.Or(f.MemcachedPort, other.MemcachedPort), DatabasePort: cmp.Or(f.DatabasePort, other.DatabasePort),
		BooksPort: cmp.Or(f.BooksPort, other.BooksPort), EventsPort: cmp.Or(f.EventsPort, other.EventsPort),
		Life: cmp.Or(f.Life, other.Life), ShareMin: cmp.Or(f.ShareMin, other.ShareMin), PayWithin: cmp.Or(f.PayWithin, other.PayWithin), Payouts: cmp.Or(f.Payouts, other.Payouts),
	}
}

// recall reads how the playground of dir was started last; the zero value of a new
// one.
func recall(dir string) (up, error) {
	var last up
	raw, err := os.ReadFile(filepath.Join(dir, upName))
	if errors.Is(err, fs.ErrNotExist) {
		return last, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &last)
	}
	if err != nil {
		return last, fmt.Errorf("playground: %s: %w", upName, err)
	}
	return last, nil
}

func (u up) save(dir string) error {
	raw, err := json.MarshalIndent(u, "", "  ")
	if err != nil {
		return err
	}
	return durable.Replace(filepath.Join(dir, upName), append(raw, '\n'))
}

// resume completes the flags with those of the last start and refuses to leave out
// a SET: what is owed in it would no longer be found.
func (u *playgroundUpCmd) resume() (up, error) {
	last, err := recall(u.Dir)
	if err != nil {
		return last, err
	}
	had := u.setsThere()
	u.playgroundFlags = u.or(last.Flags).or(playgroundFlags{Sets: had}).or(flagDefaults)
	if u.Sets < had {
		return last, fmt.Errorf("--sets %d: %s has %d SETs, and envelopes in each that money is owed for: start it with --sets %d or without the flag, or a new one with --dir",
			u.Sets, u.Dir, had, had)
	}
	return last, u.withinBounds()
}

// setsThere is how many SETs have data in the directory.
func (u *playgroundUpCmd) setsThere() (n int) {
	for i := range setsMax {
		if exists(filepath.Join(u.Dir, setName(i))) {
			n = i + 1
		}
	}
	return n
}

func setName(set int) string { return fmt.Sprintf("set%03d", set) }

func digest(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// place writes the settings file unless there is one that another hand has
// written or edited since the last start.
func (p *playground) place(s *settings.Settings) error {
	file := p.path(configName)
	raw, err := s.Text()
	if err != nil {
		return err
	}
	there, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case bytes.Equal(there, raw):
	case digest(there) != p.last.Config:
		if p.cmd.KeepConfig {
			return nil
		}
		return fmt.Errorf("%s is not as the last start wrote it, and nothing was changed: start with --keep-config to run with it as it is, or move it away (mv %[1]s %[1]s.mine) to have it written anew", file)
	case p.cmd.KeepConfig:
		return nil
	}
	// What is remembered comes first: between the two a crash leaves a file that is
	// as it was, or as it will be.
	if err := (up{Flags: p.cmd.playgroundFlags, Config: digest(raw)}).save(p.cmd.Dir); err != nil {
		return err
	}
	return durable.Replace(file, raw)
}
