package playground

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"hongbao/internal/durable"
	"hongbao/internal/settings"
)

// upName is the file in which a playground keeps how it was started.
const upName = "up.json"

// up is how a playground was started, and what it wrote into its settings: the next
// start goes on like that where it does not say otherwise, and does not write over
// an edit made meanwhile.
type up struct {
	Flags  Shape  `json:"flags"`
	Config string `json:"config_sha256"` // of hongbao.yaml as it was written
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

// FewerSetsError refuses to leave out a SET that has data: transfers pending in it
// would no longer be found.
type FewerSetsError struct {
	Dir        string
	Want, Have int
}

func (e *FewerSetsError) Error() string {
	return fmt.Sprintf("want %d SETs; %s has %d SETs, and envelopes in each that money is owed for: start all of them, or another playground in another directory", e.Want, e.Dir, e.Have)
}

// resume completes the shape with that of the last start.
func (p *Playground) resume() error {
	var err error
	if p.last, err = recall(p.cfg.Dir); err != nil {
		return err
	}
	had := p.setsThere()
	p.shape = p.cfg.Shape.Or(p.last.Flags).Or(Shape{Sets: had}).Or(Default())
	if p.shape.Sets < had {
		return &FewerSetsError{p.cfg.Dir, p.shape.Sets, had}
	}
	return p.shape.validate()
}

// setsThere is how many SETs have data in the directory.
func (p *Playground) setsThere() (n int) {
	for i := range SetsMax {
		if exists(p.path(setName(i))) {
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

// EditedError refuses to write over a settings file that was edited since the last
// start.
type EditedError struct{ File string }

func (e *EditedError) Error() string {
	return e.File + " is not as the last start wrote it, and nothing was changed"
}

// place writes the settings file unless there is one that another hand has
// written or edited since the last start.
func (p *Playground) place(s *settings.Settings) error {
	file := p.path(SettingsName)
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
		if p.cfg.KeepConfig {
			return nil
		}
		return &EditedError{file}
	case p.cfg.KeepConfig:
		return nil
	}
	// What is remembered comes first: between the two a crash leaves a file that is
	// as it was, or as it will be.
	if err := (up{Flags: p.shape, Config: digest(raw)}).save(p.cfg.Dir); err != nil {
		return err
	}
	return durable.Replace(file, raw)
}
