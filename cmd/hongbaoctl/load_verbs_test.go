package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"hongbao/internal/settest"
	"hongbao/loadtest/measure"
)

// load runs a verb on the playground in a hurry and reads what it printed.
func load(t *testing.T, p *settest.Live, into any, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(p.Bin, "hongbaoctl"),
		append([]string{"--config", filepath.Join(p.Dir, "hongbao.yaml"), "--json", "load"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("load %v: %v\n%s", args, err, out)
	}
	if err := json.Unmarshal(out, into); err != nil {
		t.Fatalf("load %v: %v\n%s", args, err, out)
	}
}

// A newcomer measures before a playground was ever started.
func TestLoadNeedsNoPlaygroundBesideIt(t *testing.T) {
	p := settest.Playground(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(p.Bin, "hongbaoctl"), "--json", "load", "cell", "--callers", "8", "--duration", "200ms", "--hurry", "20")
	cmd.Dir, cmd.Stderr = t.TempDir(), os.Stderr
	out, err := cmd.Output()
	var cell measure.CellRun
	if err := errors.Join(err, json.Unmarshal(out, &cell)); err != nil || !cell.Passed {
		t.Errorf("in an empty directory: %v\n%s", err, out)
	}
	if left, err := os.ReadDir(cmd.Dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestTheLoadsVerbsMeasureAPlayground(t *testing.T) {
	p := settest.Playground(t)
	defer leftAlone(t, p)
	var cell measure.CellRun
	profiles := t.TempDir()
	load(t, p, &cell, "cell", "--open-mode", "plain", "--scenario", "hot", "--callers", "8", "--duration", "200ms", "--hurry", "20", "--profile", profiles)
	if !cell.Passed || len(cell.Series.Cells) != 1 || cell.Series.Cells[0].Mode != "plain" || cell.Series.Median <= 0 {
		t.Errorf("the cell is %+v", cell)
	}
	if cpu, err := os.ReadFile(filepath.Join(profiles, "plain-hot-8-1.pprof")); err != nil || len(cpu) < 100 {
		t.Errorf("the profile has %d bytes, %v", len(cpu), err)
	}
	var storm measure.StormRun
	load(t, p, &storm, "storm", "--no-books", "--hurry", "40")
	if !storm.Passed || storm.Storm.Goodput <= 0 || storm.Capacity.Callers != 1000 {
		t.Errorf("the storm is %+v", storm.Storm)
	}
	var full measure.Full
	const envelopes = 2001
	load(t, p, &full, "full", "--envelopes", strconv.Itoa(envelopes), "--rounds", "1", "--hurry", "40")
	checkFull(t, &full, envelopes)
	sum := 0
	for _, books := range full.Books {
		sum += books.Envelopes
	}
	if sum <= envelopes {
		t.Errorf("the books have %d envelopes, %d were filled in", sum, envelopes)
	}
}

// leftAlone is FS26: of all that was measured nothing is left to be carried out, in
// the playground or beside it.
func leftAlone(t *testing.T, p *settest.Live) {
	t.Helper()
	for i, db := range p.Audit {
		var envelopes int
		if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM send_key").Scan(&envelopes); err != nil || envelopes != 0 {
			t.Errorf("SET %d of the playground in use has %d envelopes of the measurements, %v", i, envelopes, err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(p.Dir, "load-*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func checkFull(t *testing.T, full *measure.Full, envelopes int) {
	t.Helper()
	if !full.Passed || full.Ratios["spread_full_over_empty"] <= 0 || full.Ratios["hot_full_over_empty"] <= 0 || full.FillSeconds <= 0 {
		t.Fatalf("full tables: %+v", full)
	}
	filled := 0
	for _, s := range full.Stocks {
		if filled += s.Envelopes; s.Shares < s.Envelopes || s.After <= s.Before {
			t.Errorf("SET %s was filled with %+v", s.Set, s)
		}
	}
	if filled != envelopes {
		t.Errorf("%d envelopes were filled in, want %d", filled, envelopes)
	}
	if w := full.Figures.Warm; w.EnvelopeBytes < 300 || w.EnvelopeBytes > 10_000 || w.Asked < 50 || w.WarmMost < w.Asked {
		t.Errorf("a warm envelope is weighed as %+v", w)
	}
}
