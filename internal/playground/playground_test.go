package playground

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAShapeThatCannotBeIsRefused(t *testing.T) {
	if err := Default().validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Shape){
		"want 1 <= sets <= 8, have 0":              func(s *Shape) { s.Sets = 0 },
		"want 1 <= sets <= 8, have 9":              func(s *Shape) { s.Sets = 9 },
		"want 1024 <= api-port <= 32767, have 80":  func(s *Shape) { s.APIPort = 80 },
		"want 1024 <= books-port <= 32767, have 0": func(s *Shape) { s.BooksPort = 0 },
		"have 8081 as api-port and as operator":    func(s *Shape) { s.APIPort = s.OperatorPort },
		"want 0 < life":                            func(s *Shape) { s.Life = 0 },
		"want 1 <= least share, have 0":            func(s *Shape) { s.ShareMin = 0 },
		`have "cash"`:                              func(s *Shape) { s.Payouts = "cash" },
	} {
		shape := Default()
		change(&shape)
		if err := shape.validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if _, err := Start(t.Context(), Config{Dir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "required") {
		t.Errorf("without programs: %v", err)
	}
}

func TestAShapeIsCompletedByTheLastOne(t *testing.T) {
	dir := t.TempDir()
	last := Default()
	last.Sets, last.Life = 3, 5*time.Hour
	if err := (up{Flags: last}).save(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "set002"), 0o755); err != nil {
		t.Fatal(err)
	}
	p := &Playground{cfg: Config{Dir: dir, Shape: Shape{APIPort: 9000}}}
	if err := p.resume(); err != nil {
		t.Fatal(err)
	}
	want := last
	want.APIPort = 9000
	if p.shape != want {
		t.Errorf("the shape is %+v, want %+v", p.shape, want)
	}
	p.cfg.Shape.Sets = 2
	fewer, ok := errors.AsType[*FewerSetsError](p.resume())
	if !ok || fewer.Want != 2 || fewer.Have != 3 {
		t.Errorf("a SET was left out: %+v", fewer)
	}
}

func TestOnePlaygroundADirectory(t *testing.T) {
	dir := t.TempDir()
	if _, err := Stop(t.Context(), dir); !errors.Is(err, ErrNone) {
		t.Errorf("stopping where none is: %v", err)
	}
	unlock, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock(dir); !errors.Is(err, ErrRunning) {
		t.Errorf("a second one: %v", err)
	}
	if running, err := Stop(t.Context(), dir); !running || err == nil || !strings.Contains(err.Error(), "still starting") {
		t.Errorf("stopping one that is starting: %v, %v", running, err)
	}
	// A description from before names a process that is another program's now.
	if err := os.WriteFile(filepath.Join(dir, DescriptionName), []byte(`{"processes":[{"name":"playground","pid":1}]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Stop(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "not a playground any more") {
		t.Errorf("stopping another program: %v", err)
	}
	unlock()
	if running, err := Stop(t.Context(), dir); running || err != nil {
		t.Errorf("stopping one that has ended: %v, %v", running, err)
	}
}

func TestProcessesMayInheritNoSettings(t *testing.T) {
	got := WithoutSettings([]string{"PATH=/bin", "HONGBAO_OPEN_MODE=plain", "HONGBAO_LISTEN_PUBLIC=:1", "HOME=/"})
	if want := []string{"PATH=/bin", "HOME=/"}; !slices.Equal(got, want) {
		t.Errorf("the environment is %v, want %v", got, want)
	}
}
