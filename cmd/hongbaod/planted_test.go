package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/settest"
	"hongbao/schema"
)

// loadRun is a short crowd, and how it ended.
func loadRun(t *testing.T, p *settest.Live) (exitCode int, report []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(p.Bin, "hongbaoctl"), "--config", filepath.Join(p.Dir, "hongbao.yaml"), "--json",
		"load", "run", "--scenario", "hot", "--open-mode", "group", "--duration", "3s", "--rate", "500", "--connections", "50")
	cmd.Stderr = os.Stderr
	report, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), report
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0, report
}

// The control of every load figure: a crowd that does not notice people being
// paid twice would certify anything.
func TestCrowdPassesAndCatchesAPlantedBug(t *testing.T) {
	p := settest.Playground(t)
	if code, report := loadRun(t, p); code != 0 || !json.Valid(report) {
		t.Fatalf("the real service: exit %d\n%s", code, report)
	}
	p.Spoiled = true
	today := envelope.DayOf(time.Now())
	for set := range p.Audit {
		admin := p.Admin(t, set)
		for digit := range envelope.TableDigits {
			for _, day := range []envelope.Day{today, today.Add(1)} {
				if _, err := admin.Exec("ALTER TABLE " + schema.ShareTable(digit, day.OfMonth()) + " DROP INDEX one_share_per_user"); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	daemon := filepath.Join(p.Bin, "hongbaod")
	if err := os.Remove(daemon); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-tags", "nomsgpack planted", "-o", daemon, "hongbao/cmd/hongbaod")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	code, report := loadRun(t, p)
	if code != 1 || !bytes.Contains(report, []byte(`"audit_passed": false`)) {
		t.Fatalf("the planted bug: exit %d, want 1 and a failed audit\n%s", code, report)
	}
}
